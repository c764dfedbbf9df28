"""An executed notebook as a page of the site: texts, code with what it printed, figures with size and words.

Folded code stays folded; the outputs that are said in boxes, and the cards of the exercises, get a frame.
"""

import base64
import html
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import PIL.Image
from nbformat import NotebookNode

from lessons.site.links import ROOT, address, colab, relinked
from lessons.teaching.notebooks import is_hidden
from lessons.teaching.said import KEY, Say, in_english
from lessons.translate.fixed import SITE


@dataclass(frozen=True)
class Place:
    """Where a notebook's page goes.

    `page`      "lessons/13_lora"
    `static`    the folder that takes its pictures
    `sources`   file of the repository → page of the site
    `say`       the words of the page's language
    """

    page: str
    static: Path
    sources: dict[str, str]
    say: Say = in_english


def page_of(file: Path, place: Place) -> str:
    """The page as MyST. Raises ValueError for a link that leads nowhere."""
    notebook = nbformat.read(file, as_version=4)
    parts = []
    for cell in notebook.cells:
        parts += [cell.source] if cell.cell_type == "markdown" else list(code_parts(cell, place))
    head, _, rest = "\n\n".join(parts).partition("\n")
    folder = file.parent.relative_to(ROOT).as_posix()
    return relinked(f"{head}\n\n{doors(file, place.say)}\n{rest}\n", folder, place.page, place.sources)


def doors(notebook: Path, say: Say) -> str:
    """The notebook, its source, and Colab."""
    source = f"lessons/{notebook.stem}.py"
    file = notebook.relative_to(ROOT).as_posix()
    return (
        f"[{say(SITE['notebook'])}]({address()}/blob/main/{file}) · "
        f"[{say(SITE['source file'])}]({address()}/blob/main/{source}) · [Colab]({colab(notebook)})"
    )


def code_parts(cell: NotebookNode, place: Place) -> Iterator[str]:
    code = f"```python\n{cell.source}\n```"
    shows_source = any("show_source" in line for line in cell.source.splitlines()) and len(cell.source) < 400
    if is_hidden(cell):
        yield f'<details class="code"><summary>{place.say(SITE["code"])}</summary>\n\n{code}\n\n</details>'
    elif not shows_source:
        yield code
    for output in cell.outputs:
        yield output_part(output, place)


def output_part(output: NotebookNode, place: Place) -> str:
    """One output. A picture becomes a file of its own."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```"
    data, said = output.get("data", {}), output.get("metadata", {}).get(KEY, {})
    if "image/png" in data:
        return picture(data["image/png"], output.metadata.get("image/png", {}), place)
    if "text/html" in data:
        return f"```{{raw}} html\n{data['text/html']}\n```"
    if "text/markdown" in data:
        text = data["text/markdown"]
        return f"::::{{admonition}} {place.say(TITLES[said['by']])}\n{text}\n::::" if said.get("by") in TITLES else text
    return f"```text\n{data.get('text/plain', '').rstrip()}\n```"


TITLES = {"exercises_of": SITE["exercises"]}


def picture(encoded: str, about: NotebookNode, place: Place) -> str:
    data = base64.b64decode(encoded)
    size = PIL.Image.open(io.BytesIO(data)).size
    width = int(about.get("width", size[0] // 2))
    number = len(list(place.static.glob(f"{Path(place.page).name}-*.png"))) + 1
    file = place.static / f"{Path(place.page).name}-{number}.png"
    place.static.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    alt, up = html.escape(about.get("alt", ""), quote=True), "../" * place.page.count("/")
    source = f"{up}_static/{place.static.name}/{file.name}"
    height = round(width * size[1] / size[0])
    return f'```{{raw}} html\n<img class="figure" src="{source}" alt="{alt}" width="{width}" height="{height}" loading="lazy">\n```'
