"""What stays as it is in every language, each with its reason."""

import re

from lessons.clinic.cases import CASES
from lessons.experiments.instruction_tuning import SENTENCE
from lessons.language.outputs import NAMES, PLACE
from lessons.sentiment.examples import EXAMPLES, IN_ENGLISH
from peft import RECIPES

KEPT: dict[str, frozenset[str]] = {
    "techniques and algorithms": frozenset(
        [*RECIPES, "scratch", "cmu", "LoRA", "LoRA+", "rsLoRA", "DoRA", "PiSSA", "VeRA", "QLoRA", "BitFit", "P-Tuning"]
        + ["v2", "Adam", "AdamW", "houlsby", "pfeiffer"]
    )
    - {"full", "scratch"},
    "functions of the formulas": frozenset("softmax Softmax ln exp log tanh min clip ReLU relu gelu silu SiLU".split()),
    "the network's own names": frozenset("LayerNorm RMSNorm fc1 fc2 head logits".split()) - {"head", "logits"},
    "number formats and units": frozenset("nf4 fp4 fp16 fp32 bf16 int4 int8 kB".split()),
    "published models": frozenset("SmolLM2-135M Llama 8B Qwen2.5 7B gpt2 gpt2-xl llama-7b".split()),
    "illnesses, as the clinic's command takes them": frozenset(CASES),
    "words of the data": frozenset(
        "This film is inspiring knight nation exploit physics school tomato schedule rhythm antidisestablishment city cactus cat spring go bath water ng th color colour slm".split()
    ),
    "words that the base made up": frozenset(
        "calandonus epalersive untroospic conanolpe coorincealy oncamoledly inoprocakiquy rostemalitis".split()
    ),
}
"""Reason → words."""

SENTENCES = frozenset([SENTENCE, IN_ENGLISH, *(example.text for example in EXAMPLES)])
"""What a model reads that knows only English."""

SPELT = re.compile(
    r"(?:[a-z] )+\(end\)|python -m [\w. ]+|\{1\} (?:This|film|is|inspiring)|\{1\} this film is .*|causal_mask\(.*"
)
"""Words letter by letter, a command, the tokens of a sentence."""

WORDS = frozenset().union(*KEPT.values())
TOKEN = re.compile(r"[A-Za-z][\w+.-]*")


def stays(template: str) -> bool:
    """Whether an entry has nothing to tell: only names, data and numbers."""
    if template in SENTENCES or SPELT.fullmatch(template):
        return True
    bare = NAMES.sub(" ", PLACE.sub(" ", template))
    return all(len(token) < 2 or token in WORDS for token in TOKEN.findall(bare))
