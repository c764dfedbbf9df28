"""An adapter's folder: one save after every kill, inside the folder that was asked for, on the base it was trained on."""

import errno
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.frame.adapter import misfits
from peft.frame.config import CONFIGS
from peft.frame.fingerprint import fingerprint
from peft.frame.names import check_name
from peft.frame.saving import config_from_json
from quant import quantize_model
from tests.kills import killed_at_every_call, killed_at_random, no_waiting_for_the_disk
from tests.peft.small import batch, small_base

FILES = ["adapter_config.json", "adapter_model.safetensors"]
QUIET = pytest.mark.filterwarnings("ignore:.* is of an older save than")
FAST = pytest.mark.usefixtures(no_waiting_for_the_disk.__name__)


def adapter(seed: int, **settings: object) -> PeftModel:
    base = small_base()
    torch.manual_seed(seed)
    settings = {"r": 2, "lora_alpha": 3, "init_lora_weights": False} | settings
    return get_peft_model(base, LoraConfig(**settings)).eval()


def said_by(folder: Path) -> torch.Tensor:
    return PeftModel.from_pretrained(small_base(), folder)(*batch())


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Other layouts in memory may add in another order."""
    return torch.allclose(a, b, atol=1e-5)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@QUIET
@FAST
@pytest.mark.parametrize("changes", [{}, {"lora_alpha": 50}, {"r": 4}], ids=["same config", "another alpha", "rank"])
def test_an_adapter_folder_is_the_old_one_or_the_new_one_at_every_call(tmp_path: Path, changes: dict) -> None:
    old, new = adapter(1), adapter(2, **changes)
    said = [model(*batch()) for model in (old, new)]
    (tmp_path / "README.md").write_text("the user's own")
    (tmp_path / "another").mkdir()
    found = []

    for _ in killed_at_every_call(lambda: old.save_pretrained(tmp_path), lambda: new.save_pretrained(tmp_path)):
        loaded = said_by(tmp_path)
        found.append([same(loaded, output) for output in said])

    assert len(found) > 5
    assert found == sorted(found, reverse=True), "the old one, and from one call on the new one"
    assert all(sorted(each) == [False, True] for each in found)
    old.save_pretrained(tmp_path)
    assert names_in(tmp_path) == sorted(["README.md", "another", *FILES])
    assert same(said_by(tmp_path), said[0])


@QUIET
@FAST
@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_an_adapter_folder_after_kills_at_random(tmp_path: Path, count: int) -> None:
    models = [adapter(1), adapter(2, lora_alpha=50)]
    said = [model(*batch()) for model in models]

    def save_both() -> None:
        for model in models:
            model.save_pretrained(tmp_path)

    save_both()
    for _ in killed_at_random(count, save_both, longest=0.02):
        loaded = said_by(tmp_path)
        assert any(same(loaded, output) for output in said)
    save_both()
    assert names_in(tmp_path) == FILES


def test_a_folder_without_anything_of_ours_is_loaded_with_a_word_about_its_base(tmp_path: Path) -> None:
    model = adapter(1)
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / FILES[0]).read_text())
    del config["finetune_by_hand"]
    (tmp_path / FILES[0]).write_text(json.dumps(config))

    with pytest.warns(UserWarning, match="does not say on which base it was trained"):
        loaded = PeftModel.from_pretrained(small_base(), tmp_path)

    assert same(loaded(*batch()), model(*batch()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PeftModel.from_pretrained(small_base(), tmp_path, check_base=False)


@pytest.mark.parametrize("its_format", [{"format": 1}, {}], ids=["format 1", "no format"])
def test_an_old_fingerprint_is_not_taken_for_another_base(tmp_path: Path, its_format: dict) -> None:
    adapter(1).save_pretrained(tmp_path)
    config = json.loads((tmp_path / FILES[0]).read_text())
    config["finetune_by_hand"] = its_format | {"base": "74d98a5642711696"}
    (tmp_path / FILES[0]).write_text(json.dumps(config))

    with pytest.raises(ValueError, match=r"saved by an older version .* cannot be told.* check_base=False"):
        PeftModel.from_pretrained(small_base(), tmp_path)
    PeftModel.from_pretrained(small_base(), tmp_path, check_base=False)


@pytest.mark.parametrize("value", [None, False, "", 0, "none", {}, []], ids=repr)
def test_a_field_that_we_lack_may_be_off(value: object) -> None:
    values = {"peft_type": "LORA", "r": 2, "unheard_of": value}
    assert config_from_json(values, Path(FILES[0])) == LoraConfig(r=2)


@pytest.mark.parametrize("value", [True, 1, "all", {"fc1": 1}, ["fc1"]], ids=repr)
def test_a_field_that_we_lack_may_not_be_on(value: object) -> None:
    with pytest.raises(ValueError, match="sets unheard_of, which LoraConfig does not have"):
        config_from_json({"peft_type": "LORA", "r": 2, "unheard_of": value}, Path(FILES[0]))


def test_what_counts_only_beside_another_field_is_passed_over() -> None:
    values = {"peft_type": "LORA", "r": 2, "megatron_core": "megatron.core", "qalora_group_size": 16}
    assert config_from_json(values, Path(FILES[0])) == LoraConfig(r=2)


def test_a_pickle_beside_the_tensors_does_no_harm(tmp_path: Path) -> None:
    model = adapter(1)
    model.save_pretrained(tmp_path)
    (tmp_path / "adapter_model.bin").touch()
    assert same(said_by(tmp_path), model(*batch()))


@pytest.mark.parametrize("is_trainable", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_a_loaded_adapter_is_in_evaluation_mode_unless_it_is_to_be_trained(
    tmp_path: Path, is_trainable: bool, training: bool
) -> None:
    adapter(1).save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base().train(training), tmp_path, is_trainable=is_trainable)
    assert loaded.encoder.training is (is_trainable and training)
    assert any(parameter.requires_grad for parameter in loaded.parameters()) is is_trainable


def test_an_adapter_that_is_loaded_beside_another_says_what_it_said(tmp_path: Path) -> None:
    saved, model = adapter(1), adapter(2)
    saved.save_pretrained(tmp_path)

    model.load_adapter(tmp_path, "second")
    model.set_adapter("second")

    assert same(model(*batch()), saved(*batch()))


@pytest.mark.parametrize(("name", "value"), [("modules_to_save", ("decoder.norm",)), ("trainable_token_indices", (3,))])
def test_what_is_trained_besides_stands_in_the_config_or_null(tmp_path: Path, name: str, value: tuple) -> None:
    for settings, written in (({}, None), ({name: value}, list(value))):
        adapter(1, **settings).save_pretrained(tmp_path)
        assert json.loads((tmp_path / FILES[0]).read_text())[name] == written


def test_a_field_that_must_be_given_and_is_not_is_named() -> None:
    @dataclass(frozen=True)
    class NeedyConfig(PeftConfig):
        width: int
        peft_type: ClassVar[str] = "NEEDY"

    try:
        with pytest.raises(ValueError, match=r"adapter_config.json lacks width"):
            config_from_json({"peft_type": "NEEDY"}, Path(FILES[0]))
    finally:
        del CONFIGS["NEEDY"]


IMPOSSIBLE = [
    "",
    ".",
    "..",
    "a.b",
    "/tmp/away",
    "a/b",
    "..\\away",
    "c:",
    "a\0b",
    "a\nb",
    " a",
    "a ",
    "\ud800",
    "é" * 101,
]
IMPOSSIBLE += ["__base__", "NUL", "com1", "keys", "training", "_modules"]


def test_a_name_may_have_a_hundred_letters() -> None:
    check_name("é" * 100)


@pytest.mark.parametrize("name", IMPOSSIBLE, ids=ascii)
def test_a_name_that_could_leave_its_folder_is_refused_wherever_it_enters(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    model, base = adapter(1), small_base()
    model.save_pretrained(folder)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(ValueError, match="cannot be an adapter's name"):
        get_peft_model(base, LoraConfig(), name)
    with pytest.raises(ValueError, match="cannot be an adapter's name"):
        model.add_adapter(name, LoraConfig())
    with pytest.raises(ValueError, match="cannot be an adapter's name"):
        PeftModel.from_pretrained(base, folder, name)
    with pytest.raises(ValueError, match="cannot be an adapter's name"):
        model.load_adapter(folder, name)
    with pytest.raises(ValueError, match="cannot be an adapter's name"):
        model.add_weighted_adapter(["default"], [1.0], name)
    if name not in ("keys", "training", "_modules", ""):
        model.adapters._modules[name] = model.adapters["default"]
        with pytest.raises(ValueError, match="cannot be an adapter's name"):
            model.save_pretrained(folder)

    assert sorted(tmp_path.rglob("*")) == before
    assert all(parameter.requires_grad for parameter in base.parameters())


@pytest.mark.parametrize("name", ["a", "british", "cmu-2", "a+b", "with spaces", "发音", "é" * 100])
def test_a_good_name_is_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    model = adapter(1)
    model.add_adapter(name, LoraConfig(r=1))

    model.save_pretrained(tmp_path)

    assert names_in(tmp_path / name) == FILES


@pytest.mark.parametrize("file", FILES)
def test_a_full_disk_names_the_file_and_leaves_the_old_adapter_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    old = adapter(1)
    old.save_pretrained(tmp_path)
    really_open = Path.open

    def full(path: Path, mode: str = "r", **named: object):
        if file in path.name and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return really_open(path, mode, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path / file}'") as error:
        adapter(2, lora_alpha=50).save_pretrained(tmp_path)
    monkeypatch.undo()

    assert error.value.errno == errno.ENOSPC
    assert names_in(tmp_path) == FILES
    assert same(said_by(tmp_path), old(*batch()))


def test_all_that_does_not_fit_is_listed_by_name() -> None:
    names = [[f"{kind}{number}" for number in range(9)] for kind in "abcd"]
    missing, unknown, longer, whole = names
    wanted = {name: torch.zeros(2) for name in reversed(missing + longer + whole)}
    tensors = {name: torch.zeros(3) for name in reversed(unknown + longer)}
    tensors |= {name: torch.zeros(2, dtype=torch.int) for name in reversed(whole)}

    problems = misfits(tensors, wanted)

    assert [re.search(r"[a-d]\d", problem)[0] for problem in problems] == [*missing, *unknown, *longer, *whole]


def test_the_fingerprint_sees_every_value_of_every_tensor() -> None:
    base = small_base()
    prints = {fingerprint(base)}
    chosen = torch.Generator().manual_seed(0)
    for parameter in base.parameters():
        place = torch.randint(parameter.numel() - 1, (1,), generator=chosen)
        for index in (int(place), parameter.numel() - 1):
            with torch.no_grad():
                before = parameter.view(-1)[index].clone()
                parameter.view(-1)[index] += 1
            prints.add(fingerprint(base))
            with torch.no_grad():
                parameter.view(-1)[index] = before

    assert len(prints) == 1 + 2 * len(list(base.parameters()))
    assert fingerprint(base) in prints


def test_the_fingerprint_is_the_same_in_other_types_and_sees_shapes() -> None:
    base = small_base()
    wanted = fingerprint(small_base())

    assert fingerprint(small_base().bfloat16()) == wanted
    assert fingerprint(small_base().double()) == wanted
    base.encoder.layers[0].feed_forward.fc1.weight.data = base.encoder.layers[0].feed_forward.fc1.weight.data.T
    assert fingerprint(base) != wanted


def test_the_fingerprint_sees_the_last_bit_of_a_large_whole_number() -> None:
    base = small_base()
    prints = set()
    for number in (1000, 1001):
        base.encoder.register_buffer("counted", torch.tensor([number]))
        prints.add(fingerprint(base))

    assert len(prints) == 2


@pytest.mark.parametrize("name", ["codes", "codebook", "scales"])
def test_the_fingerprint_of_four_bits_sees_what_the_weight_is_made_of(name: str) -> None:
    base = quantize_model(small_base(), double_quant=False)
    before = fingerprint(base)
    layer = base.encoder.layers[0].feed_forward.fc1

    getattr(layer, name)[-1] += 1

    assert fingerprint(base) != before


def test_the_fingerprint_of_four_bits_does_not_hang_on_the_last_bit_of_a_sum() -> None:
    base = quantize_model(small_base())
    before = fingerprint(base)

    constants = base.encoder.layers[0].feed_forward.fc1.scale_constants
    constants.copy_(torch.nextafter(constants, constants + 1))

    assert fingerprint(base) == before


def test_the_fingerprint_with_an_adapter_on_it_is_the_bases(tmp_path: Path) -> None:
    model = adapter(1)
    with model.disable_adapter():
        assert fingerprint(model.base_model) == fingerprint(small_base())


def test_a_second_adapter_is_loaded_on_its_own_base_or_if_nobody_asks(tmp_path: Path) -> None:
    adapter(1).save_pretrained(tmp_path)
    other = get_peft_model(small_base(seed=5), LoraConfig(r=1))

    with pytest.raises(ValueError, match="was trained on another base"):
        other.load_adapter(tmp_path, "second")
    other.load_adapter(tmp_path, "second", check_base=False)

    assert list(other.adapters) == ["default", "second"]


def counting(d_in: int, d_out: int, name: str = "linear") -> nn.Module:
    """A base of the numbers 0, 1, 2, ..."""
    model = nn.ModuleDict({name: nn.Linear(d_in, d_out, bias=False)})
    model[name].weight.data = torch.arange(d_in * d_out, dtype=torch.float).reshape(d_out, d_in)
    return model


def test_the_fingerprint_of_a_base_stays_what_it_is_in_the_folders_there_are() -> None:
    base = counting(2, 3)
    base.register_buffer("made_anew", torch.ones(2), persistent=False)
    assert fingerprint(base) == "018510a43e8e5695"


def test_the_fingerprint_sees_names_and_shapes_of_the_same_numbers() -> None:
    assert len({fingerprint(counting(2, 3)), fingerprint(counting(3, 2)), fingerprint(counting(2, 3, "other"))}) == 3
