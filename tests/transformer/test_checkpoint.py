"""Checkpoints: what is saved comes back, and nothing that goes wrong harms what was there."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from inspect import unwrap
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from peft import LoraConfig, PromptTuningConfig, get_peft_model
from quant import quantize_model
from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET
from transformer import DecoderOnly, EncoderOnly, MaskedWordHead, Transformer, load_model, save_model
from transformer.learning import checkpoint, formats
from transformer.learning.checkpoint import load_state
from transformer.learning.files import is_running
from transformer.learning.formats import read_json, read_tensors, write_bytes, write_json, write_tensors

ROOT = Path(__file__).resolve().parents[2]
KINDS = pytest.mark.parametrize(
    "changes", [{}, {"norm": "pre", "positions": "learned", "tie_embeddings": False}], ids=["paper", "pre"]
)


@KINDS
def test_what_is_saved_comes_back_to_the_bit(tmp_path, changes):
    model = small.model(**changes).float()

    save_model(model, tmp_path / "new" / "folder")
    loaded = load_model(tmp_path / "new" / "folder")

    assert loaded.config == model.config
    assert not loaded.training
    assert torch.equal(loaded(SOURCE, TARGET), model(SOURCE, TARGET))
    assert (loaded.output.weight is loaded.source_embedding.weight) == model.config.tie_embeddings


def test_a_folder_holds_json_and_safetensors_and_a_tied_matrix_once(tmp_path):
    save_model(small.model(), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((tmp_path / "config.json").read_text()) == small.CONFIG.to_dict()
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        tied = [name for name in file.keys() if "embedding" in name or "output" in name]  # noqa: SIM118
        assert len(tied) == 1
        assert file.metadata() == {"format": "pt"}


def test_a_file_of_bf16_fills_a_model_of_fp32(tmp_path):
    model = small.model().bfloat16()
    save_model(model, tmp_path)

    loaded = load_model(tmp_path)

    assert loaded.output.weight.dtype == torch.float32
    assert torch.equal(loaded.output.weight, model.output.weight.float())


@pytest.mark.parametrize("kind", ["encoder", "encoder with a head", "decoder"])
def test_a_model_of_one_stack_comes_back_as_what_it_was(tmp_path, kind):
    layers = {"num_encoder_layers": 0} if kind == "decoder" else {"num_decoder_layers": 0}
    config = replace(small.CONFIG, **layers)
    head = MaskedWordHead(config) if kind == "encoder with a head" else None
    model = (DecoderOnly(config) if kind == "decoder" else EncoderOnly(config, head)).float().eval()

    save_model(model, tmp_path)
    loaded = load_model(tmp_path)

    assert type(loaded) is type(model)
    assert torch.equal(loaded(SOURCE), model(SOURCE))


def test_an_encoder_with_a_head_that_could_not_be_made_again_is_not_saved(tmp_path):
    config = replace(small.CONFIG, num_decoder_layers=0)

    with pytest.raises(TypeError, match="MaskedWordHead or none, not Linear"):
        save_model(EncoderOnly(config, nn.Linear(config.d_model, 2)), tmp_path)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: get_peft_model(small.model(), LoraConfig()), "a model itself, not a PeftModel: merge or unload"),
        (
            lambda: get_peft_model(small.model(), LoraConfig()).base_model,
            "could not make .* again: missing .* more: merge",
        ),
        (
            lambda: get_peft_model(small.model(), PromptTuningConfig(num_virtual_tokens=2)).base_model,
            "could not make .* again: unknown",
        ),
        (lambda: quantize_model(small.model()), "could not make .* again: missing .*linear ones again"),
    ],
    ids=["adapted", "inside", "prompted", "quantized"],
)
def test_what_could_not_be_loaded_again_is_refused_before_anything_is_written(tmp_path, make, message):
    save_model(small.model(), tmp_path)
    before = [path.read_bytes() for path in tmp_path.iterdir()]

    with pytest.raises(TypeError, match=message):
        unwrap(save_model)(make(), tmp_path)
    with pytest.raises(TypeError, match=message):
        unwrap(save_model)(make(), tmp_path / "new")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == before


@pytest.mark.parametrize(("kind", "without"), [(Transformer, ""), (DecoderOnly, "encoder"), (EncoderOnly, "decoder")])
def test_saving_draws_no_random_number(tmp_path, kind, without):
    model = kind(replace(small.CONFIG, **({f"num_{without}_layers": 0} if without else {})))
    before = torch.get_rng_state()

    save_model(model, tmp_path)

    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_whose_adapter_was_merged_is_saved(tmp_path):
    merged = get_peft_model(small.model(), LoraConfig()).merge_and_unload().eval()

    save_model(merged, tmp_path)

    assert torch.equal(load_model(tmp_path)(SOURCE, TARGET), merged.float()(SOURCE, TARGET))


def test_a_kind_of_model_that_is_not_known_is_refused(tmp_path):
    save_model(small.model(), tmp_path)
    write_json(tmp_path / "config.json", small.CONFIG.to_dict() | {"model": "Mamba"})

    with pytest.raises(ValueError, match="of a model 'Mamba'; known are Transformer, EncoderOnly, DecoderOnly"):
        load_model(tmp_path)


def edited(folder: Path, edit) -> Path:
    """A saved model whose tensors went through `edit`."""
    save_model(small.model(), folder)
    tensors, _ = read_tensors(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def rename(tensors: dict) -> None:
    tensors["decoder.layers.0.feed_forward.fc9.bias"] = tensors.pop("decoder.layers.0.feed_forward.fc1.bias")


def reshape(tensors: dict) -> None:
    tensors["encoder.layers.0.feed_forward.fc1.weight"] = torch.zeros(12, 20)


@pytest.mark.parametrize(
    ("edit", "messages"),
    [
        (rename, ["missing decoder.layers.0.feed_forward.fc1.bias", "unknown decoder.layers.0.feed_forward.fc9.bias"]),
        (reshape, ["encoder.layers.0.feed_forward.fc1.weight is (12, 20), the model's is (20, 12)"]),
        (lambda tensors: tensors.clear(), ["the longest side of a tensor is 0"]),
    ],
    ids=["names", "shape", "empty"],
)
def test_a_file_that_does_not_fit_is_refused_with_every_reason(tmp_path, edit, messages):
    with pytest.raises(ValueError, match="does not fit this model") as error:
        load_model(edited(tmp_path, edit))

    assert all(message in str(error.value) for message in messages)
    assert str(tmp_path / "model.safetensors") in str(error.value)


def test_a_file_of_one_number_is_not_spread_over_a_matrix(tmp_path):
    with pytest.raises(ValueError, match=r"is \(1,\), the model's is \(12,\)"):
        load_model(
            edited(tmp_path, lambda tensors: tensors.update({"encoder.layers.0.feed_forward.fc2.bias": torch.ones(1)}))
        )


def test_a_state_that_does_not_fit_changes_nothing():
    model = small.model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    half = {"encoder.layers.0.self_attention.q_proj.bias": torch.zeros(12)}

    with pytest.raises(ValueError, match="missing"):
        load_state(model, half, "half.safetensors")

    small.assert_equal(before, model.state_dict(), atol=0.0, rtol=0.0)


@pytest.mark.parametrize("keep", [0, 5, 200, 0.5, 0.999])
def test_a_truncated_file_is_named_and_so_is_the_way_out(tmp_path, keep):
    save_model(small.model(), tmp_path)
    path = tmp_path / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])

    with pytest.raises(ValueError, match=rf"{path} is no whole safetensors file.*may be truncated: make it again"):
        load_model(tmp_path)


def test_a_pickle_is_never_opened(tmp_path):
    save_model(small.model(), tmp_path)
    torch.save(small.model().state_dict(), tmp_path / "model.safetensors")

    with pytest.raises(ValueError, match="is no whole safetensors file"):
        load_model(tmp_path)


def test_a_config_that_is_no_json_is_named(tmp_path):
    save_model(small.model(), tmp_path)
    (tmp_path / "config.json").write_text('{"vocab_size": 1')

    with pytest.raises(ValueError, match=r"config.json is not valid JSON.*may be truncated: make it again"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    save_model(small.model(), tmp_path)
    (tmp_path / name).unlink()

    with pytest.raises(FileNotFoundError, match=f"there is no file {tmp_path / name}"):
        load_model(tmp_path)


class FullDisk:
    """An open file whose disk has no room left after a few bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data: bytes) -> None:
        self.file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("write", [write_tensors, write_json], ids=["tensors", "json"])
