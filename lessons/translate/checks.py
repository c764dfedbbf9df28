"""Whether an entry's Chinese holds what its English holds: formulas, code, links, numbers, names of values, shape, terms.

And whether it is written by one rule: a space between Chinese and Latin letters, code or formulas; full-width punctuation
behind Chinese.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from string import Formatter

from lessons.translate.terms import unlike_glossary

HAN = r"\u4e00-\u9fff"
CODE = re.compile(r"`[^`]+`")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\s](?:[^$]*[^$\s])?\$", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#][^)\s]*)\)")
TAG = re.compile(r"</?[a-z]+(?: [^>]*)?>")
FIELD = re.compile(r"\{[^{}]*\}")
MARKS = tuple("，。；：？！、（）“”《》")
LARGE = {" thousand": 1e3, " million": 1e6, " billion": 1e9, "B": 1e9, " 万": 1e4, " 亿": 1e8}
NUMBER = re.compile(rf"(?<![A-Za-z\d_.])(\d+(?:[,.]\d+)*)(?:({'|'.join(LARGE)})(?![a-z]))?")


def complaints(english: str, chinese: str) -> list[str]:
    """What is wrong with a translation, in words; empty where it is well."""
    return [said for check in CHECKS for said in check(english, chinese)]


def same(what: str, parts: Callable[[str], list[str]]) -> Callable[[str, str], Iterator[str]]:
    """A check that both texts hold the same of something, however often each."""

    def check(english: str, chinese: str) -> Iterator[str]:
        wanted, found = Counter(parts(english)), Counter(parts(chinese))
        if lost := list((wanted - found).elements()):
            yield f"{what} lost: {', '.join(lost)}"
        if new := list((found - wanted).elements()):
            yield f"{what} that the English has not: {', '.join(new)}"

    return check


def fields(text: str) -> list[str]:
    """`{name:spec}`, as they are written."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return FIELD.findall(text)
    return [
        f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
        for _, name, spec, conversion in parts
        if name
    ]


def numbers(text: str) -> list[str]:
    """Numbers in digits outside of code, formulas, links and fields; "7 billion" and "70 亿" are the same one."""
    for pattern in (CODE, FORMULA, LINK, TAG, FIELD):
        text = pattern.sub(" ", text)
    return [
        f"{float(digits.replace(',', '')) * LARGE[large]:g}" if large else digits
        for digits, large in NUMBER.findall(text)
    ]


def shape(english: str, chinese: str) -> Iterator[str]:
    """Headings of one level, lists of as many items, tables of as many rows and columns."""
    for what, count in SHAPES.items():
        if count(english) != count(chinese):
            yield f"{what}: {count(english)} in English, {count(chinese)} in Chinese"


SHAPES: dict[str, Callable[[str], object]] = {
    "level of the heading": lambda text: len(text) - len(text.lstrip("#")),
    "items of the list": lambda text: len(re.findall(r"^\s*(?:[-*]|\d+\.)\s", text, re.MULTILINE)),
    "cells of the table": lambda text: [line.count("|") for line in text.splitlines() if line.startswith("|")],
    "bold words": lambda text: CODE.sub("", text).count("**") // 2,
}


def punctuation(_: str, chinese: str) -> Iterator[str]:
    """One rule for spaces and punctuation; and stars that Markdown would not close."""
    bare = chinese
    for pattern in (CODE, FORMULA, LINK, TAG, FIELD):
        bare = pattern.sub(
            lambda found: (
                "`" if found.re in (CODE, FORMULA) else "]" if found.re is LINK else "0" if found.re is FIELD else ""
            ),
            bare,
        )
    plain = bare.replace("*", "")
    if found := re.findall(rf"[{HAN}][,;:?!](?!\d)|[{HAN}]\.(?=\s|$)|[{HAN}]\s?\([^)]*[{HAN}]", plain):
        yield f"half-width punctuation behind Chinese: {', '.join(found)}"
    if found := re.findall(rf"[{HAN}][A-Za-z0-9`]|[A-Za-z0-9`%][{HAN}]", plain):
        yield f"a space is missing in {', '.join(found)}"
    if found := re.findall(r".{0,6}[，。；：？！、（）] +(?=[^\s|]).{0,2}", bare):
        yield f"a space beside full-width punctuation: {', '.join(found)}"
    yield from open_stars(bare)


def open_stars(text: str) -> Iterator[str]:
    """**Stars** that Markdown takes for stars: with punctuation inside and a letter right outside."""
    pieces = text.split("**")
    for before, bold, after in zip(pieces[:-1:2], pieces[1::2], pieces[2::2]):
        if bold[-1:] in MARKS and re.match(r"\w", after):
            yield f"Markdown does not close **{bold}**: put the punctuation outside of the stars, or a space behind them"
        if bold[:1] in MARKS and re.search(r"\w$", before):
            yield f"Markdown does not open **{bold}**: put the punctuation outside of the stars, or a space before them"


CHECKS: tuple[Callable[[str, str], Iterator[str]], ...] = (
    same("formula", FORMULA.findall),
    same("code", CODE.findall),
    same("link", LINK.findall),
    same("tag", TAG.findall),
    same("value", fields),
    same("number", numbers),
    shape,
    unlike_glossary,
    punctuation,
)
