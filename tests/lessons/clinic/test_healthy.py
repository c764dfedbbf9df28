"""A healthy run is called healthy: every technique, in training and in use, on the small base."""

from pathlib import Path

import pytest
import torch

from lessons.clinic import diagnose
from lessons.clinic.case import GROUPS
from lessons.clinic.cases import CASES
from lessons.clinic.command import main
from peft import RECIPES
from tests.lessons.clinic.worlds import EOS
from tests.peft.small import METHODS, technique
from transformer.learning.batching import collate
from transformer.learning.loss import label_smoothed_cross_entropy

PAIRS = [([5, 8, 11, 29, EOS], [20, 29, 22, 3, 9, EOS]), ([7, 12, EOS], [24, 25, 30, EOS]), ([9, EOS], [4, 6, EOS])]


@pytest.mark.parametrize("method", METHODS)
def test_every_technique_is_silent_in_training_and_in_use(method: str, tmp_path: Path):
    batches = [collate(PAIRS[:2], 0, 1), collate(PAIRS[1:], 0, 1)]
    model = technique(method).train()
    groups = RECIPES[method].groups(model, RECIPES[method].rates[1], 0.0)

    assert diagnose(model, batches, optimizer=torch.optim.AdamW(groups)) == []

    learn(model, batches, torch.optim.AdamW(groups))
    model.save_pretrained(tmp_path)
    assert diagnose(model, batches, folder=tmp_path) == []


def learn(model: torch.nn.Module, batches: list, optimizer: torch.optim.Optimizer, steps: int = 12) -> None:
    for step in range(steps):
        batch = batches[step % len(batches)]
        optimizer.zero_grad()
        label_smoothed_cross_entropy(model(batch.source, batch.inputs), batch.labels).backward()
        optimizer.step()
    model.eval()


def test_the_command_lists_the_cases_under_what_users_see(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0

    told = capsys.readouterr().out
    assert all(group in told for group in GROUPS)
    assert all(f"  {name} " in told for name in CASES)


def test_a_case_that_is_none_is_refused_with_the_list():
    with pytest.raises(ValueError, match="merged-twice"):
        main(["merged-thrice"])
