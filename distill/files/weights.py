"""Files of students: weights in safetensors format and a JSON description. No torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.reading import parse_json, read_bytes
from dynamaze.common.validation import PrintableError

from ..core.old_names import current_config
from ..core.packing import dequantise_arrays
from .builtin_students import student_path

FORMAT = 1
"""Version of the file format; other versions are refused."""

MOST_BYTES, MOST_HEADER_BYTES = 2**30, 2**20
"""Largest size of a file, and of its names, shapes and description."""

METADATA_KEY = "dynamaze"
"""Entry of a file's metadata that holds the JSON document."""

Arrays = dict[str, npt.NDArray[Any]]


class StudentFileError(PrintableError):
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
        ValueError: for a weight that is not finite.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    write_atomically(path, weights_content(weights, config, card, shapes=shapes))


def weights_content(
    weights: Mapping[str, npt.NDArray[Any]],
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> bytes:
    """Return the content of a student's file; arguments and errors are those of `write_weights`."""
    library = _safetensors("numpy")
    arrays = {name: np.asarray(array, order="C") for name, array in weights.items()}
    _check_finite(arrays)
    about = {"format": FORMAT, "config": dict(config), "card": dict(card)}
    if shapes:
        about["shapes"] = {name: list(shape) for name, shape in shapes.items()}
    about["sha256"] = _digest(arrays, about)
    # One entry, since safetensors does not fix the order of several.
    content: bytes = library.save(arrays, metadata={METADATA_KEY: json.dumps(about)})
    return content


def read_weights(path: str | os.PathLike[str]) -> StoredStudent:
    """Read a student's file; quantised weights are returned as float32.

    Names of version 0.1 are replaced by those of today.

    Args:
        path: the file, or `builtin:NAME`.

    Raises:
        StudentFileError: if it is missing, cut short, damaged, foreign or of another format.
        ValueError: for an unknown built-in student.
    """
    library, file = _safetensors("numpy"), student_path(path)
    try:
        content = read_bytes(file, MOST_BYTES)
        length = int.from_bytes(content[:8], "little")
        if length > min(MOST_HEADER_BYTES, len(content) - 8):
            raise ValueError(f"a header of {length:,} bytes in {len(content):,}")
        metadata = parse_json(content[8 : 8 + length]).get("__metadata__", {})
        weights = library.load(content)
    except OSError as error:
        raise StudentFileError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # a damaged file fails in many ways, all with this meaning
        raise StudentFileError(
            f"{path} is not a whole safetensors file ({error}); it may be cut short or of another "
            "kind"
        ) from None
    about = _document(path, metadata)
    if about.pop("sha256", None) != _digest(weights, about):
        raise StudentFileError(f"{path} is damaged: its SHA-256 does not match")
    try:
        if "shapes" in about:
            weights = dequantise_arrays(weights, about["config"].get("bits"), about["shapes"])
        _check_finite(weights)
        config = current_config(about["config"])
        _check_kinds(config)
    except Exception as error:  # a forged description fails in many ways, too
        raise fitting_error(path, about["config"].get("kind"), error) from None
    return StoredStudent(weights, config, about["card"])


def fitting_error(path: object, kind: object, error: Exception) -> StudentFileError:
    """Return the error for weights that do not fit their description."""
    reason = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
    return StudentFileError(f"{path}: the weights do not fit a student of kind {kind!r}: {reason}")


def _check_kinds(config: Mapping[str, Any]) -> None:
    """Check that the kind of a student and those of its parts are names."""
    if not isinstance(config.get("kind"), str | None):
        raise TypeError(f"kind={config['kind']!r}; expected a name")
    for part in config.values():
        if isinstance(part, Mapping):
            _check_kinds(part)


def _check_finite(weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check that all weights are finite; a stored logit may be -inf, of a probability of 0."""
    for name, array in weights.items():
        if array.dtype.kind != "f":
            continue
        wrong = ~np.isfinite(array)
        if name.endswith("logits"):
            wrong &= array != -np.inf
        if wrong.any():
            raise ValueError(f"{name} has {array[wrong].flat[0]}; expected finite numbers")


def _document(path: object, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        about = parse_json(metadata[METADATA_KEY])
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
    return optional_import(f"safetensors.{part}", purpose="a student's file")
