"""One notation for every dictionary: what is only a way of writing is unified, what is heard is kept.

Each rule is a pair (as written, as stored). A rule changes letters, never sounds: the British GOAT vowel, written
Q, becomes the two symbols ə ʊ, and stays different from the American one, o ʊ. Kept because they are heard: the
flap ɾ, the glottal stop ʔ, the reduced vowel ᵻ, the rounded ɒ, stress, and every r that is spoken or dropped.
"""

import re

CAPITALS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ"}

# Order matters: the plain a must become æ before the capitals bring in the a of aɪ and aʊ, and the two long vowels
# that only their length tells apart from another vowel (shared, shed; adverb, the) must be respelt before ː is gone.
RULES = (("a", "æ"), *CAPITALS.items(), ("ᵊ", "ə"), ("əː", "ɜ"), ("ɛː", "ɛə"), ("ː", ""))

ARPABET = dict(
    pair.split(":")
    for pair in (
        "AA:ɑ AE:æ AH:ʌ AO:ɔ AW:aʊ AY:aɪ B:b CH:ʧ D:d DH:ð EH:ɛ ER:ɜɹ EY:eɪ F:f G:ɡ HH:h IH:ɪ IY:i JH:ʤ K:k "
        "L:l M:m N:n NG:ŋ OW:oʊ OY:ɔɪ P:p R:ɹ S:s SH:ʃ T:t TH:θ UH:ʊ UW:u V:v W:w Y:j Z:z ZH:ʒ"
    ).split()
)

# Without stress these two are another vowel in the other dictionaries: the first of "about", the last of "butter".
UNSTRESSED_ARPABET = {"AH0": "ə", "ER0": "əɹ"}


def unify(pronunciation: str) -> str:
    """Rewrite a pronunciation of the American or British source in the common notation."""
    for written, stored in RULES:
        pronunciation = pronunciation.replace(written, stored)
    return pronunciation


def from_arpabet(phones: list[str]) -> str:
    """Rewrite ARPAbet phones in the common notation, without stress marks: `["AH0", "B"]` gives `"əb"`."""
    return "".join(UNSTRESSED_ARPABET.get(phone) or ARPABET[re.sub(r"\d", "", phone)] for phone in phones)
