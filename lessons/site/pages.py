"""The pages that are no lesson: the front page, results, exercises, glossary, teacher's guide, API."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path

from lessons.compare.kept import HEADINGS, base_line, kept_report, prepared_lines, technique_lines
from lessons.drawing.grids import as_markdown
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS as TITLES
from lessons.exercises.teacher.guide import guide
from lessons.site.links import ROOT, relinked
from lessons.teaching.notebooks import LESSONS

SUBJECT = (
    "transformer/embedding.py transformer/attention.py transformer/add_norm.py transformer/feed_forward.py transformer/encoder.py "
    "transformer/decoder.py transformer/model.py transformer/rotary.py transformer/masks.py transformer/learning/loss.py "
    "quant/codebooks.py quant/blockwise.py quant/linear.py peft/bitfit.py peft/lora.py peft/low_rank.py peft/dora.py peft/ia3.py "
    "peft/bottleneck.py peft/prompt_tuning.py peft/p_tuning.py peft/prefix_tuning.py peft/ssf.py peft/pill.py "
    "rlhf/reward_model.py rlhf/ppo.py rlhf/dpo.py rlhf/grpo.py"
).split()
"""The files that are what the course is about, in its order: each has a page with its text beside its lines."""

PACKAGES = ("transformer", "quant", "peft", "rlhf")


def front(lessons: Sequence[str], files: Sequence[str]) -> str:
    """The first page, with the tree of all others."""
    return "\n".join(
        [
            "# Fine-tuning, by hand",
            "",
            "A Transformer and 22 ways to fine-tune it, written by hand: lessons, exercises, and every line of the code.",
            "",
            '```{raw} html\n<img class="figure" src="_static/cover.png" alt="Where each technique sits in the Transformer" width="700" height="277">\n```',
            "",
            "- Begin with [lesson 1](lessons/01_fine_tuning.md).",
            "- [See a fine-tune](see.md): type a word, choose a technique, slide its strength.",
            "- [What each technique costs and gives](results.md), measured.",
            "",
            tree("Lessons", [f"lessons/{name}" for name in lessons]),
            tree("To look and to look up", ["see", "results", "exercises", "glossary", "teachers"]),
            tree("The code beside its text", [f"source/{page_name(file)}" for file in files]),
            tree("API", [f"api/{package}" for package in PACKAGES]),
        ]
    )


def tree(caption: str, pages: Sequence[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def page_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", "-")


def results() -> str:
    report = kept_report()
    lines = [[*HEADINGS], base_line(report), *prepared_lines(report), *technique_lines(report)]
    said = "Errors in per cent, mean ± standard deviation over the seeds. A click on a column's head sorts."
    return f"# Results\n\n{said}\n\n::::{{container}} sorted\n{as_markdown(lines)}\n::::\n"


def exercises() -> str:
    lines = ["# Exercises", "", "Each is started by `python -m lessons start NAME`.", ""]
    for number, title in TITLES.items():
        found = [each for each in all_exercises().values() if each.lesson == number]
        if found:
            lines += [f"## {number}. {title}", ""]
            lines += [f"- **{each.title}**: `{each.name}`, {each.minutes} minutes" for each in found]
            lines.append("")
    return "\n".join(lines)


def glossary(sources: Mapping[str, str]) -> str:
    return relinked((LESSONS / "glossary.md").read_text(encoding="utf-8"), "lessons", "glossary", dict(sources))


def teachers() -> str:
    """What `python -m lessons guide` prints."""
    return guide()


def api(package: str) -> str:
    """Every public name, with its signature, whose types are shapes."""
    module = importlib.import_module(package)
    directives = [directive(package, name, getattr(module, name)) for name in module.__all__]
    return f"# {package}\n\n" + "\n".join(filter(None, directives))


def directive(package: str, name: str, thing: object) -> str:
    if inspect.ismodule(thing):
        return ""
    if not callable(thing):
        return f"`{name}`: {type(thing).__name__}\n"
    kind, option = ("autoclass", "   :members:") if inspect.isclass(thing) else ("autofunction", "")
    return f"```{{eval-rst}}\n.. {kind}:: {package}.{name}\n{option}\n```\n"


def see() -> str:
    frame = '<iframe class="page" src="_static/page.html" title="A fine-tune to look at"></iframe>'
    return f'# See a fine-tune\n\n```{{raw}} html\n<p><a href="_static/page.html">Open it alone</a></p>\n{frame}\n```\n'


def existing(files: Sequence[str]) -> list[str]:
    """Raises ValueError for a file of the list that is not there."""
    if lacking := [file for file in files if not (ROOT / file).is_file()]:
        raise ValueError(f"there is no {', '.join(lacking)} to show beside its text")
    return list(files)


def write(pages: Mapping[str, str], folder: Path) -> None:
    for name, text in pages.items():
        file = folder / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
