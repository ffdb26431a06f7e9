"""Nested states as arrays and a JSON document, for checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.optional_imports import optional_import

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

_ARRAY, _PAIRS = "__array__", "__pairs__"


def pack_state(state: Any) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    """Split a nested state into arrays and a JSON document that refers to them.

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


def unpack_state(arrays: dict[str, npt.NDArray[Any]], document: Any) -> Any:
    """Restore the state of `pack_state`; tensors are returned as arrays, tuples as lists."""
    if isinstance(document, dict):
        if _ARRAY in document:
            return arrays[document[_ARRAY]]
        return {key: unpack_state(arrays, inner) for key, inner in document[_PAIRS]}
    if isinstance(document, list):
        return [unpack_state(arrays, inner) for inner in document]
    return document
