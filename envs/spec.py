"""Arguments of an environment's spec as JSON can hold them, so that `spec.to_json()` works.

Gymnasium stores the arguments of `gym.make` as they were given and writes them with `json`. Here
layouts, arrays, paths, processes of changes and the like are stored in another form that the
environments accept, too, and that makes an equal environment.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from dynamaze.common.validation import shown

from .mazes.layout import Layout, text_rows
from .mazes.random_changes import RandomChanges
from .mazes.schedule import Schedule, layout_numbers
from .timing.timeline import TimedChange

DTYPES = (np.generic, int, float)
"""Classes that stand for a dtype."""

MAX_ITEMS = 1_000_000
"""Items of an argument that is an iterator."""


def json_spec(spec: EnvSpec | None, one_shot: Mapping[str, Any]) -> EnvSpec | None:
    """Return a spec whose arguments JSON can hold.

    Args:
        spec: as Gymnasium made it; not changed.
        one_shot: the items of arguments that were iterators, which are exhausted now.
    """
    if spec is None:
        return None
    made = copy.copy(spec)
    made.kwargs = {
        name: json_argument(one_shot.get(name, value)) for name, value in spec.kwargs.items()
    }
    return made


def materialised(arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arguments with lists in place of iterators, and these lists in a form for JSON.

    Raises:
        ValueError: for an iterator of more than `MAX_ITEMS` items, which may be endless.
    """
    lists = {
        name: list(islice(value, MAX_ITEMS + 1))
        for name, value in arguments.items()
        if isinstance(value, Iterator)
    }
    for name, items in lists.items():
        if len(items) > MAX_ITEMS:
            raise ValueError(
                f"{name}={shown(arguments[name])}; expected an iterator of at most {MAX_ITEMS:,} "
                "items"
            )
    return {**arguments, **lists}, {name: json_argument(value) for name, value in lists.items()}


def json_argument(value: Any) -> Any:  # noqa: PLR0911, PLR0912  # a table of types
    """Return an argument as JSON can hold it; what no environment accepts stays as it is."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):  # NumPy's, for example
        return str(value)
    if isinstance(value, Layout):
        return {"layout": value.to_rows(), **layout_numbers(value)}
    if isinstance(value, Schedule):
        return {"layout": value.to_text().split("\n"), **layout_numbers(value.layouts[0])}
    if isinstance(value, TimedChange):
        return json_argument(value.to_json())
    if isinstance(value, RandomChanges):
        given = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: json_argument(own) for name, own in given if own is not None}
    if isinstance(value, Path):  # with a separator it is not the name of a maze of the book
        return str(value) if value.is_absolute() else f"{os.curdir}{os.sep}{value}"
    if isinstance(value, Enum):
        return json_argument(value.value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, DTYPES)):
        return np.dtype(value).name
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "U":
        return text_rows(value)
    if isinstance(value, np.ndarray | np.generic):
        return json_argument(value.tolist())
    if isinstance(value, Mapping):
        return _json_mapping(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | memoryview):
        return [json_argument(one) for one in value]
    return value


def _json_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    made = {
        int(key) if isinstance(key, np.integer) else key: json_argument(one)
        for key, one in value.items()
    }
    layout = value.get("layout")
    if isinstance(layout, Layout):
        # In a change a `Layout` keeps its own numbers, unless others are given.
        own = set(layout_numbers(layout))
        made["layout"] = layout.to_rows()
        if not own & made.keys():
            made.update(layout_numbers(layout))
    return made
