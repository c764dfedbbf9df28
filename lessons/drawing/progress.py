"""Progress on the terminal: a bar for each thing that runs, its steps and its loss."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

COLUMNS = (TextColumn("{task.description:<20}"), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))


def progress_bars(quiet: bool = False) -> Progress:
    """Bars whose tasks say `loss`, in words."""
    return Progress(*COLUMNS, TimeElapsedColumn(), disable=quiet)
