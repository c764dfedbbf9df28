"""The outputs of a notebook in Chinese: an output that says something carries its templates and values (lessons/teaching/said.py),
and its words are made of them again.

A figure carries the pixels that differ in Chinese; its finding stands above it. Printed lines are told by their entries
(lessons/language/outputs.py).
"""

import copy
import re
from typing import Any

import nbformat
from nbformat import NotebookNode

from lessons.language.outputs import Tell, printed, told
from lessons.teaching.diagram import described
from lessons.teaching.legend import legend
from lessons.teaching.redrawn import laid_over
from lessons.teaching.said import KEY, Say, Values, said_again
from lessons.teaching.source import FOLDED
from lessons.teaching.templates import filled
from lessons.translate.checks import HAN
from lessons.translate.seen import OF_NAMES
from lessons.translate.words import VALUES

OUTSIDE = re.compile(r"(\]\()(\.\./)")
"""A link that leaves the notebooks' folder; from lessons/notebooks/zh/ it has one step more to go."""


def one_step_further(text: str) -> str:
    return OUTSIDE.sub(r"\1../\2", text)


def spoken(output: NotebookNode, say: Say, tell: Tell) -> list[NotebookNode]:
    """An output in Chinese: one, or for a figure its title and the picture."""
    made = copy.deepcopy(output)
    if output.output_type == "stream":
        made.text = printed(output.text, tell)
    said = output.get("metadata", {}).get(KEY)
    if said is None:
        return [made]
    if said["by"] not in OF_NAMES:
        said = {**said, "values": {name: told_value(value, say, tell) for name, value in said["values"].items()}}
    if said["by"] == "show_source":
        made.data["text/markdown"] = unfolded(made.data["text/markdown"], said["values"], say)
        return [made]
    if "image/png" in made.get("data", {}):
        return drawn(made, said, say, tell)
    plain, rich, kind = said_again(said, say)
    plain, rich = closed_up(plain), closed_up(rich)
    made.data = nbformat.from_dict({kind: one_step_further(rich or plain), "text/plain": plain})
    return [made]


def drawn(made: NotebookNode, said: dict[str, Any], say: Say, tell: Tell) -> list[NotebookNode]:
    """A figure: its finding, the picture, and below one that was not drawn in Chinese what its words mean."""
    overlay, shown = made.metadata[KEY].pop("overlay", None), [made]
    if said["by"] == "show_figure":
        title, alt = (filled(say(text), said["values"]) for text in said["texts"])
        shown = [markdown_output(closed_up(f"**{title}**")), made]
    else:
        alt = described(say(said["texts"][0]), said["values"], lambda name: told(name, tell))
    made.metadata["image/png"]["alt"] = made.data["text/plain"] = closed_up(alt)
    if overlay is not None:
        made.data["image/png"] = laid_over(made.data["image/png"], overlay)
    elif below := legend(said.get("labels", ()), say, tell):
        shown.append(markdown_output(below))
    return shown


def told_value(value: Any, say: Say, tell: Tell) -> Any:
    """A value in Chinese: one of the course's words, or a list with such in it."""
    if isinstance(value, list):
        return [told_value(each, say, tell) for each in value]
    if not isinstance(value, str):
        return value
    return say(value) if value in VALUES else told(value, tell)


LIST = re.compile(rf"(?<=[{HAN}]), (?=[{HAN}`\w])|(?<=[`\w]), (?=[{HAN}])|(?<=`), (?=`)")
"""The comma between two things of which one is Chinese, or both are code."""


def closed_up(text: str) -> str:
    """Without the space that stood beside a value which became Chinese itself, and with the comma of a Chinese list."""
    return LIST.sub("、", re.sub(rf"(?<=[{HAN}]) (?=[{HAN}])", "", text))


def unfolded(markdown: str, values: Values, say: Say) -> str:
    """The line behind which an exercise's answer is folded."""
    if "title" not in values:
        return markdown
    told = say(FOLDED).format(file=values["file"], title=say(values["title"]))
    return markdown.replace(FOLDED.format(**values), told, 1)


def markdown_output(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})
