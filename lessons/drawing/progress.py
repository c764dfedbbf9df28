"""Progress on the terminal: a bar for each thing that runs, its steps and its loss."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from lessons.language.message import in_language


class SaidColumn(TextColumn):
    """What a task says of its loss, in the language that is spoken."""

    def __init__(self) -> None:
        super().__init__("{task.fields[loss]}")

    def render(self, task: Task) -> Text:
        return Text(in_language(task.fields["loss"]), style=self.style)


COLUMNS = (TextColumn("{task.description:<20}"), BarColumn(24), MofNCompleteColumn(), SaidColumn())


def progress_bars(quiet: bool = False) -> Progress:
    """Bars whose tasks say `loss`, in words."""
    return Progress(*COLUMNS, TimeElapsedColumn(), disable=quiet)
