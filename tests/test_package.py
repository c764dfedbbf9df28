"""The distribution: what it is called, what it needs, what travels in its wheel."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("transformer", "quant", "peft", "rlhf", "lessons")
PIN_FILES = ("constraints.txt", "tests/parity/requirements.txt")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def install_requires() -> list[str]:
    """What the package cannot run without."""
    return setup_cfg()["options"]["install_requires"].split()


def requirements() -> dict[str, Requirement]:
    """What the package and all of its extras ask for, but for the extras that contain another."""
    config = setup_cfg()
    groups = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line for group in groups for line in group.splitlines() if line.strip()]
    asked = {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}
    asked.pop(canonicalize_name(config["metadata"]["name"]))
    return asked


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def python(*arguments: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Runs another Python in `cwd` that looks in `path` first."""
    environment = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_environment_of_the_comparison_has_all_that_the_package_runs_with() -> None:
    """Its processes import the course too, and a missing package would be seen there alone."""
    needed = {canonicalize_name(Requirement(line).name) for line in install_requires()}
    assert needed <= pins("tests/parity/requirements.txt").keys()


def test_nothing_that_is_installed_depends_on_hugging_face_s_peft_or_transformers():
    of_hugging_face = {"peft", "transformers"}

    assert not of_hugging_face & requirements().keys()
    assert not of_hugging_face & pins("constraints.txt").keys()


def test_every_requirement_has_a_tested_version_that_it_allows():
    tested = pins("constraints.txt")

    refused = {name for name, asked in requirements().items() if not asked.specifier.contains(tested.get(name, "0"))}

    assert refused == set()


@pytest.mark.parametrize("file", PIN_FILES)
def test_a_pin_is_a_name_and_an_exact_version_and_nothing_else(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()

    other = [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)]

    assert other == []
    assert not re.search(r"https?://", "\n".join(lines))


def test_both_environments_hold_the_same_versions_of_what_they_share():
    ours, parity = (pins(file) for file in PIN_FILES)

    different = {name: (ours[name], parity[name]) for name in ours.keys() & parity.keys() if ours[name] != parity[name]}

    assert different == {}


def test_the_changelog_tells_of_the_version_that_is_installed():
    version = setup_cfg()["metadata"]["version"]

    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_tests_import_the_checkouts_peft_where_another_is_on_the_path(tmp_path):
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "__init__.py").write_text("raise ImportError('this is another peft')")
    file = str(ROOT / "tests" / "test_package.py")

    run = python("-m", "pytest", "-p", "peft", "--collect-only", file, cwd=tmp_path, path=tmp_path)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that no build folder appears in the tree and none that is there gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        if (ROOT / package).is_dir():
            shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))

    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    run = python(*build, cwd=source, path=folder)

    assert run.returncode == 0, run.stderr
    return next(folder.glob("finetune_by_hand-*.whl"))


@pytest.mark.slow
def test_a_wheel_holds_the_data_and_the_base_and_neither_tests_nor_notebooks(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert any(name.startswith("lessons/data/") and not name.endswith(".py") for name in names)
    assert any(name.startswith("lessons/base/") and name.endswith(".safetensors") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "lessons/notebooks/")) or "__pycache__" in name]


@pytest.mark.slow
def test_a_wheel_in_an_empty_folder_pronounces_a_word(wheel, tmp_path):
    target = tmp_path / "installed"
    python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel), cwd=tmp_path, path=target
    )

    where = python("-c", "import lessons; print(lessons.__file__)", cwd=tmp_path, path=target)
    said = python("-m", "lessons", "pronounce", "word", cwd=tmp_path, path=target)

    assert Path(where.stdout.strip()).is_relative_to(target), where.stderr
    assert said.returncode == 0, said.stderr
    assert "wˈɜ" in said.stdout
