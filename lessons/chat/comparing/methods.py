"""The techniques that have a place on a language model, in the order in which a comparison runs them.

Those of MAIN come first: of each family what a reader has heard of. A run that is stopped has these.
"""

from lessons.chat.training.tuning import Q4_1
from peft import RECIPES

WITHOUT_A_PLACE = ("bitfit", "pill")
MAIN = (
    "lora", "full", "ia3", "ln_tuning", "dora", "qlora", "adapter_houlsby", "prefix_tuning", "ssf", "prompt_tuning",
    "pissa", "p_tuning_v2",
)  # fmt: skip
METHODS = (*MAIN, *(name for name in (*RECIPES, Q4_1) if name not in (*MAIN, *WITHOUT_A_PLACE)))
