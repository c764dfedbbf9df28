"""The doctor: what is whole is said to be whole, and what is not is named with the way out."""

from pathlib import Path

import pytest

from lessons.install import doctor, own_peft
from lessons.install.doctor import main
from transformer.learning.formats import write_bytes


@pytest.fixture(autouse=True)
def keep_the_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "set_threads", lambda: 2)


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {line.split()[1].rstrip(":"): line for line in capsys.readouterr().out.splitlines() if line[:1] in "✓✗"}


def test_a_healthy_installation(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0

    told = lines(capsys)
    assert set(told) == set(doctor.CHECKS)
    assert "2 threads" in told["machine"]
    assert "77,366 words" in told["data"]


def test_what_is_broken_is_named_and_the_rest_is_still_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def damaged() -> None:
        raise ValueError("model.safetensors is no whole safetensors file")

    monkeypatch.setattr(doctor, "load_base", damaged)

    assert main([]) == 1

    told = lines(capsys)
    assert told["base"].startswith("✗")
    assert "no whole safetensors file" in told["base"]
    assert told["data"].startswith("✓")
    assert told["adapters"].startswith("✓")


def test_weights_that_were_changed_are_noticed(monkeypatch: pytest.MonkeyPatch):
    model = doctor.load_base()
    model.decoder.layers[0].cross_attention.out_proj.weight.data.neg_()
    monkeypatch.setattr(doctor, "load_base", lambda: model)

    with pytest.raises(ValueError, match="its weights are damaged"):
        doctor.base()


def test_another_peft_is_found_out_without_running_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    other = tmp_path / "__init__.py"
    write_bytes(other, b"raise RuntimeError('it was run')")
    monkeypatch.setattr(own_peft, "find_peft", lambda: other)

    with pytest.raises(ImportError, match=r"not this project's hand-written peft\. Run from"):
        own_peft.require_own_peft()
