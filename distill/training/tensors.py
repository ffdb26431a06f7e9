"""Nested states of torch as arrays and a JSON document, and back: checkpoints without pickle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dynamaze.common.storage import CheckpointError

from ..students.base import Student

_ARRAY, _PAIRS = "__array__", "__pairs__"


def pack(state: Any) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    """Arrays by number, and a JSON document that says where they belong.

    Args:
        state: dictionaries, lists, numbers, text, None, NumPy arrays and tensors.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, (np.ndarray, np.generic)):
            name = f"a{len(arrays)}"
            arrays[name] = np.array(value)
            return {_ARRAY: name}
        if isinstance(value, dict):
            return {_PAIRS: [[key, walk(inner)] for key, inner in value.items()]}
        if isinstance(value, (list, tuple)):
            return [walk(inner) for inner in value]
        return value

    document = walk(state)
    return arrays, document


def unpack(arrays: dict[str, npt.NDArray[Any]], document: Any) -> Any:
    """The state that was packed; tensors come back as arrays, tuples as lists."""
    if isinstance(document, dict):
        if _ARRAY in document:
            return arrays[document[_ARRAY]]
        return {key: unpack(arrays, inner) for key, inner in document[_PAIRS]}
    if isinstance(document, list):
        return [unpack(arrays, inner) for inner in document]
    return document


def restore_tensors(student: Student, optimizer: torch.optim.Optimizer, part: Any) -> None:
    """Put a student's weights and its optimizer's memory back.

    Raises:
        dynamaze.common.storage.CheckpointError: (a ValueError) if the weights are not the
            student's.
    """
    weights = {name: torch.from_numpy(np.array(array)) for name, array in part["weights"].items()}
    try:
        student.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"weights that do not fit the student: {first}") from None
    memory = {
        number: {name: torch.from_numpy(np.array(array)) for name, array in entry.items()}
        for number, entry in part["optimizer"].items()
    }
    optimizer.load_state_dict(
        {"state": memory, "param_groups": optimizer.state_dict()["param_groups"]}
    )
