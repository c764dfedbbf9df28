"""The course as a site that opens from disk: no server, no request; search too.

    python -m lessons site               into site/en, and site/zh
    python -m lessons site --out DIR     into DIR

Made with Sphinx from the kept notebooks, the sources, the results and the
glossary. `pip install finetune-by-hand[site]`, or `make site`.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lessons.language.choice import speaking
from lessons.language.options import Options
from lessons.page.command import main as write_page
from lessons.site import beside, notebooks, pages
from lessons.site.clinic import clinic
from lessons.site.links import ROOT
from lessons.teaching.cover import COVER
from lessons.teaching.notebooks import NOTEBOOKS, sources
from lessons.teaching.said import in_english
from lessons.translate.assemble import ZH_NOTEBOOKS, speaker
from lessons.translate.texts import COURSE

SETTINGS = Path(__file__).parent / "sphinx"


def main(arguments: list[str]) -> int:
    """Sphinx's exit code. Raises ValueError without Sphinx, or for a notebook that is not there."""
    parser = Options("site", __doc__)
    parser.add_argument("--out", type=Path, default=Path("site"), help="default: site")
    options = parser.parse_args(arguments)
    try:
        from sphinx.cmd.build import build_main
    except ImportError as error:
        raise ValueError("Sphinx is not installed: `make site`, or `pip install finetune-by-hand[site]`") from error
    languages = (
        ["en", "zh"] if all(ZH_NOTEBOOKS.joinpath(f"{source.stem}.ipynb").is_file() for source in sources()) else ["en"]
    )
    with tempfile.TemporaryDirectory() as folder:
        codes = []
        for language in languages:
            with speaking(language):
                codes.append(made(language, options.out / language, Path(folder) / language, build_main))
    return max(codes)


def made(language: str, place: Path, folder: Path, build_main: Callable[[list[str]], int]) -> int:
    """One language's site in `place`, from pages that are written into `folder`. Sphinx's exit code."""
    write_sources(folder, language)
    write_page(["--out", str(folder / "_static" / "page.html")])
    os.environ |= {"SITE_STATIC": str(folder / "_static"), "SITE_LANGUAGE": language}
    code = int(
        build_main(
            ["-q", "--keep-going", "-b", "html", "-c", str(SETTINGS), "-d", f"{folder}-read", str(folder), str(place)]
        )
    )
    if code == 0:
        print(f"open {place / 'index.html'}")
    return code


def write_sources(folder: Path, language: str) -> None:
    """Every page as Sphinx reads it, and the pictures."""
    static = folder / "_static"
    static.mkdir(parents=True)
    files = pages.existing(pages.SUBJECT)
    lessons = [source.stem for source in sources()]
    kept = {"en": NOTEBOOKS, "zh": ZH_NOTEBOOKS}[language]
    say = speaker(COURSE) if language == "zh" else in_english
    known = {f"{kept.relative_to(ROOT).as_posix()}/{name}.ipynb": f"lessons/{name}" for name in lessons}
    known |= {f"lessons/notebooks/{name}.ipynb": f"lessons/{name}" for name in lessons}
    known |= {f"lessons/{name}.py": f"lessons/{name}" for name in lessons}
    known |= {file: f"source/{pages.page_name(file)}" for file in files}
    made = {f"source/{pages.page_name(file)}": beside.page_of(file, ROOT, say) for file in files}
    for name in lessons:
        place = notebooks.Place(f"lessons/{name}", static / "lessons", known, say)
        if not (file := kept / f"{name}.ipynb").is_file():
            raise ValueError(f"there is no {file}: `make notebooks` makes it")
        made[place.page] = notebooks.page_of(file, place)
    made |= {f"api/{package}": pages.api(package) for package in pages.PACKAGES}
    made |= {
        "index": pages.front(lessons, files, say),
        "see": pages.see(say),
        "results": pages.results(say),
        "clinic": clinic(say),
        "exercises": pages.exercises(say),
        "glossary": pages.glossary(known),
        "teachers": pages.teachers(),
    }
    pages.write(made, folder)
    shutil.copy(COVER, static / "cover.png")


if __name__ == "__main__":
    os.chdir(ROOT)
    raise SystemExit(main(sys.argv[1:]))
