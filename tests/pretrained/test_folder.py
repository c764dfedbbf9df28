"""The files of a Hugging Face folder: whole, in shards, or refused. Nothing is ever unpickled."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from transformer.pretrained import load_pretrained
from transformer.pretrained.folder import check_sizes


@pytest.fixture
def shards(make_folder):
    """A folder whose tensors stand in two files; gives it and its weight_map."""
    folder, tensors = make_folder("BertModel")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(tensors)}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name, place in places.items() if place == shard}, folder / shard)
    write_index(folder, places)
    return folder, places


def write_index(folder, places):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), encoding="utf-8")


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
def test_a_pickle_is_refused_with_a_reason_and_never_opened(name, make_folder):
    folder, _ = make_folder("BertModel")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Trap(folder / "sprung")))

    with pytest.raises(ValueError, match=r"pytorch_model.*, a pickle: .*save_pretrained"):
        load_pretrained(folder)

    assert not (folder / "sprung").exists()


def test_beside_safetensors_a_pickle_does_not_matter(make_folder):
    folder, _ = make_folder("BertModel")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder / "sprung")))

    load_pretrained(folder)

    assert not (folder / "sprung").exists()


def test_shards_load_like_one_file(shards):
    folder, places = shards

    model = load_pretrained(folder)

    assert len(set(places.values())) == 2
    assert model.config.d_model == 8


def test_a_missing_shard_is_named(shards):
    folder, _ = shards
    (folder / "model-00002-of-00002.safetensors").unlink()

    with pytest.raises(FileNotFoundError, match="names 2 files; missing are model-00002-of-00002"):
        load_pretrained(folder)


def test_missing_shards_are_named_in_the_order_of_their_names(shards):
    folder, places = shards
    wanted = [f"{letter}.safetensors" for letter in "abcdefgh"]
    write_index(folder, dict(zip(places, reversed(wanted), strict=False)))

    with pytest.raises(FileNotFoundError) as error:
        load_pretrained(folder)

    positions = [str(error.value).index(name) for name in wanted]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..\\model", "..", ""]
)
def test_an_index_that_leads_out_of_the_folder_is_refused(name, shards):
    folder, places = shards
    write_index(folder, dict.fromkeys(places, name))

    with pytest.raises(ValueError, match="outside its folder"):
        load_pretrained(folder)


def test_an_index_and_its_shards_must_agree(shards):
    folder, places = shards
    write_index(folder, places | {"embeddings.position_ids": "model-00001-of-00002.safetensors"})

    with pytest.raises(ValueError, match=r"the index differ in \['embeddings\.position_ids'\]"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    "index", [{"weight_map": {"a": 1}}, {"weight_map": {"a": "b", "c": 1}}, {"weight_map": []}, []]
)
def test_an_index_of_another_form_is_refused(index, shards):
    folder, _ = shards
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    with pytest.raises(
        ValueError, match=r"has no weight_map from tensors to file names|must hold an object, not a list"
    ):
        load_pretrained(folder)


def test_a_side_may_be_of_length_1_and_as_long_as_the_longest():
    tensors = {"a": torch.zeros(1, 4)}

    check_sizes({"d_model": 1, "n_inner": 4}, tensors, Path("config.json"))

    with pytest.raises(ValueError, match=r"config\.json says n_inner 5; the longest side of a tensor beside it is 4"):
        check_sizes({"n_inner": 5}, tensors, Path("config.json"))


def test_a_truncated_file_is_no_whole_file(make_folder):
    folder, _ = make_folder("BertModel")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(ValueError, match="no whole safetensors file"):
        load_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_says_which(name, make_folder):
    folder, _ = make_folder("BertModel")
    (folder / name).unlink()

    with pytest.raises(FileNotFoundError, match=name):
        load_pretrained(folder)
