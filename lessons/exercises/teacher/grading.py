"""`grade`: from what a class handed in to its tables."""

import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from lessons.exercises.assignment import Assignment, assigned
from lessons.exercises.grading import tree
from lessons.exercises.grading.result import NOT_GRADED
from lessons.exercises.grading.sandbox import trial
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.wording import MARKS, WITHOUT_WALL
from lessons.exercises.teacher.downloads import Download, HandedIn, is_download, read_download
from lessons.exercises.teacher.grade import Grade, Rules, grades_of
from lessons.exercises.teacher.lateness import days_late, read_times
from lessons.exercises.teacher.platforms import write_for_platform
from lessons.exercises.teacher.similarity import write_similarity
from lessons.exercises.teacher.statistics import write_statistics
from lessons.exercises.teacher.submissions import submissions
from lessons.exercises.teacher.tables import folder_names, write_results, write_student, write_tables
from lessons.language.message import in_language
from lessons.task.outputs import out_file, out_folder

console = Console(highlight=False, soft_wrap=True)


def add_what_is_asked(parser: Arguments) -> None:
    parser.add_argument("--exercises", nargs="+", metavar="NAME", help="these only (all)")
    parser.add_argument("--assignment", type=Path, metavar="FILE", help="what is asked, for how many points (TOML)")


def grade(arguments: list[str]) -> int:
    """Grades what was handed in. 3: some of it could not be graded, or a result could not be written."""
    parser = Arguments("grade", "Grade submissions: a folder for each student, or a download of Moodle or Canvas.")
    parser.add_argument("folder", type=Path, metavar="PLACE", help="the submissions: a folder or a zip file")
    parser.add_argument("--out", type=out_folder, metavar="DIR", help="where the grades go (PLACE-grades)")
    add_what_is_asked(parser)
    parser.add_argument("--submitted", type=Path, metavar="FILE", help="a table of students and times, for days late")
    parser.add_argument(
        "--similarity",
        type=share,
        nargs="?",
        const=0.8,
        metavar="SHARE",
        help="list pairs that are so much alike (0.8)",
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="how many at a time (the number of cores)")
    parser.add_argument(
        "--gradescope", type=out_file, metavar="FILE", help="PLACE is one submission: write its results.json here"
    )
    parser.add_argument("--unprotected", action="store_true", help="also where nothing keeps a file from yours")
    options = parser.parse_args(arguments)
    asked = assigned(options.assignment, options.exercises)
    tree.tests_folder()  # without tests nothing can be graded, and it is said before anything is begun
    with tempfile.TemporaryDirectory(prefix="submissions-") as scratch:
        found = handed_in(options, asked, Path(scratch))
        return grade_class(options, asked, found)


def handed_in(options: Namespace, asked: Assignment, scratch: Path) -> Download:
    """Who handed in, from any of the forms. What belongs to nobody is named."""
    if not options.gradescope and is_download(options.folder):
        found = read_download(options.folder, scratch, asked.exercises)
    else:
        one = len(asked.exercises) == 1
        plain = submissions(options.folder, alone=bool(options.gradescope), one_exercise=one)
        found = Download("", [HandedIn(student, place) for student, place in plain.items()])
    for name in found.left_out:
        console.print(in_language(f"{name!r} belongs to no student and is left out"), style="yellow", markup=False)
    for each in found.handed_in:
        if each.others and not each.problem and not any(each.place.iterdir()):
            names = ", ".join(each.others)
            console.print(
                in_language(f"{each.student} handed in no exercise's file: {names}"), style="yellow", markup=False
            )
    return found


def grade_class(options: Namespace, asked: Assignment, found: Download) -> int:
    students = {each.student: each.place for each in found.handed_in}
    days = late_days(options, asked, students)
    place = options.folder.resolve()
    out = options.out or place.with_name(f"{place.stem if place.is_file() else place.name}-grades")
    if reason := trial.problem():
        if not options.unprotected:
            raise ValueError(
                f"there is no wall around students' files here ({reason}); --unprotected grades without one"
            )
        console.print(in_language(f"{WITHOUT_WALL} ({reason})"), style="yellow", markup=False)
    refused = {each.student: each.problem for each in found.handed_in if each.problem}
    rules = Rules(asked.weights, asked.partial, refused)
    folders = folder_names(list(students))
    whole: dict[str, list[Grade]] = {}
    everything_written = True
    for mine in grades_of(students, asked.exercises, options.workers, not options.unprotected, rules):
        show_grades(mine)
        whole[mine[0].student] = mine
        if options.gradescope:
            write_results(options.gradescope, mine)
        else:
            everything_written &= kept(out / "students" / folders[mine[0].student], mine)
    if not options.gradescope:
        write_class(options, asked, found, out, [whole[student] for student in students], days)
    all_graded = all(grade.result.status != NOT_GRADED for mine in whole.values() for grade in mine)
    return 0 if all_graded and everything_written else 3


def write_class(
    options: Namespace,
    asked: Assignment,
    found: Download,
    out: Path,
    grades: Sequence[Sequence[Grade]],
    days: Mapping[str, str],
) -> None:
    write_tables(out, grades, days)
    write_statistics(out / "statistics.csv", grades)
    if found.service:
        numbers = {each.student: each.number for each in found.handed_in}
        path = write_for_platform(found.service, out, grades, numbers, asked.title)
        console.print(in_language(f"for {found.service} to import: {path}"), markup=False)
    if options.similarity is not None:
        students = {each.student: each.place for each in found.handed_in}
        rows = write_similarity(out / "similarity.csv", students, asked.exercises, options.similarity)
        console.print(in_language(f"{len(rows)} pairs that are alike: {out / 'similarity.csv'}"), markup=False)
    console.print(
        in_language(f"{len(grades)} students, {len(asked.exercises)} exercises: {out / 'grades.csv'}"), markup=False
    )


def late_days(options: Namespace, asked: Assignment, students: Mapping[str, Path]) -> dict[str, str]:
    """Empty where there is no deadline."""
    if asked.deadline is None:
        if options.submitted:
            raise ValueError("--submitted needs a deadline: write one into the file that --assignment names")
        return {}
    times = read_times(options.submitted) if options.submitted else {}
    return days_late(students, asked.exercises, asked.deadline, times)


def share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError(f"{text} is no share between 0 and 1")
    return value


def kept(folder: Path, grades: Sequence[Grade]) -> bool:
    """Writes one student's results. What is in the way of one file is told, and is not in the way of the others."""
    try:
        write_student(folder, grades)
    except OSError as problem:
        console.print(
            in_language(f"{grades[0].student}: the result cannot be written: {problem}"), style="magenta", markup=False
        )
        return False
    return True


def show_grades(grades: Sequence[Grade]) -> None:
    for grade in grades:
        mark, status = MARKS.get(grade.result.status, "?"), grade.result.status
        console.print(f"{mark} {grade.student}, {grade.exercise.name}: {status}", markup=False)
