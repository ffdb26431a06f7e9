"""A student's file: weights as safetensors, and their description as JSON; no torch needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import write_atomically

from ..core.packing import plain_arrays

FORMAT = 1
"""The files' own version; a reader refuses any other."""

SAYS = "dynamaze"
"""The entry of a file's metadata that holds the JSON document."""

Arrays = dict[str, npt.NDArray[Any]]


class StudentFileError(ValueError):
    """A file that holds no student this version can read; the message names it and why."""


class Stored(NamedTuple):
    """What is in a student's file."""

    weights: Arrays  # by name
    config: dict[str, Any]  # the kind, and what else makes the student again
    card: dict[str, Any]  # what is told of it (see `Card`); may be empty


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
        config: what makes the student again.
        card: what is told of it.
        shapes: of the weights that are rounded and packed (see `packing`), if there are any.

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
    # One entry: the order of several would differ from run to run.
    content = library.save(arrays, metadata={SAYS: json.dumps(about)})
    write_atomically(path, content)


def read_weights(path: str | os.PathLike[str]) -> Stored:
    """What a student's file holds; rounded weights as float32.

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
        notes = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except Exception as error:  # a damaged file fails in many ways, all with this meaning
        raise StudentFileError(
            f"{path} is not a whole safetensors file ({error}); it may be cut short or of another "
            "kind"
        ) from None
    about = _document(path, notes)
    if about.pop("sha256", None) != _digest(weights, about):
        raise StudentFileError(f"{path} is damaged: its SHA-256 does not match")
    if "shapes" in about:
        try:
            weights = plain_arrays(weights, about["config"].get("bits"), about["shapes"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise fitting_error(path, about["config"].get("kind"), str(error)) from None
    return Stored(weights, about["config"], about["card"])


def fitting_error(path: object, kind: object, why: str) -> StudentFileError:
    """What is raised where weights do not fit their description."""
    return StudentFileError(f"{path}: the weights do not fit a student of kind {kind!r}: {why}")


def _document(path: object, notes: Mapping[str, str]) -> dict[str, Any]:
    try:
        about = json.loads(notes[SAYS])
        found = about["format"]
    except (KeyError, TypeError, ValueError):
        raise StudentFileError(
            f"{path} holds weights, but nothing tells which student's; expected a file written by "
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
