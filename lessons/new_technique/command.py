"""Begin a technique of your own: its file, reference and tests, to fill in.

    python -m lessons new-technique loha

writes peft/loha.py, tests/reference/loha.py and tests/peft/test_loha.py. They
run as they are: a gain on every output feature, until you write your formula.
"""

import keyword
import re
from pathlib import Path

from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say
from peft import RECIPES

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FILES = {
    "technique": "peft/{}.py",
    "reference": "tests/reference/{}.py",
    "test": "tests/peft/test_{}.py",
}


def main(arguments: list[str]) -> int:
    parser = Options("new-technique", __doc__)
    parser.add_argument("name", metavar="NAME", help="in small letters: of its file, and of its row in every table")
    name = parser.parse_args(arguments).name
    check(name)
    for path in write(name, ROOT):
        print(in_language(f"wrote {path.relative_to(ROOT)}"))
    print(in_language(f"run    python -m pytest tests/peft/test_{name}.py"))
    print(f"\n{say('And into peft/recipes.py, as an import and as a line:')}\n")
    print(f"    from peft.{name} import {class_name(name)}Config\n")
    print(f'    "{name}": Recipe({class_name(name)}Config, family="scaled features"),\n')
    print(say("CONTRIBUTING.md tells the rest of the way."))
    return 0


def check(name: str) -> None:
    """Raises ValueError for what is no name, and for a name that is taken; FileNotFoundError where no tests are."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no name for a file: small letters, digits and _ , a letter first")
    if not (ROOT / "tests" / "peft").is_dir():
        raise FileNotFoundError(f"{ROOT} has no tests/peft: a technique is begun in a clone of the repository")
    taken = [path for path in paths(name, ROOT).values() if path.exists() or path.with_suffix("").exists()]
    if name in RECIPES or taken:
        where = ", ".join(str(path.relative_to(ROOT)) for path in taken) or "peft/recipes.py"
        raise ValueError(f"{name!r} is taken: {where}")


def write(name: str, root: Path) -> list[Path]:
    """Writes the three files under `root`; returns them."""
    written = []
    for kind, path in paths(name, root).items():
        text = (HERE / f"{kind}.py.txt").read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(renamed(text, name), encoding="utf-8")
        written.append(path)
    return written


def paths(name: str, root: Path) -> dict[str, Path]:
    return {kind: root / form.format(name) for kind, form in FILES.items()}


def renamed(text: str, name: str) -> str:
    """The text about `name`: where the placeholder's name is a module's, a class's, a type's or a title, and no other."""
    for old, new in {
        "peft.gain": f"peft.{name}",
        "import gain as": f"import {name} as",
        "reference.gain(": f"reference.{name}(",
        "def gain(": f"def {name}(",
        '"GAIN"': f'"{name.upper()}"',
        "GainConfig": f"{class_name(name)}Config",
        "GainLinear": f"{class_name(name)}Linear",
        '"""Gain': f'"""{class_name(name)}',
    }.items():
        text = text.replace(old, new)
    return text


def class_name(name: str) -> str:
    """`low_rank` → LowRank."""
    return "".join(part.capitalize() for part in name.split("_"))
