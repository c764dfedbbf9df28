"""Which word shows the change, and where the attention lies on it before fine-tuning and after."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lessons.compare.report import Comparison, Row
from lessons.compare.row import UNTUNED
from lessons.task.attention_map import LetterAttention, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import load
from lessons.task.finetuning import prepared_base
from lessons.task.techniques import SCRATCH
from peft import PeftModel

# The word whose attention is drawn when no technique has learnt one.
WORD = "forecast"


def attention_maps(found: Comparison, rows: Sequence[Row], folder: Path) -> dict[str, LetterAttention]:
    """The base on one word, and the same word said by LoRA or the first adapter that there is in `folder`."""
    tuned = [rows[0] for method, rows in found.methods.items() if method != SCRATCH]
    if not tuned:
        return {"base, American": letter_attention(load_base(), WORD)}
    chosen = next((row for row in tuned if row["method"] == "lora"), tuned[0])
    method, seed = chosen["method"], chosen["seed"]
    before, after = (
        next(row["said"] for row in rows if (row["method"], row["seed"]) == wanted)
        for wanted in ((UNTUNED, 0), (method, seed))
    )
    word = telling_word(before, after)
    model = PeftModel.from_pretrained(prepared_base(method, load_base()), folder / "adapters" / f"{method}-{seed}")
    return {
        "base, American": letter_attention(load_base(), word),
        f"{method}, British": letter_attention(model, word),
    }


def telling_word(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A word of six to nine letters that was right in American before and is right in British after, and differs."""
    american, british = load("american"), load("british")
    return next(
        (
            word
            for word, said in after.items()
            if 6 <= len(word) <= 9
            and said != before[word]
            and said in british[word]
            and before[word] in american.get(word, ())
        ),
        WORD,
    )
