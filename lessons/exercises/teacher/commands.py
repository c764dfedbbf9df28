"""The commands for teachers: `release` and `grade`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lessons.exercises.catalogue import chosen
from lessons.exercises.grading.result import NOT_GRADED
from lessons.exercises.grading.sandbox import trial
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.wording import MARKS, WITHOUT_WALL
from lessons.exercises.teacher.grade import Grade, grades_of
from lessons.exercises.teacher.release import release_autograder, release_students
from lessons.exercises.teacher.submissions import submissions
from lessons.exercises.teacher.tables import write_results, write_student, write_tables
from lessons.task.outputs import out_file, out_folder

console = Console(highlight=False, soft_wrap=True)


def release(arguments: list[str]) -> int:
    """Writes the students' repository, and the folder for Gradescope if it is asked for."""
    parser = Arguments("release", "Make the students' repository.")
    parser.add_argument("folder", type=out_folder, metavar="DIR", help="a new folder for the students")
    parser.add_argument("--exercises", nargs="+", metavar="NAME", help="these only (all)")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="the library as a wheel, to be given out with it")
    parser.add_argument("--autograder", type=out_folder, metavar="DIR", help="write the folder for Gradescope too")
    options = parser.parse_args(arguments)
    exercises = chosen(options.exercises)
    release_students(options.folder, exercises, options.wheel)
    console.print(f"{options.folder}: {len(exercises)} exercises for students", markup=False)
    if options.autograder:
        release_autograder(options.autograder, exercises)
        console.print(f"{options.autograder}: zip what is in it and upload it as the autograder", markup=False)
    return 0


def grade(arguments: list[str]) -> int:
    """Grades a folder of submissions. 3: some of them could not be graded, or a result could not be written."""
    parser = Arguments("grade", "Grade a folder of submissions: a folder for each student.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the submissions")
    parser.add_argument("--out", type=out_folder, metavar="DIR", help="where the grades go (DIR-grades)")
    parser.add_argument("--exercises", nargs="+", metavar="NAME", help="these only (all)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="how many at a time (the number of cores)")
    parser.add_argument(
        "--gradescope", type=out_file, metavar="FILE", help="DIR is one submission: write its results.json here"
    )
    parser.add_argument("--unprotected", action="store_true", help="also where nothing keeps a file from yours")
    options = parser.parse_args(arguments)
    exercises = chosen(options.exercises)
    students = submissions(options.folder, alone=bool(options.gradescope), one_exercise=len(exercises) == 1)
    out = options.out or options.folder.with_name(f"{options.folder.resolve().name}-grades")
    if reason := trial.problem():
        if not options.unprotected:
            raise ValueError(
                f"there is no wall around students' files here ({reason}); --unprotected grades without one"
            )
        console.print(f"{WITHOUT_WALL} ({reason})", style="yellow", markup=False)
    whole: dict[str, list[Grade]] = {}
    everything_written = True
    for mine in grades_of(students, exercises, options.workers, not options.unprotected):
        show_grades(mine)
        whole[mine[0].student] = mine
        if options.gradescope:
            write_results(options.gradescope, mine)
        else:
            everything_written &= kept(out, mine)
    if not options.gradescope:
        write_tables(out, [whole[student] for student in students])
        console.print(f"{len(students)} students, {len(exercises)} exercises: {out / 'grades.csv'}", markup=False)
    all_graded = all(grade.result.status != NOT_GRADED for mine in whole.values() for grade in mine)
    return 0 if all_graded and everything_written else 3


def kept(out: Path, grades: Sequence[Grade]) -> bool:
    """Writes one student's results. What is in the way of one file is told, and is not in the way of the others."""
    try:
        write_student(out, grades)
    except OSError as problem:
        console.print(f"{grades[0].student}: the result cannot be written: {problem}", style="magenta", markup=False)
        return False
    return True


def show_grades(grades: Sequence[Grade]) -> None:
    for grade in grades:
        mark, status = MARKS.get(grade.result.status, "?"), grade.result.status
        console.print(f"{mark} {grade.student}, {grade.exercise.name}: {status}", markup=False)
