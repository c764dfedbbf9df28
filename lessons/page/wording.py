"""The words of the page: the techniques' names, where each sits in the figure, what its strength does."""

from peft import PeftModel
from peft.bottleneck import HoulsbyAdapter, ParallelAdapter, PfeifferAdapter
from peft.frame.layers import AdaptedLayer
from peft.p_tuning import EncodedPromptInput
from peft.pill_layers import PillLayer
from peft.prefix_tuning import PrefixAttend
from peft.prompt_tuning import PromptInput

NAMES = {
    "full": "Full fine-tuning",
    "bitfit": "BitFit",
    "ln_tuning": "LayerNorm tuning",
    "lora": "LoRA",
    "rslora": "rsLoRA",
    "lora_plus": "LoRA+",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "vera": "VeRA",
    "ia3": "IA³",
    "ssf": "SSF",
    "adapter_houlsby": "Adapter (Houlsby)",
    "adapter_pfeiffer": "Adapter (Pfeiffer)",
    "adapter_parallel": "Adapter (parallel)",
    "prompt_tuning": "Prompt tuning",
    "p_tuning": "P-Tuning",
    "prefix_tuning": "Prefix tuning",
    "p_tuning_v2": "P-Tuning v2",
    "pill": "PILL",
    "qlora": "QLoRA (NF4)",
    "lora_fp4": "LoRA on FP4",
    "lora_int4": "LoRA on INT4",
}
STRENGTHS = {
    "weights": "P + a·ΔP: at 0 the base's numbers, at 1 the technique's, between them a part of the way.",
    "network": "The small networks' output is multiplied by a; what is trained in place goes a part of the way.",
    "keys": "Every learned key counts a times in the softmax: a · e^score. At 0 nobody attends to them.",
    "prompt": "Every learned vector counts a times wherever it is attended to: a · e^score. At exactly 0 it is taken away, "
    "and the letters stand at their own positions again.",
    "pill": "x + a · GLU(x), and a new token's values 1 + a·(gate - 1) times.",
}
"""Kind of technique → what its strength does."""


def layers_of(model: PeftModel) -> list[AdaptedLayer]:
    return list(model.adapters["default"].layers.values())


def strength_words(model: PeftModel) -> str:
    """What the slider does to this technique (strength.py)."""
    return STRENGTHS[kind_of(model)]


def kind_of(model: PeftModel) -> str:
    for classes, kind in (
        ((PromptInput, EncodedPromptInput), "prompt"),
        ((PrefixAttend,), "keys"),
        ((PillLayer,), "pill"),
        ((HoulsbyAdapter, PfeifferAdapter, ParallelAdapter), "network"),
    ):
        if any(isinstance(layer, classes) for layer in layers_of(model)):
            return kind
    return "weights"


def place_of(model: PeftModel) -> list[str]:
    """The boxes of the famous figure that the technique changes, by their names in lessons/teaching/layout.py."""
    adapter = model.adapters["default"]
    paths = [*adapter.layers, *adapter.owned.names]
    return sorted({box for path in paths if (box := box_of(path))})


def box_of(path: str) -> str:
    side = "encoder" if path.startswith("encoder") else "decoder"
    if path.startswith("source_input"):
        return "input_embedding"
    if "norm" in path.split(".layers.")[-1]:
        return f"{side}_add_norm"
    if "cross_attention" in path:
        return "cross_attention"
    if "self_attention" in path:
        return "self_attention" if side == "encoder" else "masked_attention"
    return f"{side}_feed_forward" if "feed_forward" in path else ""
