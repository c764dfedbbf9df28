"""The course as a site that opens from disk: no server, no request; search too.

    python -m lessons site               into site/en
    python -m lessons site --out DIR     into DIR/en

Made with Sphinx from the kept notebooks, the sources, the results and the
glossary. `pip install finetune-by-hand[site]`, or `make site`.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from lessons.page.command import main as write_page
from lessons.site import beside, notebooks, pages
from lessons.site.links import ROOT
from lessons.teaching.cover import COVER
from lessons.teaching.notebooks import notebook_of, sources

SETTINGS = Path(__file__).parent / "sphinx"


def main(arguments: list[str]) -> int:
    """Sphinx's exit code. Raises ValueError without Sphinx, or for a notebook that is not there."""
    parser = argparse.ArgumentParser(
        prog="python -m lessons site", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("site"), help="default: site")
    options = parser.parse_args(arguments)
    try:
        from sphinx.cmd.build import build_main
    except ImportError as error:
        raise ValueError("Sphinx is not installed: `make site`, or `pip install finetune-by-hand[site]`") from error
    place = options.out / "en"
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder)
        write_sources(written)
        os.environ["SITE_STATIC"] = str(written / "_static")
        code = build_main(
            ["-q", "--keep-going", "-b", "html", "-c", str(SETTINGS), "-d", f"{folder}/.doctrees", folder, str(place)]
        )
    if code == 0:
        print(f"open {place / 'index.html'}")
    return int(code)


def write_sources(folder: Path) -> None:
    """Every page as Sphinx reads it, and the pictures."""
    static = folder / "_static"
    static.mkdir(parents=True)
    files = pages.existing(pages.SUBJECT)
    lessons = [source.stem for source in sources()]
    known = {f"lessons/notebooks/{name}.ipynb": f"lessons/{name}" for name in lessons}
    known |= {f"lessons/{name}.py": f"lessons/{name}" for name in lessons}
    known |= {file: f"source/{pages.page_name(file)}" for file in files}
    made = {f"source/{pages.page_name(file)}": beside.page_of(file, ROOT) for file in files}
    for source in sources():
        place = notebooks.Place(f"lessons/{source.stem}", static / "lessons", known)
        if not notebook_of(source).is_file():
            raise ValueError(f"there is no {notebook_of(source)}: `make notebooks` makes it")
        made[place.page] = notebooks.page_of(notebook_of(source), place)
    made |= {f"api/{package}": pages.api(package) for package in pages.PACKAGES}
    made |= {
        "index": pages.front(lessons, files),
        "see": pages.see(),
        "results": pages.results(),
        "exercises": pages.exercises(),
        "glossary": pages.glossary(known),
        "teachers": pages.teachers(),
    }
    pages.write(made, folder)
    shutil.copy(COVER, static / "cover.png")
    write_page(["--out", str(static / "page.html")])


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main(sys.argv[1:]))
