"""Files of students: weights in safetensors format and a JSON description. No torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.optional_imports import optional_import

from ..core.old_names import current_config
from ..core.packing import dequantise_arrays

FORMAT = 1
"""Version of the file format; other versions are refused."""

METADATA_KEY = "dynamaze"
"""Entry of a file's metadata that holds the JSON document."""

Arrays = dict[str, npt.NDArray[Any]]


class StudentFileError(ValueError):
    """Error for a file without a readable student; the message names the file and the reason."""


class StoredStudent(NamedTuple):
    """Contents of a student's file."""

    weights: Arrays  # by name
    config: dict[str, Any]  # arguments of `make_student`
    card: dict[str, Any]  # entries of its `Card`; may be empty


def write_weights(
    path: str | os.PathLike[str],
    weights: Mapping[str, npt.NDArray[Any]],
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Write a student's file, atomically.

    Args:
        path: the file.
        weights: arrays by name.
        config: arguments of `make_student`.
        card: entries of its `Card`.
        shapes: shapes of the quantised and packed weights (see `packing`), if there are any.

    Raises:
        TypeError: if the description is not JSON.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    library = _safetensors("numpy")
    arrays = {name: np.asarray(array, order="C") for name, array in weights.items()}
    about = {"format": FORMAT, "config": dict(config), "card": dict(card)}
    if shapes:
        about["shapes"] = {name: list(shape) for name, shape in shapes.items()}
    about["sha256"] = _digest(arrays, about)
    # One entry, since safetensors does not fix the order of several.
    content = library.save(arrays, metadata={METADATA_KEY: json.dumps(about)})
    write_atomically(path, content)


def read_weights(path: str | os.PathLike[str]) -> StoredStudent:
    """Read a student's file; quantised weights are returned as float32.

    Names of version 0.1 are replaced by those of today.

    Raises:
        StudentFileError: if it is missing, cut short, damaged, foreign or of another format.
    """
    library = _safetensors("numpy")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise StudentFileError(f"{path} cannot be read: {error.strerror}") from None
    try:
        weights = library.load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except Exception as error:  # a damaged file fails in many ways, all with this meaning
        raise StudentFileError(
            f"{path} is not a whole safetensors file ({error}); it may be cut short or of another "
            "kind"
        ) from None
    about = _document(path, metadata)
    if about.pop("sha256", None) != _digest(weights, about):
        raise StudentFileError(f"{path} is damaged: its SHA-256 does not match")
    if "shapes" in about:
        try:
            weights = dequantise_arrays(weights, about["config"].get("bits"), about["shapes"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise fitting_error(path, about["config"].get("kind"), str(error)) from None
    return StoredStudent(weights, current_config(about["config"]), about["card"])


def fitting_error(path: object, kind: object, why: str) -> StudentFileError:
    """Return the error for weights that do not fit their description."""
    return StudentFileError(f"{path}: the weights do not fit a student of kind {kind!r}: {why}")


def _document(path: object, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        about = json.loads(metadata[METADATA_KEY])
        found = about["format"]
    except (KeyError, TypeError, ValueError):
        raise StudentFileError(
            f"{path} holds weights, but no description of a student; expected a file written by "
            "save_student"
        ) from None
    if found != FORMAT:
        raise StudentFileError(f"{path} has format {found!r}; expected {FORMAT}")
    if not isinstance(about.get("config"), dict) or not isinstance(about.get("card"), dict):
        raise StudentFileError(f"{path} has no config and card; expected a file of save_student")
    return dict(about)


def _digest(weights: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(weights):
        array = weights[name]
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _safetensors(part: str) -> Any:
    return optional_import(f"safetensors.{part}", extra="distill", purpose="a student's file")
