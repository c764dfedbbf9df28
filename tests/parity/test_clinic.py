"""The clinic on Hugging Face PEFT's models: healthy runs are silent, sick ones are named."""

import json

import pytest

pytestmark = pytest.mark.parity


def test_healthy_runs_of_hugging_face_peft_are_silent_and_sick_ones_named(second_python):
    found = json.loads((second_python("clinic", {}) / "found.json").read_text(encoding="utf-8"))

    healthy = {name: findings for name, findings in found.items() if not name.endswith("sick")}
    sick = {name: findings for name, findings in found.items() if name.endswith("sick")}
    assert len(healthy) >= 32
    assert {name: findings for name, findings in healthy.items() if findings} == {}
    assert [name for name, findings in sick.items() if "optimizer-before-adapter" not in findings] == []
