"""What others may have written is read strictly."""

import pytest

from transformer.learning.reading import parse_json, require_folder


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '"1"'.encode("utf-16"), '"é"'.encode("latin-1"), "{"])
def test_what_is_no_json_in_utf_8_is_refused_with_the_way_out(text):
    with pytest.raises(ValueError, match=r"the config is not valid JSON .*; save it again"):
        parse_json(text, "the config", "save it again")


@pytest.mark.parametrize("text", ['"é"', '"é"'.encode()])
def test_text_and_its_bytes_are_read_alike(text):
    assert parse_json(text, "the config", "save it again") == "é"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_where_a_folder_is_wanted_is_named(tmp_path, place):
    (tmp_path / "file").touch()

    with pytest.raises(ValueError, match=r"/file is a file, and a folder is wanted: name another one"):
        require_folder(tmp_path / place)


def test_a_folder_is_made_with_those_above_it(tmp_path):
    assert require_folder(tmp_path / "a" / "b").is_dir()
