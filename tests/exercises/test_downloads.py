"""What Moodle, Canvas and students hand over, read as it comes; no name in it is ever a path."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.source import LONGEST_FILE
from lessons.exercises.teacher import archives
from lessons.exercises.teacher.downloads import Download, is_download, read_download

EXERCISES = [get("layer_norm"), get("add_norm")]
FOLDERS = "Ada Lovelace_12345_assignsubmission_file_/"
FLAT = "Ada Lovelace_12345_assignsubmission_file_"


def zipped(files: dict[str, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 30, 12, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def read(place: Path, scratch: Path) -> Download:
    assert is_download(place)
    return read_download(place, scratch, EXERCISES)


def read_files(tmp_path: Path, files: dict[str, bytes | str], as_zip: bool) -> Download:
    place = tmp_path / "download.zip" if as_zip else tmp_path / "download"
    if as_zip:
        place.write_bytes(zipped(files))
    for name, content in files.items() if not as_zip else ():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(place, tmp_path / "scratch")


def works(download: Download) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (each.student, each.number): {path.name: path.read_text() for path in each.place.iterdir()}
        for each in download.handed_in
    }


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("folders", [False, True])
def test_moodle(tmp_path: Path, as_zip: bool, folders: bool) -> None:
    start = FOLDERS if folders else FLAT
    files = {
        f"{start}layer_norm.py": "ada",
        f"{start.replace('12345', '777')}layer_norm.py": "another ada",
        f"{start.replace('Ada Lovelace', 'Grace_Hopper_2').replace('12345', '9')}add_norm.py": "grace",
    }
    found = read_files(tmp_path, files, as_zip)
    assert found.service == "Moodle"
    assert works(found) == {
        ("Ada Lovelace (12345)", "12345"): {"layer_norm.py": "ada"},
        ("Ada Lovelace (777)", "777"): {"layer_norm.py": "another ada"},
        ("Grace_Hopper_2", "9"): {"add_norm.py": "grace"},
    }


@pytest.mark.parametrize("as_zip", [False, True])
def test_canvas(tmp_path: Path, as_zip: bool) -> None:
    files = {
        "lovelaceada_12345_67890_layer_norm.py": "first",
        "lovelaceada_LATE_12345_67899_layer_norm-1.py": "second",
        "lovelaceada_12345_67891_add_norm.py": "ada",
        "hoppergrace_LATE_77_5_layer_norm (2).py": "grace",
        "notes.py": "nobody's",
    }
    found = read_files(tmp_path, files, as_zip)
    assert found.service == "Canvas"
    assert found.left_out == ["notes.py"]
    assert works(found) == {
        ("lovelaceada", "12345"): {"layer_norm.py": "second", "add_norm.py": "ada"},
        ("hoppergrace", "77"): {"layer_norm.py": "grace"},
    }


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("start", [FOLDERS, "lovelaceada_12345_67890_", "ada/"])
def test_who_handed_in_nothing_that_is_asked_for_stays_in_the_class(tmp_path: Path, start: str, as_zip: bool) -> None:
    other = {FOLDERS: "Bob_6_assignsubmission_file_/", "ada/": "bob/"}.get(start, "bob_6_7_")
    files = {f"{start}notes.txt": "no time", f"{start}layer_norm.py.txt": "x", f"{start}my_norm.py": "y"}
    files |= {f"{other}a.zip": zipped({"layer_norm.py": "bob", "readme.md": ""}), "about.txt": "nobody's"}
    nothing, bob = sorted(
        read_files(tmp_path, files, as_zip).handed_in, key=lambda each: len(each.others), reverse=True
    )
    assert (list(nothing.place.iterdir()), sorted(nothing.others)) == (
        [],
        ["layer_norm.py.txt", "my_norm.py", "notes.txt"],
    )
    assert ([path.name for path in bob.place.iterdir()], bob.others) == (["layer_norm.py"], ["readme.md"])


def test_a_class_in_one_folder_in_a_zip_file_is_no_student(tmp_path: Path) -> None:
    files = {f"homework/{name}/workbook/layer_norm.py": name for name in ("ada", "bob")}
    assert [each.student for each in read_files(tmp_path, files, as_zip=True).handed_in] == ["ada", "bob"]


def test_one_students_files_without_a_folder_are_not_taken_for_students(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds layer_norm\.py.*one student's work"):
        read_files(tmp_path, {"layer_norm.py": "ada", "add_norm.py": "ada"}, as_zip=True)


def test_a_file_for_each_student_of_one_exercise_is_read_from_a_zip_file_too(tmp_path: Path) -> None:
    (tmp_path / "download.zip").write_bytes(zipped({"ada.py": "ada", "bob.py": "bob"}))
    found = read_download(tmp_path / "download.zip", tmp_path / "scratch", EXERCISES[:1])
    assert works(found) == {("ada", ""): {"layer_norm.py": "ada"}, ("bob", ""): {"layer_norm.py": "bob"}}


@pytest.mark.parametrize("start", [FOLDERS, FLAT, "lovelaceada_12345_67890_", "ada/", "homework/lovelaceada_1_2_"])
def test_a_zip_file_that_a_student_made_is_looked_into(tmp_path: Path, start: str) -> None:
    inner = zipped({"workbook/layer_norm.py": "ada", "__MACOSX/workbook/._layer_norm.py": "no text"})
    ((who, work),) = works(read_files(tmp_path, {f"{start}workbook.zip": inner}, as_zip=True)).items()
    assert work == {"layer_norm.py": "ada"}
    assert who in {("Ada Lovelace", "12345"), ("lovelaceada", "12345"), ("ada", ""), ("lovelaceada", "1")}


@pytest.mark.parametrize(
    "name", ["../x/layer_norm.py", "/tmp/layer_norm.py", "C:\\layer_norm.py", "a\\..\\layer_norm.py"]
)
def test_a_zip_file_that_leads_out_is_refused_and_only_its_student_hears_of_it(tmp_path: Path, name: str) -> None:
    files = {f"{FLAT}a.zip": zipped({name: "evil"}), f"{FLAT.replace('12345', '2')}layer_norm.py": "right"}
    found = read_files(tmp_path, files, as_zip=True)
    evil, right = found.handed_in
    assert "leads out" in evil.problem
    assert not right.problem
    assert list(evil.place.iterdir()) == []
    assert [path.name for path in right.place.iterdir()] == ["layer_norm.py"]
    with pytest.raises(ValueError, match="leads out"):
        read_files(tmp_path, {name: "evil"}, as_zip=True)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    files = {f"{FLAT}a.zip": zipped({"layer_norm.py": b"\n" * (LONGEST_FILE * 50)})}
    (evil,) = read_files(tmp_path, files, as_zip=True).handed_in
    assert f"more than {LONGEST_FILE} bytes" in evil.problem
    assert list(evil.place.iterdir()) == []


def test_there_is_an_end_to_files_and_to_all_of_them_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{FLAT}{name}": "x" * 10 for name in ("layer_norm.py", "add_norm.py")}
    monkeypatch.setattr(archives, "LONGEST_WHOLE", 15)
    with pytest.raises(ValueError, match="more than 5 bytes"):
        read_files(tmp_path, files, as_zip=True)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(ValueError, match="2 files; 1 are the most"):
        read(tmp_path / "download.zip", tmp_path / "again")


def test_a_zip_file_in_a_zip_file_in_a_zip_file_stays_shut(tmp_path: Path) -> None:
    deep = zipped({"b.zip": zipped({"layer_norm.py": "deep"})})
    (only,) = read_files(tmp_path, {f"{FLAT}a.zip": deep}, as_zip=True).handed_in
    assert list(only.place.iterdir()) == []


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 no zip", zipped({"layer_norm.py": "x" * 99})[:-30]])
def test_a_broken_zip_file_is_said(tmp_path: Path, broken: bytes) -> None:
    (only,) = read_files(tmp_path, {f"{FLAT}a.zip": broken}, as_zip=True).handed_in
    assert "a.zip: the zip file cannot be read" in only.problem


@pytest.mark.parametrize("name", ["..", "\x07", "."])
def test_a_name_that_is_nobodys_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "download.zip").write_bytes(zipped({f"{name}_1_assignsubmission_file_layer_norm.py": "x"}))
    with pytest.raises(ValueError, match=r"no name|leads out"):
        read(tmp_path / "download.zip", tmp_path / "scratch")


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("the teacher's")
    folder = tmp_path / "download" / FOLDERS
    folder.mkdir(parents=True)
    os.symlink(tmp_path / "secret.py", folder / "layer_norm.py")
    with pytest.raises(ValueError, match="no submissions"):
        read(tmp_path / "download", tmp_path / "scratch")


def test_an_ordinary_folder_is_no_download(tmp_path: Path) -> None:
    (tmp_path / "ada_2" / "workbook").mkdir(parents=True)
    (tmp_path / "ada_2" / "workbook" / "layer_norm.py").write_text("")
    assert not is_download(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match="a folder or a zip file"):
        read(tmp_path / "notes.txt", tmp_path / "scratch")
