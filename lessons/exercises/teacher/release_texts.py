"""The texts that `release` writes: for students, and for Gradescope. Words in capitals are filled in."""

STUDENTS_README = """\
# TITLE: a Transformer and its fine-tuning, by hand

COUNT. For each there is a file in `workbook/` in which the bodies of a few functions are missing. You write them; the
tests in `tests/` say whether they are right, and what is wrong if they are not.

    python3 -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt

Then, in this folder:

    python -m lessons                  # where you are
    python -m lessons next             # the exercise to do now
    python -m lessons watch            # check whenever you save
    python -m lessons check FIRST
    python -m lessons hint FIRST

`hint` gives a hint, and each time a larger one.

In a file, everything but the missing bodies may stay as it is. The docstrings say what is wanted, the shapes stand in
the signatures. A check runs your code in a process of its own, with limits on time, memory and disk, without network.

`exercises.csv` lists all exercises with their points. Hand in the folder `workbook/`, as it is or as a zip file, or its
Python files alone under their names as they areUNTIL.
"""

EXAM_README = """\
# TITLE

An exam of COUNT. For each there is a file in `workbook/` in which the bodies of a few functions are missing. The
docstrings say what is wanted, the shapes stand in the signatures. There are no hints, no solutions and no checks.

    python3 -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt
    python -m lessons list
    python workbook/FIRST.py

`list` shows what is asked. Python runs a file without a word when it can be read. `exercises.csv` lists all exercises with
their points. Hand in the folder `workbook/`, as it is or as a zip file, or its Python files alone under their names as they
areUNTIL.
"""

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when the image of the autograder is built. Its default image, Ubuntu 22.04, has Python 3.10,
# and 3.11 is needed: uv brings one along. torch is the build for processors, without gigabytes for graphics cards.
set -euo pipefail
apt-get update
apt-get install -y python3 python3-venv
python3 -m venv /autograder/tools
/autograder/tools/bin/python -m pip install --quiet uv
/autograder/tools/bin/uv venv --python 3.11 /autograder/environment
/autograder/tools/bin/uv pip install --quiet --python /autograder/environment/bin/python --torch-backend cpu \\
    --constraint /autograder/source/library/constraints.txt --editable '/autograder/source/library[grading]'
/autograder/environment/bin/python -m lessons help > /dev/null || {
    echo "the library does not start: see above" >&2
    exit 1
}
"""

RUN_AUTOGRADER = """\
#!/usr/bin/env bash
# Gradescope runs this for every submission, and reads results/results.json. Where its container allows no namespaces,
# --unprotected goes on without a wall: each submission has a container of its own, in which it can read the solutions.
set -euo pipefail
cd /autograder/source/library
code=0
/autograder/environment/bin/python -m lessons grade /autograder/submission \\
    --gradescope /autograder/results/results.json --unprotected --assignment /autograder/source/exercises.toml || code=$?
# 3: the result says what could not be graded, and that it is to be graded again.
[ "$code" -eq 0 ] || [ "$code" -eq 3 ]
"""
