"""What Moodle and Canvas give a teacher to download, read as it comes: a folder or a zip file.

Ada Lovelace_12345_assignsubmission_file_/layer_norm.py      Moodle, "Download submissions in folders"
Ada Lovelace_12345_assignsubmission_file_layer_norm.py       Moodle, without
lovelaceada_LATE_12345_67890_layer_norm-1.py                 Canvas: user, upload, and the number of a second try
ada/workbook/layer_norm.py, ada.zip                          neither: a folder or a zip file for each student

Each student's files are copied into a folder of ours under the exercises' names; a zip file in place of a file is looked
into. A name of theirs is shown, and is never a path.
"""

import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import clean
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.teacher.archives import Member, files_in, members

MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?", re.DOTALL)
CANVAS = re.compile(r"(?P<name>.+?)(?:_LATE)?_(?P<number>\d+)_(?P<upload>\d+)_(?P<file>.+)", re.DOTALL)
SERVICES = {"Moodle": MOODLE, "Canvas": CANVAS}
AGAIN = r"(?:-\d+| ?\(\d+\))?"
"""What platforms and browsers put behind the name of a file that was there already."""


@dataclass
class HandedIn:
    """One student's work, and who they are: `number` is the platform's. `problem` says why nothing of it is read.

    `others`   the names of the files that are no exercise's
    """

    student: str
    place: Path
    number: str = ""
    problem: str = ""
    others: list[str] = field(default_factory=list)


@dataclass
class Download:
    """What was found. `left_out` names what belongs to no student."""

    service: str
    handed_in: list[HandedIn] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def is_download(place: Path) -> bool:
    """A zip file, a folder with a platform's names in it, or one with students' zip files."""
    if place.is_file():
        return True
    names = [path.name for path in place.iterdir() if not path.is_symlink()] if place.is_dir() else []
    zipped = any(path.is_file() for pattern in ("*.zip", "*/*.zip") for path in place.glob(pattern))
    return zipped or any(service.fullmatch(name) for service in SERVICES.values() for name in names)


def read_download(place: Path, scratch: Path, exercises: Sequence[Exercise]) -> Download:
    """Copies each student's files into a folder of their own in `scratch`. Raises ValueError where there are none."""
    if place.is_file() and place.suffix.lower() != ".zip":
        raise ValueError(f"{place} is a file, and a folder or a zip file of submissions is wanted")
    found = without_wrapper(list(members(place) if place.is_file() else files_in(place)), archive=place.is_file())
    service = service_of(member.parts[0] for member in found)
    download = Download(service)
    owners: dict[tuple[str, str], HandedIn] = {}
    for member in found:
        match = SERVICES[service].fullmatch(member.parts[0]) if service else None
        if match is None and (service or not (member.is_read or len(member.parts) > 1)):
            download.left_out += ["/".join(member.parts)] if member.is_read else []
            continue
        who = (match["name"], match["number"]) if match else (student_named(place, member, exercises), "")
        key = ("", who[1]) if match else who
        if key not in owners:
            folder = scratch / f"{len(owners):05}"  # the number is ours
            folder.mkdir(parents=True)
            owners[key] = HandedIn(who[0], folder, who[1])
        alone = len(member.parts) == 1
        last = (match["file"] or "") if match and alone else member.parts[-1]
        if not match and alone and len(exercises) == 1 and last.endswith(".py"):
            last = exercises[0].file_name  # ada.py
        take(owners[key], Member((last,), member.content, member.written), exercises)
    if not owners:
        raise ValueError(f"{place} holds no submissions: see `python -m lessons guide` for what is read")
    download.handed_in = named_apart(list(owners.values()))
    return download


def student_named(place: Path, member: Member, exercises: Sequence[Exercise]) -> str:
    """Where no platform says who. Raises ValueError for an exercise's file beside the students."""
    first, *rest = member.parts
    if not rest and exercises_called(first, exercises):
        raise ValueError(f"{place} holds {first}, and no folder of a student around it: is it one student's work?")
    return first if rest else Path(first).stem


def take(student: HandedIn, member: Member, exercises: Sequence[Exercise], inside: bool = False) -> None:
    """Writes a file that is an exercise's; of two, the later. A zip file is looked into once."""
    (name,) = member.parts
    if name.lower().endswith(".zip"):
        if inside:
            return
        try:
            for file in members(io.BytesIO(member.content)):
                take(student, Member(file.parts[-1:], file.content, file.written), exercises, inside=True)
        except UnreadableSourceError as problem:
            student.problem = f"{clean(name)}: {problem}"
        return
    asked = exercises_called(name, exercises)
    student.others += [] if asked else [clean(name)]
    for exercise in asked:
        path = student.place / exercise.file_name
        if not path.exists() or path.stat().st_mtime <= member.written:
            path.write_bytes(member.content)
            os.utime(path, (member.written, member.written))


def exercises_called(name: str, exercises: Sequence[Exercise]) -> list[Exercise]:
    return [each for each in exercises if re.fullmatch(re.escape(each.name) + AGAIN + r"\.py", name)]


def without_wrapper(found: Sequence[Member], archive: bool) -> list[Member]:
    """Without the one folder around everything that some programs add when they make an archive."""
    inside = [member for member in found if len(member.parts) > 1]
    tops = {member.parts[0] for member in inside}
    inner = {member.parts[1] for member in inside}
    students = {member.parts[1] for member in inside if len(member.parts) > 2}
    one_around = len(tops) == 1 and not any(member.is_read and len(member.parts) == 1 for member in found)
    if one_around and not service_of(tops) and (service_of(inner) or (archive and len(students) > 1)):
        return [Member(member.parts[1:], member.content, member.written) for member in inside]
    return list(found)


def service_of(names: Iterable[str]) -> str:
    """Whose names these are; empty where nobody's. Moodle's are looked for first: they are the more telling ones."""
    names = list(names)
    return next((service for service, form in SERVICES.items() if any(form.fullmatch(name) for name in names)), "")


def named_apart(students: list[HandedIn]) -> list[HandedIn]:
    """Two of one name get the platform's number beside it. Raises ValueError where there is none to tell them apart."""
    shown = [" ".join(clean(each.student).split()) for each in students]
    folded = [name.casefold() for name in shown]
    for each, name in zip(students, shown, strict=True):
        twice = folded.count(name.casefold()) > 1
        if name in ("", ".", "..") or (twice and not each.number):
            raise ValueError(f"{each.student!r} is no name that tells a student from the others: rename it")
        each.student = f"{name} ({each.number})" if twice else name
    return students
