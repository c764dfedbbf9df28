"""The kept run of `python -m lessons chat --preferences`, and what lesson 30 says of it.

python -m lessons chat --preferences --out runs/chat-preferences
python -m lessons.chat.preferring.kept --ship runs/chat-preferences   made lessons/results/chat_preferences.json
"""

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from lessons.chat.preferring.table import lines_of, told
from lessons.drawing.grids import as_markdown
from transformer.learning.formats import read_json, write_json

KEPT = Path(__file__).resolve().parents[2] / "results" / "chat_preferences.json"


@cache
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lessons.chat.preferring.kept", description="The kept run's tables."
    )
    parser.add_argument("--ship", type=Path, metavar="RUN", help="keep this run")
    options = parser.parse_args(arguments)
    if options.ship:
        write_json(KEPT, read_json(options.ship / "preferences.json"))
    for task, arms in kept()["tasks"].items():
        print(as_markdown(lines_of(arms, task)))
        print(*(told(name, arms[name]) for name in ("dpo", "grpo") if name in arms), "", sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
