"""Where a link of a notebook or of the glossary leads on the site: to a page of it, or to the file on the project's address."""

import re
from configparser import ConfigParser
from functools import cache
from pathlib import Path, PurePosixPath

from lessons.teaching.notebooks import LESSONS

ROOT = LESSONS.parent
CODE = re.compile(r"(```.*?\n```|`[^`\n]+`)", re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")


@cache
def address() -> str:
    """The project's address, as setup.cfg has it."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser["metadata"]["url"]


def relinked(markdown: str, folder: str, page: str, sources: dict[str, str]) -> str:
    """The text with its links made the site's.

    `folder`    where the text lies, seen from the root of the repository: what its links start from
    `page`      the page that it becomes, "lessons/13_lora": what the site's links start from
    `sources`   file of the repository → page of the site
    """
    pieces = CODE.split(markdown)
    for index in range(0, len(pieces), 2):  # the odd ones are code
        pieces[index] = LINK.sub(
            lambda found: found[1] + target(found[2], folder, page, sources) + found[3], pieces[index]
        )
    return "".join(pieces)


def target(link: str, folder: str, page: str, sources: dict[str, str]) -> str:
    """Raises ValueError for a link to a file that is not there."""
    if re.match(r"[a-z]+:|#", link):
        return link
    path, _, anchor = link.partition("#")
    file = normal(PurePosixPath(folder) / path)
    if not (ROOT / file).exists():
        raise ValueError(f"{page} links to {link}, and there is no {file}")
    if file in sources:
        up = "../" * page.count("/")
        return f"{up}{sources[file]}.md" + (f"#{anchor}" if anchor else "")
    kind = "tree" if (ROOT / file).is_dir() else "blob"
    return f"{address()}/{kind}/main/{file}"


def normal(path: PurePosixPath) -> str:
    """Without `..`, as a text."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def colab(file: Path) -> str:
    owner = address().removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{owner}/blob/main/{file.relative_to(ROOT).as_posix()}"
