"""`torchrun -m lessons chat --train`: several processes, each with the whole model or with a share of it, are as one."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lessons.chat.command import open_chat
from lessons.chat.training.tuning import Q4_1
from peft import RECIPES
from tests.lessons.chat_processes import HOW, MAX_TOKENS, STEPS, opened, taught, texts
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture
from tests.lessons.test_chat_training import conversations, trained  # noqa: F401  a fixture
from transformer.learning import distributed
from transformer.learning.texts import Texts

ROOT = Path(__file__).resolve().parents[2]
FEW = ("full", "lora", "prefix_tuning")
"""Trained copies of every weight; layers of their own; a network that all layers share."""
NOT_HERE = ("bitfit", "pill", "qlora", "lora_fp4", "lora_int4")
"""Without a place in this model, or in four bits."""
MORE = [method for method in RECIPES if method not in (*FEW, *NOT_HERE)]


def torchrun(*arguments: object) -> subprocess.CompletedProcess:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    return subprocess.run(
        [*start, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "FT_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("methods", [FEW, MORE], ids=["few", "all others"])
def test_two_processes_give_the_losses_and_the_adapter_of_one(methods, gguf, tmp_path):  # noqa: F811
    for method in FEW:  # begun by one process, and stopped: two go on
        with pytest.raises(KeyboardInterrupt):
            taught(opened(method, gguf), method, tmp_path / f"{method}-shared.safetensors", stop=4)

    run = torchrun("tests.lessons.chat_processes", gguf, tmp_path, *methods)

    assert run.returncode == 0, run.stderr[-3000:]
    for method in methods:
        chat = opened(method, gguf)
        wanted, _ = taught(chat, method)
        chat.model.save_pretrained(tmp_path / "one")
        weights = load_file(tmp_path / "one" / "adapter_model.safetensors")
        for how in HOW:
            losses, steps = json.loads((tmp_path / f"{method}-{how}.json").read_text())
            assert losses == pytest.approx(wanted, rel=1e-9), (method, how)
            assert len(steps) == (2 if how == "shared" and method in FEW else STEPS)
            torch.testing.assert_close(load_file(tmp_path / f"{method}-{how}" / "adapter_model.safetensors"), weights)


@pytest.mark.slow
def test_what_two_processes_keep_one_goes_on_with(gguf, tmp_path):  # noqa: F811
    run = torchrun("tests.lessons.chat_processes", gguf, tmp_path, "lora")

    assert run.returncode == 0, run.stderr[-3000:]
    for how in HOW:
        chat = opened("lora", gguf)
        losses, steps = taught(chat, "lora", tmp_path / f"lora-{how}.safetensors")
        assert (losses, steps) == (json.loads((tmp_path / f"lora-{how}.json").read_text())[0], [])
        chat.model.save_pretrained(tmp_path / "one")
        files = [tmp_path / folder / "adapter_model.safetensors" for folder in ("one", f"lora-{how}")]
        torch.testing.assert_close(*map(load_file, files), rtol=0, atol=0)


def test_one_of_these_batches_has_fewer_rows_than_processes_and_one_more(gguf):  # noqa: F811
    found = Texts(texts(opened("lora", gguf)))
    batches = [batch for epoch in range(2) for batch in found.batches(MAX_TOKENS, 0, epoch)][:STEPS]

    assert min(map(len, batches)) == 1
    assert max(map(len, batches)) > 2
    assert len({found.tokens([index]) for index in range(len(found))}) > 2, "a mean of means would differ"


@pytest.mark.slow
def test_the_command_shares_the_model_and_saves_the_adapter_once_and_whole(gguf, conversations, tmp_path):  # noqa: F811
    arguments = ["--train", conversations, "--model", gguf, "--out", tmp_path / "out", "--steps", "2", "--shard"]
    run = torchrun("lessons", "chat", *arguments)

    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("nats a token") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert open_chat(gguf, tmp_path / "out").model.get_nb_trainable_parameters()[1]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("lora", "start them with torchrun --nproc-per-node N"),
        ("qlora", "qlora keeps its base in four bits"),
        (Q4_1, f"{Q4_1} keeps its base in four bits"),
    ],
)
def test_what_cannot_be_shared_is_said(method, message, gguf, conversations, tmp_path, capsys):  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert trained(gguf, conversations, tmp_path / "out", "--shard", "--method", method) == 2
    assert message in capsys.readouterr().err


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(distributed.distributed, "init_process_group", lambda backend: taken.append(backend))
    monkeypatch.setattr(distributed.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed.distributed, "destroy_process_group", lambda: taken.append("left"))
    monkeypatch.setattr(distributed.time, "sleep", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")

    with distributed.process_group():
        assert taken == [1, "nccl"]
    assert taken[2:] == ["left", distributed.LEAVING], "gloo's threads end before Python does"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="process 3 of this machine finds 2 GPUs"), distributed.process_group():
        pass
