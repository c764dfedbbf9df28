"""American words and how they are written in Britain: `python -m lessons.data.spelling` makes spelling.tsv anew.

A pair is found by a rule (-or → -our, -ize → -ise, ...) and kept where the British dictionary lists both spellings with
one pronunciation. Regular inflections are added. Pairs that a rule makes of two different words are taken out by hand (FALSE). A line of spelling.tsv is
the American spelling, the British one and the stem, by which words are split: what is trained and what is tested share none.

Source    the dictionaries of this folder, from misaki (Apache-2.0, LICENSE-misaki.txt); rules and FALSE are ours
"""

import re
from pathlib import Path

from lessons.task.dictionary import load

FILE = Path(__file__).with_name("spelling.tsv")
ENDINGS = "(s|ed|ing|er|ers|ful|able|ably|ation|ations|ment|ments|ite|ites|less|hood|y|ies|ist|ists|al|ally|ic|ical|ically|ly|ism|ous)?"
RULES = (
    (r"(.{2,})iz(e|es|ed|er|ers|ing|ation|ations|able)$", r"\1is\2"),
    (r"(.{2,})yz(e|es|ed|er|ers|ing)$", r"\1ys\2"),
    (rf"(.{{2,}})or{ENDINGS}$", r"\1our\2"),
    (r"(.{2,}[bctpg])er(s|ed)?$", r"\1re\2"),
    (r"(.+)e(.+)$", r"\1ae\2"),
    (r"(.*)e(.+)$", r"\1oe\2"),
    (r"(.{2,}[aeiou])l(ed|ing|er|ers|ings|or|ors|ery|ous)$", r"\1ll\2"),
    (r"(.{2,})ll(s|ment|ments|ful|fully)?$", r"\1l\2"),
    (r"(.+)old(s|ed|er|ers|ering|ing|y)?$", r"\1ould\2"),
    (r"(.{2,})og(s|ed|ing)?$", r"\1ogue\2"),
    (r"(.{2,})ense(s|less)?$", r"\1ence\2"),
    (r"(.*)gray(s|ed|ing|ish|er|est)?$", r"\1grey\2"),
    (r"(.*)plow(s|ed|ing|man|men)?$", r"\1plough\2"),
    (r"skeptic(.*)$", r"sceptic\1"),
    (r"(.*)judgment(s|al)?$", r"\1judgement\2"),
)
FALSE = frozenset(
    "bell bougainvillea cell chimera dell demon demonic eager fetid homeopath homeopathic homeopathy install jell license "
    "mall medieval meter micrometer mill peon pirog presidium primeval prize".split()
)
PREFIXES = r"^(un|dis|mis|multi|re|de|epi|water)(?=.{5})"


def british_spellings() -> dict[str, str]:
    """American spelling → British one, by the rules, but for FALSE."""
    heard = load("british")
    found: dict[str, str] = {}
    for word in load("american"):
        for pattern, british in RULES:
            written = re.sub(pattern, british, word)
            if written != word and set(heard.get(written, ())) & set(heard.get(word, ())):
                found.setdefault(word, written)
    kept = {word: written for word, written in found.items() if word not in FALSE}
    return {form: written for pair in kept.items() for form, written in inflected(*pair)} | kept


def inflected(american: str, british: str) -> list[tuple[str, str]]:
    """The forms that a dictionary need not list: centers, centered, centering → centres, centred, centring."""
    forms = [(f"{american}s", f"{british}s")]
    if not re.search(r"(iz|yz|or|er)e?$", american):
        return forms
    before, after = american.removesuffix("e"), british.removesuffix("e")
    return [*forms, *((f"{before}{end}", f"{after}{end}") for end in ("ed", "ing"))]


def stem(word: str) -> str:
    """What words of one family have in common: five letters, without a prefix."""
    return re.sub(PREFIXES, "", word)[:5]


def read_spellings() -> dict[str, str]:
    """American spelling → British one, as they are kept."""
    rows = (line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines())
    return {american: british for american, british, _ in rows}


def main() -> None:
    """Writes the pairs in order."""
    found = sorted(british_spellings().items())
    FILE.write_text("".join(f"{a}\t{b}\t{stem(a)}\n" for a, b in found), encoding="utf-8")
    print(f"{FILE.name}: {len(found)} words of {len({stem(a) for a, _ in found})} stems")


if __name__ == "__main__":
    main()
