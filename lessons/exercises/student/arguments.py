"""Reading a command's arguments."""

from typing import NoReturn

from lessons.language.options import Options


class Arguments(Options):
    """Arguments of one command. What is wrong with them is a ValueError, so that each command has its own exit codes."""

    def with_workbook(self) -> "Arguments":
        self.add_argument("--workbook", default="workbook", metavar="DIR", help="your folder (workbook)")
        return self

    def with_name(self) -> "Arguments":
        self.add_argument("name", nargs="?", help="an exercise (the next one)")
        return self.with_workbook()

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}\n{self.format_usage().strip()}")
