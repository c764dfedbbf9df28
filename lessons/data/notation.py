"""One notation for every dictionary: what is only a way of writing is unified, what is heard is kept.

Each rule is a pair (as written, as stored). A rule changes letters, never sounds: the British vowel of "go", written
Q, becomes the two symbols ə ʊ, and stays different from the American one, o ʊ. Kept because they are heard: the
flap ɾ, the glottal stop ʔ, the reduced vowel ᵻ, the rounded ɒ, stress, and every r that is spoken or dropped.
"""

import re

# The order matters. The plain a must become æ before the capitals bring in the a of aɪ and aʊ. Two long vowels are
# told from a short one by nothing but their length ("shared" from "shed"): they are respelt before ː goes.
RULES = (
    ("a", "æ"),
    ("A", "eɪ"),
    ("I", "aɪ"),
    ("O", "oʊ"),
    ("Q", "əʊ"),
    ("W", "aʊ"),
    ("Y", "ɔɪ"),
    ("ᵊ", "ə"),
    ("əː", "ɜ"),
    ("ɛː", "ɛə"),
    ("ː", ""),
)

VOWELS = "AA:ɑ AE:æ AH:ʌ AO:ɔ AW:aʊ AY:aɪ EH:ɛ ER:ɜɹ EY:eɪ IH:ɪ IY:i OW:oʊ OY:ɔɪ UH:ʊ UW:u"
CONSONANTS = "B:b CH:ʧ D:d DH:ð F:f G:ɡ HH:h JH:ʤ K:k L:l M:m N:n NG:ŋ P:p R:ɹ S:s SH:ʃ T:t TH:θ V:v W:w Y:j Z:z ZH:ʒ"
ARPABET = dict(pair.split(":") for pair in f"{VOWELS} {CONSONANTS}".split())

# Without stress the other dictionaries hear another vowel in these two: the first of "about", the last of "butter".
UNSTRESSED_ARPABET = {"AH0": "ə", "ER0": "əɹ"}


def unify(pronunciation: str) -> str:
    """Rewrite a pronunciation of the American or British source in the common notation."""
    for written, stored in RULES:
        pronunciation = pronunciation.replace(written, stored)
    return pronunciation


def from_arpabet(phones: list[str]) -> str:
    """Rewrite ARPAbet phones in the common notation, without stress marks: `["AH0", "B"]` gives `"əb"`."""
    return "".join(UNSTRESSED_ARPABET.get(phone) or ARPABET[re.sub(r"\d", "", phone)] for phone in phones)
