"""What every lesson shows with: real source, the famous figure, boxes, the kept run, lists of exercises.

Each shows itself: as Markdown, HTML or a picture in a notebook, as text where a lesson is run as a plain file.

Read in this order: showing, source, boxes, kept, tasks, layout, marks, diagram; notebooks and build make the notebooks.
"""

from lessons.compare.kept import kept_report
from lessons.teaching.boxes import said_and_so
from lessons.teaching.diagram import lit_diagram
from lessons.teaching.kept import kept_mean, kept_rows, kept_run
from lessons.teaching.showing import quick
from lessons.teaching.source import show_source
from lessons.teaching.tasks import exercises_of

__all__ = [
    "exercises_of",
    "kept_mean",
    "kept_report",
    "kept_rows",
    "kept_run",
    "lit_diagram",
    "quick",
    "said_and_so",
    "show_source",
]
