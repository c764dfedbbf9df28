"""Where a command writes: asked before its work, so that nothing is lost at its end. For argparse, as `type=out_folder`."""

from pathlib import Path


def out_folder(text: str) -> Path:
    """The folder's path. Raises NotADirectoryError where it, or a folder above it, is a file."""
    path = Path(text)
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(f"{place} is a file, and a folder is wanted: name another one")
    return path


def out_file(text: str) -> Path:
    """The file's path. Raises IsADirectoryError for a folder, NotADirectoryError for a file where its folder should be."""
    path = Path(text)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and a file is wanted: name one in it")
    out_folder(str(path.parent))
    return path
