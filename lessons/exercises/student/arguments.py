"""Reading a command's arguments."""

import argparse
from typing import Any, NoReturn

from lessons.language.words import say


class Arguments(argparse.ArgumentParser):
    """Arguments of one command. What is wrong with them is a ValueError, so that each command has its own exit codes."""

    def __init__(self, command: str, what: str):
        super().__init__(f"python -m lessons {command}".strip(), description=say(what))

    def add_argument(self, *names: Any, **given: Any) -> argparse.Action:
        return super().add_argument(*names, **{**given, "help": say(given.get("help", ""))})

    def with_workbook(self) -> "Arguments":
        self.add_argument("--workbook", default="workbook", metavar="DIR", help="your folder (workbook)")
        return self

    def with_name(self) -> "Arguments":
        self.add_argument("name", nargs="?", help="an exercise (the next one)")
        return self.with_workbook()

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}\n{self.format_usage().strip()}")