def test_a_full_disk_leaves_the_old_file_whole_and_no_rest_behind(tmp_path, monkeypatch, write):
    old, new = ({"a": torch.full((3,), value)} if write is write_tensors else {"a": value} for value in (1.0, 2.0))
    path = tmp_path / "file"
    write(path, old)
    before = path.read_bytes()
    really_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode="r", **more: FullDisk(really_open(self, mode, **more)))

    with pytest.raises(OSError, match="No space left on device"):
        write(path, new)

    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from transformer.learning.formats import write_bytes
Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
write_bytes(Path(sys.argv[1]), b"new" * 1000)
"""


def test_a_kill_before_the_file_takes_its_name_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    run = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)

    assert run.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_bytes(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    seen = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (sync(file), seen.append(path.read_bytes())))

    write_bytes(path, b"new")

    assert seen == [b"old"]
    assert path.read_bytes() == b"new"


def test_json_keeps_letters_readable(tmp_path):
    write_json(tmp_path / "sounds.json", {"bath": "bˈɑθ"})

    assert "bˈɑθ" in (tmp_path / "sounds.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "sounds.json") == {"bath": "bˈɑθ"}


def test_json_that_json_has_no_word_for_is_not_written(tmp_path):
    write_json(tmp_path / "report.json", {"error": 0.5})
    with pytest.raises(ValueError, match=r"report\.json is not written: a number in it is NaN or infinite"):
        write_json(tmp_path / "report.json", {"error": float("nan")})
    assert read_json(tmp_path / "report.json") == {"error": 0.5}


def test_json_is_indented_and_ends_with_its_line(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1]})

    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'


def test_a_json_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "LARGEST_JSON", 4)
    (tmp_path / "small.json").write_text("1234")
    (tmp_path / "large.json").write_text("12345")

    assert read_json(tmp_path / "small.json") == 1234
    with pytest.raises(ValueError, match="has 5 bytes; 4 are the most"):
        read_json(tmp_path / "large.json")


def test_one_number_that_is_none_is_enough_to_refuse_a_file(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"whole": torch.ones(2), "broken": torch.tensor([1.0, float("nan")])})

    with pytest.raises(ValueError, match="holds NaN or infinite numbers in broken"):
        read_tensors(tmp_path / "a.safetensors")


def test_a_parameter_that_lies_across_is_written_as_it_is(tmp_path):
    across = nn.Parameter(torch.arange(6.0).view(2, 3).T)

    write_tensors(tmp_path / "a.safetensors", {"w": across})

    assert torch.equal(read_tensors(tmp_path / "a.safetensors")[0]["w"], across)


def test_what_does_not_fit_is_named_in_the_order_of_the_names():
    wanted = dict.fromkeys("hgfedcba", torch.ones(1))
    model = nn.ParameterDict({name: nn.Parameter(tensor) for name, tensor in wanted.items()})

    for tensors, problem in [
        ({}, "missing {}"),
        (wanted | {f"z{name}": torch.ones(1) for name in wanted}, "unknown z{}"),
        (dict.fromkeys(wanted, torch.ones(2)), "{} is (2,), the model's is (1,)"),
    ]:
        with pytest.raises(ValueError, match="does not fit") as refused:
            load_state(model, tensors, "file")
        assert str(refused.value).endswith("; ".join(problem.format(name) for name in sorted(wanted)))


def test_the_state_of_a_model_is_no_part_of_a_graph():
    assert not any(tensor.requires_grad for tensor in checkpoint.distinct_state(nn.Linear(2, 2)).values())


def test_the_disk_is_asked_to_keep_what_has_left_our_own_buffer(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(os, "fsync", lambda number: kept.append(os.fstat(number).st_size))

    write_bytes(tmp_path / "file", b"written")

    assert kept == [len(b"written")]


def test_only_what_a_write_names_so_is_a_leftover(tmp_path):
    others = [tmp_path / f".file.{ending}.part" for ending in ("7.mine", "mine.7", "mine")]
    for path in (*others, tmp_path / f".file.7.{2**22 + 1}.part"):
        path.write_bytes(b"")

    write_bytes(tmp_path / "file", b"")

    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "file"])


@pytest.mark.parametrize(("answer", "running"), [(None, True), (PermissionError, True), (ProcessLookupError, False)])
def test_a_process_is_asked_whether_it_runs_and_nothing_else(answer, running, monkeypatch):
    asked = []

    def kill(process: int, number: int) -> None:
        asked.append((process, number))
        if answer:
            raise answer

    monkeypatch.setattr(os, "kill", kill)

    assert is_running(7) == running
    assert asked == [(7, 0)]


def test_where_it_is_not_safe_to_ask_a_process_may_be_running(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")

    assert is_running(2**22 + 1)
