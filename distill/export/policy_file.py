"""Any file of a student, ready to act."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from ..files.card import Card
from ..files.safetensors import StudentFileError, read_weights


class Opened(NamedTuple):
    """A policy from a file, and what the file tells of it."""

    policy: Any  # has `act(observation)`, and `action_logits` or `action_gaussian(observations)`
    kind: str
    card: Card


def open_policy(path: str | os.PathLike[str]) -> Opened:
    """A student from what `save_student` or `export_onnx` wrote.

    Students run without torch where their kind allows it.

    Args:
        path: a file whose name ends in `.safetensors` or `.onnx`.

    Raises:
        StudentFileError: (a ValueError) for another ending, or a file that is cut short, damaged
            or foreign.
        ImportError: without the libraries that the file needs.
    """
    ending = Path(path).suffix
    if ending == ".onnx":
        from .onnx_graph.policy import OnnxPolicy

        student = OnnxPolicy(path)
        return Opened(student, student.config["kind"], Card.from_json(student.card))
    if ending != ".safetensors":
        raise StudentFileError(
            f"{path} ends in {ending!r}; expected a policy in .safetensors or .onnx"
        )
    from .compiled import policy_of, runs_without_torch

    stored = read_weights(path)
    kind, card = str(stored.config.get("kind")), Card.from_json(stored.card)
    if runs_without_torch(stored.config):
        return Opened(policy_of(stored, where=path), kind, card)
    from ..files.students import load_student

    return Opened(load_student(path), kind, card)
