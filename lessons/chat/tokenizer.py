"""The tokenizer of a GGUF, made of its own vocabulary and merges with the `tokenizers` library.

    text → special tokens, whole → words (the rule that the file names) → bytes → merges, in their order → ids

A GGUF names the rule by which text is cut into words and does not hold it: RULES has those that we know. SmolLM2's puts
every digit by itself; a reader that takes GPT-2's rule for it gives other ids wherever there are two digits.

Bytes that the vocabulary lacks are left out, as llama.cpp and transformers do it: SmolLM2's lacks six control characters
and those bytes that no text in UTF-8 has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformer.pretrained.gguf import Vocabulary
from transformer.pretrained.gguf.vocabulary import CONTROL, USER_DEFINED

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

QWEN_2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_3 = QWEN_2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True)
class Rule:
    """How text is cut into words.

    `pattern`        what a word is; None: GPT-2's, which `tokenizers` has
    `digits_alone`   whether every digit is cut off first
    `composed`       whether a letter and its accent become one character (NFC)
    `whole_words`    whether a word that is a token is taken without merging
    """

    pattern: str | None = None
    digits_alone: bool = False
    composed: bool = False
    whole_words: bool = False


RULES = {
    "gpt-2": Rule(),
    "smollm": Rule(digits_alone=True),
    "qwen2": Rule(QWEN_2, composed=True),
    "llama-bpe": Rule(LLAMA_3, whole_words=True),
}
"""llama.cpp's name → the rule of the tokenizer.json that the model was published with."""


def make_tokenizer(vocabulary: Vocabulary) -> "Tokenizer":
    """`.encode(text, add_special_tokens=False).ids` and `.decode(ids)`. Special tokens in the text are taken as such.

    Raises ValueError for a kind or a rule that is not known, and for merges that do not fit the tokens;
    ModuleNotFoundError without `tokenizers`.
    """
    try:
        from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the package `tokenizers` is missing: `make smollm`, or `pip install tokenizers`", name=error.name
        ) from error
    if vocabulary.model != "gpt2" or vocabulary.pre not in RULES:
        raise ValueError(
            f"the file's tokenizer is {vocabulary.model!r} with the rule {vocabulary.pre!r}; "
            f"known are 'gpt2' with {', '.join(RULES)}"
        )
    rule, ids = RULES[vocabulary.pre], {token: id for id, token in enumerate(vocabulary.tokens)}
    if missing := [pair for pair in vocabulary.merges if not {*pair, "".join(pair)} <= ids.keys()]:
        raise ValueError(
            f"{len(missing)} merges of the file's tokenizer are not of its tokens, the first one {missing[0]}"
        )
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=vocabulary.merges, ignore_merges=rule.whole_words))
    tokenizer.normalizer = normalizers.NFC() if rule.composed else None
    tokenizer.pre_tokenizer = cut_into_words(rule)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(added(vocabulary, CONTROL, AddedToken))
    tokenizer.add_tokens(added(vocabulary, USER_DEFINED, AddedToken))
    if vocabulary.add_bos and vocabulary.bos_id is not None:
        bos = vocabulary.tokens[vocabulary.bos_id]
        tokenizer.post_processor = processors.TemplateProcessing(f"{bos} $A", special_tokens=[(bos, vocabulary.bos_id)])
    return tokenizer


def cut_into_words(rule: Rule) -> "PreTokenizer":
    from tokenizers import Regex, pre_tokenizers

    steps: list[PreTokenizer] = [pre_tokenizers.Digits(individual_digits=True)] if rule.digits_alone else []
    if rule.pattern:
        steps.append(pre_tokenizers.Split(Regex(rule.pattern), "isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not rule.pattern))
    return pre_tokenizers.Sequence(steps)


def added(vocabulary: Vocabulary, kind: int, token: type) -> list:
    """The tokens of one kind, which are never cut and never changed."""
    special = kind == CONTROL
    pairs = zip(vocabulary.tokens, vocabulary.kinds)
    return [token(text, special=special, normalized=False) for text, its_kind in pairs if its_kind == kind]


def control_tokens(vocabulary: Vocabulary) -> Sequence[str]:
    """What no message may hold: it would begin or end a turn."""
    return [text for text, kind in zip(vocabulary.tokens, vocabulary.kinds) if kind == CONTROL]
