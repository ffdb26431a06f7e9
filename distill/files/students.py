"""Saving and loading of students: safetensors, a JSON description and a model card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.common.atomic_files import write_together
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.reading import read_bytes

from ..students.parametrised import QUANTISATION_KEYS, plain_weights
from ..students.quantise import is_quantised, packed_weights, quantised, quantised_weights
from ..students.registry import STUDENTS, is_makeable, make_student
from ..students.shapes import check_weights
from .card import Card, is_page, stored_card
from .weights import Arrays, StoredStudent, fitting_error, read_weights, weights_content

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message


def save_student(path: str | os.PathLike[str], student: Any, *, card: Card | None = None) -> None:
    """Write a student, atomically and without pickle; with a card, also write its page.

    The card is part of the file. Its page is replaced after the file: a kill in between may leave
    no page, but never that of another card. Without a card the page of an older one is removed.

    A quantised student is stored as integers and scales, and loaded as a quantised student with
    bit-identical weights. A pruned one keeps its zeros, but is loaded without masks: `pruned` fixes
    the zeros again.

    Args:
        path: the file, usually `.safetensors`; the card goes beside it, as `.md`.
        student: a network, table or tree of `STUDENTS`.
        card: its model card.

    Raises:
        TypeError: for a student that `make_student` cannot make.
        ValueError: for a weight that is not finite, or a path that ends in `.md`.
        OSError: if a file cannot be written; an older one stays as it was.
    """
    page = Path(path).with_suffix(".md")
    if page == Path(path):
        raise ValueError(f"path={os.fspath(path)!r}; expected another ending than that of the page")
    content = _content(student, {} if card is None else card.to_json())
    if card is not None:
        text = card.page(Path(path).name, student.config, len(content))
        write_together((path, content), [(page, text.encode())])
    else:
        write_together((path, content), [], [page] if _has_page(page) else [])


def file_bytes(student: Any) -> int:
    """Return the size in bytes of a student's file, without a card.

    Beside the weights it holds their names, shapes and digests, and the student's `config`.

    Raises:
        TypeError, ValueError: as `save_student`.
    """
    return len(_content(student, {}))


def _content(student: Any, card: dict[str, Any]) -> bytes:
    """Return the content of a student's file."""
    stored = to_stored(student)
    weights, shapes = stored.weights, {}
    if is_quantised(student):
        shapes = {
            name: weight.integers.shape for name, weight in quantised_weights(student).items()
        }
        weights = {**weights, **packed_weights(student)}
    return weights_content(weights, stored.config, card, shapes=shapes)


def _has_page(path: Path) -> bool:
    """Tell whether a file is the page of an older student's card, and no other text."""
    try:
        return is_page(read_bytes(path, 2**20).decode())
    except (OSError, ValueError):
        return False


def load_student(path: str | os.PathLike[str]) -> Any:
    """Load the student of a file.

    Args:
        path: the file, or `builtin:NAME` (`BUILTIN`).

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, or
            weights that do not fit their description.
        ValueError: for an unknown built-in student.
    """
    weights, config, _ = read_weights(path)
    kind = config.get("kind")
    rounding = {name: config[name] for name in QUANTISATION_KEYS if name in config}
    try:
        check_weights(config, weights)  # before a student of any declared size is made
        student = make_student(**{name: config[name] for name in config if name not in rounding})
        if isinstance(student, torch.nn.Module):
            tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
            student.load_state_dict(tensors)
        else:
            student.set_state(weights)
        if rounding:
            student = quantised(student, **rounding)
    except ImportError:
        raise
    except Exception as error:  # a forged file fails in many ways
        raise fitting_error(path, kind, error) from None
    return student


def load_card(path: str | os.PathLike[str]) -> Card:
    """Load the card of a student's file, or of `builtin:NAME`.

    Raises:
        StudentFileError: (a ValueError) as `load_student`, or for an invalid card.
    """
    return stored_card(path, read_weights(path).card)


def to_stored(student: Any) -> StoredStudent:
    """Return weights and description of a student; quantised weights as their float values.

    Raises:
        TypeError: for a student that `make_student` cannot make.
    """
    config = getattr(student, "config", None)
    if not is_makeable(config):
        raise TypeError(
            f"a {type(student).__name__} with config={config!r}; expected a student whose kind is "
            f"one of {sorted(STUDENTS)}, since only these can be loaded from a file"
        )
    if not isinstance(student, torch.nn.Module):
        return StoredStudent(student.get_state(), config, {})
    weights: Arrays = {
        name: np.array(tensor.detach().cpu().numpy())
        for name, tensor in plain_weights(student).items()
    }
    return StoredStudent(weights, config, {})
