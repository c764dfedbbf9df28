"""What every lesson shows with: real source, the famous figure, boxes, the kept run, lists of exercises.

Each shows itself: as Markdown, HTML or a picture in a notebook, as text where a lesson is run as a plain file.

Read in this order: showing, templates, claims, boxes, figures, sketch, source, kept, tasks, sounds, layout, marks,
diagram; notebooks and build make the notebooks, calls, wording and form check them. How a lesson is written: FORM.md.
"""

from lessons.compare.kept import kept_report
from lessons.teaching.boxes import said_and_so
from lessons.teaching.claims import Values, about, claim, falls, highest, kept_claim, lowest, rises
from lessons.teaching.diagram import lit_diagram
from lessons.teaching.figures import new_figure, show_drawing, show_figure
from lessons.teaching.kept import kept_mean, kept_rows, kept_run
from lessons.teaching.showing import quick
from lessons.teaching.sketch import Sketch
from lessons.teaching.sounds import show_sounds
from lessons.teaching.source import show_source
from lessons.teaching.table import show_table
from lessons.teaching.tasks import exercises_of
from lessons.teaching.templates import prose

__all__ = [
    "Sketch",
    "Values",
    "about",
    "claim",
    "exercises_of",
    "falls",
    "highest",
    "kept_claim",
    "kept_mean",
    "kept_report",
    "kept_rows",
    "kept_run",
    "lit_diagram",
    "lowest",
    "new_figure",
    "prose",
    "quick",
    "rises",
    "said_and_so",
    "show_drawing",
    "show_figure",
    "show_sounds",
    "show_source",
    "show_table",
]
