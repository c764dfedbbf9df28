"""The texts that `release` writes: for students, and for Gradescope. Words in capitals are filled in."""

STUDENTS_README = """\
# Exercises: a Transformer and its fine-tuning, by hand

COUNT exercises. Each is a file in `workbook/` in which the bodies of a few functions are missing. You write them; the
tests in `tests/` say whether they are right, and what is wrong if they are not.

    python3 -m venv .venv && . .venv/bin/activate
    pip install -r requirements.txt

Then, in this folder:

    python -m lessons                  # where you are
    python -m lessons next             # the exercise to do now
    python -m lessons check FIRST
    python -m lessons hint FIRST       # a hint, and then a larger one
    python -m lessons watch            # check whenever you save

In a file, everything but the missing bodies may stay as it is. The docstrings say what is wanted, the shapes stand in
the signatures. A check runs your code in a process of its own, with limits on time, memory and disk, without network.

`exercises.csv` lists all exercises with their points. Hand in the folder `workbook/`.
"""

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, when the image of the autograder is built.
set -euo pipefail
apt-get update && apt-get install -y python3 python3-venv python3-pip
python3 -m venv /autograder/environment
/autograder/environment/bin/pip install --quiet \\
    --constraint /autograder/source/library/constraints.txt --editable '/autograder/source/library[grading]'
"""

RUN_AUTOGRADER = """\
#!/usr/bin/env bash
# Gradescope runs this for every submission, and reads results/results.json. Where its container allows no namespaces,
# --unprotected goes on without a wall: each submission has a container of its own, in which it can read the solutions.
set -euo pipefail
cd /autograder/source/library
/autograder/environment/bin/python -m lessons grade /autograder/submission \\
    --gradescope /autograder/results/results.json --unprotected --exercises EXERCISES
"""
