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
from lessons.language import words
from lessons.language.choice import CHINESE, language
from lessons.language.message import in_language
from lessons.site.links import ROOT, relinked
from lessons.teaching.said import Say
from lessons.translate.fixed import SITE
from lessons.translate.glossary import ENGLISH, glossary_in_chinese
from peft import RECIPES

SUBJECT = (
    "transformer/embedding.py transformer/attention.py transformer/add_norm.py transformer/feed_forward.py transformer/encoder.py "
    "transformer/decoder.py transformer/model.py transformer/rotary.py transformer/masks.py transformer/learning/loss.py "
    "quant/codebooks.py quant/blockwise.py quant/linear.py peft/bitfit.py peft/lora.py peft/low_rank.py peft/dora.py peft/ia3.py "
    "peft/bottleneck.py peft/prompt_tuning.py peft/p_tuning.py peft/prefix_tuning.py peft/ssf.py peft/pill.py "
    "rlhf/reward_model.py rlhf/ppo.py rlhf/dpo.py rlhf/grpo.py"
).split()
"""The files that are what the course is about, in its order: each has a page with its text beside its lines."""

PACKAGES = ("transformer", "quant", "peft", "rlhf")


def front(lessons: Sequence[str], files: Sequence[str], say: Say) -> str:
    """The first page, with the tree of all others."""
    cover = f'<img class="figure" src="_static/cover.png" alt="{say(SITE["cover"])}" width="700" height="277">'
    words = [f"# {say(SITE['title'])}", say(SITE["what"]).format(count=len(RECIPES)), f"```{{raw}} html\n{cover}\n```"]
    doors = [f"- {say(SITE[name])}" for name in ("begin", "see", "measured")]
    trees = [
        tree(say(SITE["lessons"]), [f"lessons/{name}" for name in lessons]),
        tree(say(SITE["look"]), ["see", "results", "clinic", "exercises", "glossary", "teachers"]),
        tree(say(SITE["source"]), [f"source/{page_name(file)}" for file in files]),
        tree(say(SITE["api"]), [f"api/{package}" for package in PACKAGES]),
    ]
    return "\n\n".join([*words, "\n".join(doors), *trees])


def tree(caption: str, pages: Sequence[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def page_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", "-")


def results(say: Say) -> str:
    report = kept_report()
    lines = [[*HEADINGS], base_line(report), *prepared_lines(report), *technique_lines(report)]
    lines = [[in_language(cell) for cell in line] for line in lines]
    title, sorts = say(SITE["results"]), say(SITE["sorts"])
    return f"# {title}\n\n{sorts}\n\n::::{{container}} sorted\n{as_markdown(lines)}\n::::\n"


def exercises(say: Say) -> str:
    lines = [f"# {say(SITE['exercises'])}", "", say(SITE["started"]), ""]
    for number, title in TITLES.items():
        found = [each for each in all_exercises().values() if each.lesson == number]
        if found:
            lines += [f"## {number}. {say(title)}", ""]
            lines += [f"- **{say(each.title)}** · `{each.name}` · {minutes(each.minutes, say)}" for each in found]
            lines.append("")
    return "\n".join(lines)


def minutes(count: int, say: Say) -> str:
    return say(SITE["minutes"]).format(minutes=count)


def glossary(sources: Mapping[str, str]) -> str:
    """In the language that is spoken."""
    text = glossary_in_chinese(words.say) if language() == CHINESE else ENGLISH.read_text(encoding="utf-8")
    return relinked(text, "lessons", "glossary", dict(sources))


def teachers() -> str:
    """What `python -m lessons guide` prints, in the language that is spoken."""
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


def see(say: Say) -> str:
    title = say(SITE["see it"])
    frame = f'<iframe class="page" src="_static/page.html" title="{title}"></iframe>'
    alone = f'<p><a href="_static/page.html">{say(SITE["alone"])}</a></p>'
    return f"# {title}\n\n```{{raw}} html\n{alone}\n{frame}\n```\n"


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
