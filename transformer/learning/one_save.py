"""A config and its tensors as one save: a kill leaves the old pair or the new one, never a mixture.

The tensors take their name first, so a run that is killed then leaves new tensors beside the old config. Tensors that come
with another config than the one that stands there therefore carry it, and the digest of the old one. `read_both` finds the
old one still there and takes what the tensors carry:

    killed        on disk                          the config that counts
    before        old tensors, old config          the file
    in between    new tensors, old config          the one that the tensors carry
    after         new tensors, new config          the file
"""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from transformer.learning.files import replace
from transformer.learning.formats import json_bytes, read_object, read_tensors, tensor_bytes
from transformer.learning.reading import as_object, parse_json

CARRIED, REPLACED = "config", "replaced_config_sha256"
"""What a file of tensors says in its metadata where its config takes the place of another one."""


def write_both(config_path: Path, config: Any, tensors_path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A config and its tensors as one save: after a kill at any instant `read_both` finds the old one or the new one.

    Raises OSError that names the file; then both are as they were. Programs that know of no carried config see new tensors
    beside the old config if the kill falls between the two renames, which follow on one another.
    """
    new = json_bytes(config)
    old = config_path.read_bytes() if config_path.is_file() else new
    carried = {} if old == new else {CARRIED: new.decode(), REPLACED: hashlib.sha256(old).hexdigest()}
    replace({tensors_path: tensor_bytes(tensors, carried), config_path: new})


def read_both(config_path: Path, tensors_path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and tensors of one save, also while another process saves anew. Raises what `read_object` and `read_tensors` do."""
    standing = config_path.read_bytes() if config_path.is_file() else b""
    config = read_object(config_path)
    tensors, metadata = read_tensors(tensors_path)
    if config_path.read_bytes() != standing:
        return read_both(config_path, tensors_path)
    if metadata.get(REPLACED) == hashlib.sha256(standing).hexdigest() and CARRIED in metadata:
        warnings.warn(
            f"{config_path} is of an older save than {tensors_path.name}, and so its own config, which it carries, is taken: "
            "a save was cut short, or the file was put back by hand; saving again puts it right",
            stacklevel=3,
        )
        config = as_object(
            parse_json(metadata[CARRIED], f"{tensors_path}'s config", "save it again"), str(tensors_path)
        )
    return config, tensors
