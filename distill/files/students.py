"""Students as files: weights as safetensors, a description as JSON, a model card beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dynamaze.common.storage import write_atomically

from ..students.parametrised import SAID, plain_weights
from ..students.quantise import frozen, is_quantised, packed_weights, quantised
from ..students.registry import STUDENTS, can_be_made, make_student
from .card import Card
from .safetensors import Arrays, Stored, fitting_error, read_weights, write_weights


def save_student(path: str | os.PathLike[str], student: Any, *, card: Card | None = None) -> None:
    """Write a student, atomically and without pickle; with a card also a page that describes it.

    A quantised student is written as integers and scales, and comes back as one, with the same
    bits. A pruned one comes back with its zeros, but as any other: `pruned` holds them again.

    Args:
        path: the file, by custom `.safetensors`; the card goes beside it, as `.md`.
        student: a network, table or tree of `STUDENTS`, made of no others.
        card: what is known of it.

    Raises:
        TypeError: for what `make_student` could not make again.
        OSError: if a file cannot be written; an older one stays as it was.
    """
    stored = stored_form(student)
    described = {} if card is None else card.to_json()
    weights, shapes = stored.weights, {}
    if is_quantised(student):
        shapes = {name: weight.integers.shape for name, weight in frozen(student).items()}
        weights = {**weights, **packed_weights(student)}
    write_weights(path, weights, stored.config, described, shapes=shapes)
    if card is not None:
        page = card.page(Path(path).name, stored.config)
        write_atomically(Path(path).with_suffix(".md"), page.encode())


def load_student(path: str | os.PathLike[str]) -> Any:
    """The student of a file, as `make_student` makes it, with its weights.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, or
            weights that do not fit their description.
    """
    weights, config, _ = read_weights(path)
    kind = config.get("kind")
    rounding = {name: config[name] for name in SAID if name in config}
    try:
        student = make_student(**{name: config[name] for name in config if name not in rounding})
        if isinstance(student, torch.nn.Module):
            given = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
            student.load_state_dict(given)
        else:
            student.set_state(weights)
        if rounding:
            student = quantised(student, **rounding)
    except (TypeError, ValueError, KeyError, IndexError, RuntimeError) as error:
        what = (
            f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        )
        raise fitting_error(path, kind, what) from None
    return student


def load_card(path: str | os.PathLike[str]) -> Card:
    """The card in a student's file.

    Raises:
        StudentFileError: (a ValueError) as `load_student`.
    """
    return Card.from_json(read_weights(path).card)


def stored_form(student: Any) -> Stored:
    """Weights and description of a student; rounded ones as the numbers that they stand for.

    Raises:
        TypeError: for what `make_student` could not make again.
    """
    config = getattr(student, "config", None)
    if not can_be_made(config):
        raise TypeError(
            f"a {type(student).__name__} with config={config!r}; expected a student whose kind is "
            f"one of {sorted(STUDENTS)}, which alone can be made again from a file"
        )
    if not isinstance(student, torch.nn.Module):
        return Stored(student.get_state(), config, {})
    weights: Arrays = {
        name: np.array(tensor.detach().cpu().numpy())
        for name, tensor in plain_weights(student).items()
    }
    return Stored(weights, config, {})
