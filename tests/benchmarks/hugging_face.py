"""Hugging Face's libraries beside ours in one process, for speed only: both `peft` at once, each with its own modules.

Run under the Python of `make parity`. Both `peft` have one import name; the modules in `sys.modules` are exchanged.
"""

import importlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARITY_PYTHON = Path(os.environ.get("FT_PARITY_PYTHON", ROOT / ".venv-parity" / "bin" / "python"))
NO_END = -1e9


def run_under_parity_python(module: str) -> None:
    """Starts `module` again under the Python that has Hugging Face's libraries, unless this is it."""
    if importlib.util.find_spec("transformers") is None:
        if not PARITY_PYTHON.is_file():
            raise SystemExit(f"there is no {PARITY_PYTHON}: make parity, or set FT_PARITY_PYTHON")
        os.execv(PARITY_PYTHON, [str(PARITY_PYTHON), "-m", module, *sys.argv[1:]])


class HuggingFace:
    """HF's `transformers` and `peft`. `import peft` finds ours, but for what runs inside `with hf:`.

    HF's `peft` imports parts of itself while it builds a model; it must find its own.
    """

    def __init__(self) -> None:
        os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
        here = [entry for entry in sys.path if Path(entry or ".").resolve() == ROOT]
        sys.path[:] = [entry for entry in sys.path if entry not in here]
        self.transformers, self.peft = importlib.import_module("transformers"), importlib.import_module("peft")
        self.theirs, self.ours = take_peft(), dict[str, ModuleType]()
        sys.path.insert(0, str(ROOT))

    def __enter__(self) -> None:
        self.ours = take_peft()
        sys.modules.update(self.theirs)

    def __exit__(self, *reason: object) -> None:
        self.theirs = take_peft()
        sys.modules.update(self.ours)


def take_peft() -> dict[str, ModuleType]:
    """Every module of the `peft` that is imported now, taken out of `sys.modules`."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name == "peft" or name.startswith("peft.")}


@dataclass(frozen=True)
class Pair:
    """One model twice, with the same weights."""

    theirs: Any
    ours: Any


def same_model(theirs: Any, **changes: Any) -> Pair:
    """The model of transformers and the one that `load_pretrained` makes of its folder."""
    from transformer.pretrained import load_pretrained

    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return Pair(theirs.eval(), load_pretrained(folder, **changes))


def marian(transformers: ModuleType, d_model: int, layers: int = 3, vocab: int = 1000) -> Any:
    """A random MarianMTModel that never ends a sequence, so that every run decodes to the full length."""
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", layers), ("attention_heads", d_model // 32), ("ffn_dim", 4 * d_model))
    }
    config = transformers.MarianConfig(
        vocab_size=vocab,
        d_model=d_model,
        max_position_embeddings=128,
        pad_token_id=vocab - 1,
        decoder_start_token_id=vocab - 1,
        eos_token_id=0,
        forced_eos_token_id=None,
        scale_embedding=True,
        dropout=0.1,
        **sides,
    )
    model = transformers.MarianMTModel(config)
    model.final_logits_bias[0, [0, vocab - 1]] = NO_END
    return model


def gpt2(transformers: ModuleType, d_model: int = 256, layers: int = 6, vocab: int = 1000) -> Any:
    """A random GPT-2 whose end always has a logit of 0, where one of the others is above."""
    config = transformers.GPT2Config(
        vocab_size=vocab,
        n_embd=d_model,
        n_layer=layers,
        n_head=d_model // 32,
        n_positions=128,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    model = transformers.GPT2LMHeadModel(config)
    model.transformer.wte.weight.data[0] = 0.0
    return model


def llama(transformers: ModuleType) -> Any:
    """A random Llama of SmolLM2's shape, 135 million parameters."""
    config = transformers.LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        intermediate_size=1536,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return transformers.LlamaForCausalLM(config)
