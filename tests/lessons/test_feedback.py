"""The rated sentences: only the one archive that is meant is read, and nothing in it is unpacked."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from lessons.data import feedback
from lessons.data.feedback import RatedSentence, load_ratings, sentences


def archive_of(files: dict[str, str]) -> tarfile.TarFile:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}.txt")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return tarfile.open(fileobj=io.BytesIO(packed.getvalue()))


def test_texts_and_ratings_are_joined_by_their_numbers_and_not_by_their_order() -> None:
    texts = "1_1\t0.5\tfine, \x85 really\r\n1_2\t-2\tno\n"
    ratings = "\ufeff1_2\t-2\t0\t[-2, -2]\n1_1\t0.5\t.5\t[0, 1]\n"

    with archive_of({"x_GroundTruth": texts, "x_anonDataRatings": ratings}) as rated:
        found = sentences(rated, "x")

    assert found == [RatedSentence("fine, \x85 really", (0, 1)), RatedSentence("no", (-2, -2))]


def test_a_sentence_without_ratings_is_an_error() -> None:
    with archive_of({"x_GroundTruth": "1\t0\ta\n2\t0\tb\n", "x_anonDataRatings": "1\t0\t0\t[0]\n"}) as rated:
        with pytest.raises(ValueError, match="x: 1 sentences lack their text or their ratings"):
            sentences(rated, "x")


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / feedback.ARCHIVE).write_bytes(b"something else")

    with pytest.raises(ValueError, match=r"has the sha256 .*: delete it"):
        load_ratings(tmp_path)


def test_without_a_network_the_error_says_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no\nnetwork")
    monkeypatch.setattr(feedback.subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(FileNotFoundError, match=r"\(no network\); without a network, put the file at .*tar\.gz"):
        load_ratings(tmp_path)
