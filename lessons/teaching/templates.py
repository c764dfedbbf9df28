"""Sentences with numbers from the data: a template, whole and literal, and the values that it names.

    prose("LoRA trains {share:.0f} % of the numbers.", share=100 * trained / all_of_them)

A template is one literal string, so that it can be found in the source and translated; who writes an f-string hides it.
A brace that is meant as a brace, as in a formula, is doubled: `$\\sqrt{{32}}$`.
"""

import string
from collections.abc import Mapping, Sequence
from typing import Any

from lessons.teaching.said import Rendered, Say, renders, show_said


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with its values. Raises ValueError for a name that has no value, with those that there are.

    Without any values the text is taken as it stands.
    """
    if not values:
        return template
    if lacking := sorted(fields(template) - set(values)):
        raise ValueError(f"no value for {', '.join(lacking)} in {template!r}; there are {', '.join(values)}")
    return template.format(**values)


def fields(template: str) -> set[str]:
    """The names in a template."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def prose(template: str, **values: Any) -> None:
    """Shows Markdown whose numbers are computed."""
    show_said("prose", [template], values)


@renders("prose")
def rendered_prose(texts: Sequence[str], values: Mapping[str, Any], say: Say) -> Rendered:
    return Rendered(filled(texts[0], values))
