"""`python -m tests.exercises.unseen [NAME...]`: measures, and prints what is said of those that are not named.

Without a name all are measured, and how many are named is kept in kept.json beside this file.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from lessons.exercises.student.wording import result_text
from tests.exercises.unseen.measure import NAMED, measured
from tests.exercises.unseen.wrong import all_unseen

KEPT = Path(__file__).with_name("kept.json")


def main(names: list[str]) -> int:
    every = [unseen for unseen in all_unseen() if not names or unseen.exercise.name in names]
    counts: Counter[str] = Counter()
    for unseen, result, worth in measured(every):
        counts[worth] += 1
        if worth != NAMED:
            print(f"--- {worth}: {unseen.label}\n{result_text(result).partition(chr(10) * 2)[0]}", flush=True)
    for worth, count in counts.items():
        print(f"{worth:8} {count:4}  {100 * count / len(every):5.1f} %")
    if not names:
        KEPT.write_text(json.dumps(counts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
