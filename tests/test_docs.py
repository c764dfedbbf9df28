"""What the Markdown pages name exists: links, paths, `make` targets, `python -m` commands with their options, imports."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from lessons.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("transformer", "quant", "peft", "rlhf", "lessons", "tests", ".ci")
TOLD_OF_THE_PAST = {"CHANGELOG.md"}
PAGES = [
    path
    for folder in (".", *FOLDERS)
    for path in sorted((ROOT / folder).glob("*.md" if folder == "." else "**/*.md"))
    if path.name not in TOLD_OF_THE_PAST
]
OTHERS_MODULES = ("pytest", "pip", "venv", "ruff", "mypy", "transformers")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_of(text: str) -> str:
    """What stands in code spans, in fenced blocks and in indented ones, a line each."""
    fenced = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    indented = re.findall(r"^ {4}.*$", rest, flags=re.MULTILINE)
    return "\n".join([*fenced, *indented, *(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest))])


def anchor_of(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def missing_links(page: Path, text: str) -> list[str]:
    missing = []
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        if not target.exists() or (anchor and anchor not in map(anchor_of, headings)):
            missing.append(link)
    return missing


EXAMPLES = re.compile(r"\b(NN_name|(test_)?loha|ada)\.py$|layer_norm\.py$|^homework\.toml$")


def stands_below(folder: Path, name: str) -> bool:
    """Somewhere below, but not in git's own folder or an environment, which other programs change while one looks."""
    inside = (child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    return (folder / name).exists() or any(any(child.rglob(name)) for child in inside)


def missing_paths(page: Path, text: str) -> list[str]:
    """`folder/...` is looked for from the root, a bare `file.py` beneath the page's folder. NN_name is any lesson,
    loha the technique that CONTRIBUTING writes as its example, and what ada hands in is a submission."""
    code = code_of(re.sub(r"\[[^\]]*\]\([^)]*\)", "", text))  # without links, which are checked for themselves
    of_folders = re.findall(rf"(?<![\w./-])((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*)", code)
    bare = re.findall(r"(?<![\w./*-])([\w.-]+\.(?:py|md|cfg|toml|txt))(?![\w/])", code)
    missing = [path for path in of_folders if not any(ROOT.glob(path.replace("NN_name", "[0-9][0-9]_*").rstrip("./")))]
    missing += [name for name in bare if not (ROOT / name).exists() and not stands_below(page.parent, name)]
    return [path for path in missing if not EXAMPLES.search(path)]


def missing_targets(text: str) -> list[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    return [name for name in re.findall(r"\bmake ([a-z][a-z-]*)", code_of(text)) if name not in targets]


def missing_commands(text: str) -> list[str]:
    """`python -m module` names a module that can be run, `python -m lessons command` a command, --option one of it."""
    missing = []
    for module, rest in re.findall(r"python -m ([\w.]+)([^\n#]*)", code_of(text)):
        if module.split(".")[0] in OTHERS_MODULES:
            continue
        command, *_ = [*rest.split(), ""]
        if module == "lessons" and command and command in COMMANDS:
            module = COMMANDS[command][0].partition(":")[0]
        elif module == "lessons" and re.fullmatch(r"[a-z]+", command):
            missing.append(f"{module} {command}")
        files = files_of(module)
        missing += [module] if not files else []
        options = re.findall(r"(?<!\S)(--[a-z][a-z-]*)", re.split(r" {2,}", rest.strip())[0])
        source = "\n".join(path.read_text(encoding="utf-8") for path in files)
        missing += [f"{module} {option}" for option in options if option != "--help" and f'"{option}"' not in source]
    return missing


def files_of(module: str) -> list[Path]:
    """The files in which a command's options may stand: its own, those beside it, and the task's. None if it cannot be run."""
    path = ROOT.joinpath(*module.split("."))
    run = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__main__.py"
    return [run, *run.parent.glob("*.py"), *(ROOT / "lessons" / "task").glob("*.py")] if run.is_file() else []


def missing_imports(text: str) -> list[str]:
    missing = []
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] not in OTHERS_MODULES:
                module = importlib.import_module(node.module)
                missing += [f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name)]
    return missing


@every_page
def test_every_link_of_a_page_leads_somewhere(page):
    assert missing_links(page, page.read_text(encoding="utf-8")) == []


@every_page
def test_every_path_that_a_page_names_exists(page):
    assert missing_paths(page, page.read_text(encoding="utf-8")) == []


@every_page
def test_every_command_that_a_page_names_can_be_run(page):
    text = page.read_text(encoding="utf-8")

    assert missing_targets(text) == []
    assert missing_commands(text) == []


@every_page
def test_everything_that_a_page_imports_is_there(page):
    assert missing_imports(page.read_text(encoding="utf-8")) == []


def test_what_is_not_there_is_found_missing():
    page = """
[a](lessons/nowhere.md), [b](README.md#no-such-heading), `lessons/nothing.py`, `nothing_here.py`, `make nothing`

    python -m lessons compare --never    a comment with --words
    python -m lessons nothing
    python -m lessons.nothing

```python
from peft import Nothing
```
"""

    assert missing_links(ROOT / "README.md", page) == ["lessons/nowhere.md", "README.md#no-such-heading"]
    assert missing_paths(ROOT / "README.md", page) == ["lessons/nothing.py", "nothing_here.py"]
    assert missing_targets(page) == ["nothing"]
    assert missing_commands(page) == ["lessons.compare.command --never", "lessons nothing", "lessons.nothing"]
    assert missing_imports(page) == ["peft.Nothing"]
