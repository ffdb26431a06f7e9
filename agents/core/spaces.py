"""Table rows of Gymnasium's discrete spaces, and spaces as JSON."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import IntArray
from dynamaze.common.configuration import Configurable


class Spaces(NamedTuple):
    """The spaces of an environment, which an agent needs to predict."""

    observation: spaces.Space[Any]
    action: spaces.Space[Any]


class TableRows(Configurable):
    """Encoder of observations as the row numbers of a table.

    Args:
        space: `Discrete`, `MultiDiscrete`, or a `Tuple` of `Discrete`.

    Raises:
        TypeError: for any other space.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        parts = space.spaces if isinstance(space, spaces.Tuple) else (space,)
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            self.shape = tuple(int(n) for n in space.nvec)
            self._start = np.broadcast_to(np.asarray(space.start), (len(self.shape),))
        elif all(isinstance(part, spaces.Discrete) for part in parts):
            self.shape = tuple(int(part.n) for part in parts)  # type: ignore[attr-defined]  # Discrete
            self._start = np.array([int(part.start) for part in parts])  # type: ignore[attr-defined]
        else:
            raise TypeError(
                f"observation space {space}; a table needs Discrete, MultiDiscrete or a Tuple of "
                'Discrete (a maze has one with observation="index" or "coordinates")'
            )
        self._space = space
        self._is_number = isinstance(space, spaces.Discrete)
        self._is_tuple = isinstance(space, spaces.Tuple)
        self.size = math.prod(self.shape)

    def one(self, observation: Any) -> int:
        """Return the row of one observation."""
        if self._is_number:
            return int(observation) - int(self._start[0])
        return int(np.ravel_multi_index(tuple(np.asarray(observation) - self._start), self.shape))

    @property
    def start(self) -> list[int]:
        """Smallest value of each part of an observation."""
        return [int(first) for first in self._start]

    def many(self, observations: Any) -> tuple[IntArray, bool]:
        """Return the (n,) rows of a batch, and True if a single observation was given instead.

        Raises:
            ValueError: for observations of another shape or dtype, or outside the space.
        """
        expected = f"expected one integer observation of {self._space}, or a batch of them"
        # A tuple is made of parts, each of one observation or of a batch; a list is a batch.
        has_parts = self._is_tuple and isinstance(observations, tuple)
        try:
            columns = np.stack(observations, axis=-1) if has_parts else np.asarray(observations)
        except ValueError:
            raise ValueError(f"observations of uneven lengths; {expected}") from None
        if self._is_number:
            columns = columns[..., None]
        width = len(self.shape)
        if (
            columns.dtype.kind not in "iu"
            or columns.ndim not in (1, 2)
            or (columns.shape[-1] != width)
        ):
            raise ValueError(
                f"observations of shape {np.shape(observations)} and dtype {columns.dtype}; "
                f"{expected}"
            )
        places = np.atleast_2d(columns) - self._start
        outside = ((places < 0) | (places >= np.array(self.shape))).any(axis=1)
        if outside.any():
            which = np.atleast_2d(columns)[outside][0].tolist()
            raise ValueError(f"observation {which}; expected one of {self._space}")
        rows = np.ravel_multi_index(tuple(places.T.astype(np.int64)), self.shape)
        return rows.astype(np.int64), columns.ndim == 1


def count_actions(space: spaces.Space[Any]) -> tuple[int, int]:
    """Return the number of actions and the number of the first one.

    Raises:
        TypeError: if the space is not `Discrete`.
    """
    if not isinstance(space, spaces.Discrete):
        raise TypeError(f"action space {space}; a table of action values needs Discrete")
    return int(space.n), int(space.start)


def describe_spaces(pair: Spaces) -> dict[str, Any]:
    """Describe the spaces as JSON."""
    num_actions, first_action = count_actions(pair.action)
    return {
        "observation": type(pair.observation).__name__,
        **_describe_observation(pair.observation),
        "num_actions": num_actions,
        "first_action": first_action,
    }


def _describe_observation(space: spaces.Space[Any]) -> dict[str, Any]:
    if isinstance(space, spaces.Box):
        return describe_box(space)
    rows = TableRows(space)
    return {"shape": list(rows.shape), "start": rows.start}


def read_spaces(description: dict[str, Any]) -> Spaces:
    """Return the spaces that `describe_spaces` described.

    Raises:
        KeyError, ValueError: for a description of something else.
    """
    action = spaces.Discrete(description["num_actions"], start=description["first_action"])
    if description["observation"] == "Box":
        return Spaces(read_box(description), action)
    shape, start = description["shape"], description["start"]
    parts = [spaces.Discrete(n, start=first) for n, first in zip(shape, start, strict=True)]
    kinds: dict[str, spaces.Space[Any]] = {
        "Discrete": parts[0],
        "MultiDiscrete": spaces.MultiDiscrete(shape, start=start),
        "Tuple": spaces.Tuple(parts),
    }
    return Spaces(kinds[description["observation"]], action)


def describe_box(space: spaces.Box) -> dict[str, Any]:
    """Describe the bounds of a box as JSON."""
    return {"low": space.low.tolist(), "high": space.high.tolist(), "dtype": str(space.dtype)}


def read_box(description: dict[str, Any]) -> spaces.Box:
    """Return the box that `describe_box` described.

    Raises:
        KeyError, ValueError: for a description of something else.
    """
    dtype: Any = np.dtype(description["dtype"])
    low, high = (np.array(description[name], dtype=dtype) for name in ("low", "high"))
    return spaces.Box(low, high, dtype=dtype.type)
