"""Overlays of a maze: arrays given by the user, checked once and copied.

State arrays have shape (S,) or (rows, cols), where S = rows * cols and state `row * cols + col` is
cell (row, col); action arrays have a last axis of 4 (0 up, 1 right, 2 down, 3 left). NaN draws
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_choice, shown

from ..mazes.dynamics import NUM_ACTIONS

Shape = tuple[int, int]  # (rows, cols)

OVERLAYS: dict[str, str] = {
    "values": "state values: one color for each cell",
    "q": "action values: a triangle at each side of a cell",
    "policy": "policy: arrows, longer for the more probable actions",
    "visits": "visit counts: a tint of the floor and a bar, on a log scale",
    "belief": "predicted walls: of the model, correct, wrong (as predicted), or uncertain",
    "planned": "planning updates: the last ones, a mark at the action's side, paler with age",
    "tree": "search tree visits: a bubble for each cell, on a log scale",
    "trail": "trail: cells visited last",
    "changed": "changed walls: walls that appeared or were removed",
}
"""Name, title and description of each overlay, in the order of a viewer's number keys."""

SWITCHES = ("trail", "changed")  # parts of the scene itself, which are only shown or hidden

SETTINGS = ("value_range", "dark")  # of how overlays are drawn

SUM_TOLERANCE = 1e-3  # of the sum of the probabilities of a state


def overlay_title(name: str) -> str:
    """Return the title of an overlay, such as "action values" of "q"."""
    return OVERLAYS[name].partition(":")[0]


def find_overlay(given: str) -> str:
    """Return the name of an overlay from its name or its title, such as "q" of "action-values".

    Raises:
        ValueError: unknown overlay.
    """
    if given in OVERLAYS:
        return given
    named = {overlay_title(name).replace(" ", "-"): name for name in OVERLAYS}
    words = given.strip().lower().replace(" ", "-").replace("_", "-")
    return named[words] if words in named else named[checked_choice("overlay", given, named)]


@dataclass(frozen=True, eq=False)
class Overlays:
    """Overlays of one scene, immutable.

    Create them by `Overlays().replace(shape, ...)`, which checks and copies the arrays and makes
    the copies read-only.

    Attributes:
        values: state values, (rows, cols); drawn neither on walls nor on goals.
        q: action values, (rows, cols, 4); drawn as `values`.
        policy: action probabilities, (rows, cols, 4).
        visits: counts, (rows, cols).
        belief: probability of a wall in each cell, (rows, cols); NaN where unknown.
        planned: planning updates as pairs (state, action), the newest last, (n, 2).
        tree: visit counts in a search tree, (rows, cols).
        value_range: the ends (low, high) of the color scale of `values` and `q`. None: the smallest
            and the largest number drawn of both.
        dark: cover the cells of which `belief` knows nothing, so that the maze appears as it is
            known.
        hidden: names of overlays that are not drawn.
    """

    values: FloatArray | None = None
    q: FloatArray | None = None
    policy: FloatArray | None = None
    visits: FloatArray | None = None
    belief: FloatArray | None = None
    planned: IntArray | None = None
    tree: FloatArray | None = None
    value_range: tuple[float, float] | None = None
    dark: bool = False
    hidden: frozenset[str] = frozenset()

    def replace(self, shape: Shape, /, **given: object) -> Overlays:
        """Return a copy with some of the arrays replaced.

        Args:
            shape: of the maze, (rows, cols).
            **given: arrays by name; None removes an overlay. `values`, `visits` and `tree`: (S,).
                `q` and `policy`: (S, 4); the probabilities of a state sum to 1, or all are 0.
                `belief`: (rows, cols), bool or probabilities. `planned`: integers (n, 2), pairs
                (state, action), the newest last. `trail` and `changed`: bool, shown or hidden.
                `value_range`: (low, high). `dark`: bool. (S, ...) and (rows, cols, ...) are
                interchangeable.

        Raises:
            ValueError: an unknown name, or an array of a wrong shape or with impossible numbers.
            TypeError: a value that is not an array of numbers.
        """
        fields: dict[str, Any] = {}
        hidden = self.hidden
        for name, value in given.items():
            if name in SWITCHES:
                hidden = hidden - {name} if _switch(name, value) else hidden | {name}
            elif name == "dark":
                fields[name] = value is not None and _switch(name, value)
            else:
                read = _READERS[checked_choice("overlay", name, (*OVERLAYS, *SETTINGS))]
                fields[name] = None if value is None else read(name, value, shape)
        return replace(self, hidden=hidden, **fields)

    def only(self, names: Iterable[str]) -> Overlays:
        """Return a copy that shows only these overlays; the hidden arrays are kept.

        Args:
            names: keys of `OVERLAYS`.

        Raises:
            ValueError: an unknown name.
        """
        shown = frozenset(checked_choice("overlay", name, OVERLAYS) for name in names)
        return replace(self, hidden=frozenset(OVERLAYS) - shown)

    def visible(self) -> Overlays:
        """Return a copy without the hidden arrays."""
        gone = self.hidden.difference(SWITCHES)
        return replace(self, **dict.fromkeys(gone)) if gone else self  # type: ignore[arg-type]  # None each

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the shown overlays that have an array, in the order of `OVERLAYS`."""
        return tuple(
            name
            for name in OVERLAYS
            if name not in self.hidden and getattr(self, name, None) is not None
        )

    @property
    def colored(self) -> bool:
        """True if state or action values color the cells."""
        return self.values is not None or self.q is not None

    def check(self, shape: Shape) -> None:
        """Check that the arrays belong to a maze of this shape, (rows, cols).

        Raises:
            ValueError: an array belongs to another maze.
        """
        for name in self.names:
            array = getattr(self, name)
            if name == "planned":
                _check_pairs(name, array, shape)
            elif array.shape[:2] != shape:
                raise ValueError(f"{name}: array for a maze of {array.shape[:2]}; expected {shape}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickling and deep copies lose the read-only flag of arrays.
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(state)


def _switch(name: str, given: object) -> bool:
    """Check a switch; None is True, the default of the parts of the scene."""
    if given is None:
        return True
    if not isinstance(given, bool | np.bool_):
        raise TypeError(f"{name}: {shown(given)}; expected True, False or None")
    return bool(given)


def _array(name: str, given: object, kinds: str, expected: str) -> npt.NDArray[Any]:
    """Convert to an array and check its kind, one of NumPy's dtype kinds."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name}: not an array ({type(given).__name__}); expected {expected}"
        ) from None
    if array.dtype.kind not in kinds and array.size:
        raise TypeError(f"{name}: array of {array.dtype}; expected {expected}")
    return array


def _maze_array(name: str, given: object, shape: Shape, *last: int) -> FloatArray:
    """Check an array with one entry for each cell, of shape `last`; NaN is allowed."""
    flat, full = (shape[0] * shape[1], *last), (*shape, *last)
    array = _array(name, given, "biuf", f"numbers of shape {flat} or {full}")
    if array.shape not in (flat, full):
        raise ValueError(f"{name}: array of shape {array.shape}; expected {flat} or {full}")
    numbers = np.array(array, dtype=np.float64).reshape(full)
    _refuse(name, numbers, np.isinf(numbers), "a finite number, or NaN for nothing")
    numbers.setflags(write=False)
    return numbers


def _refuse(name: str, numbers: FloatArray, wrong: npt.NDArray[np.bool_], expected: str) -> None:
    """Raise a ValueError for the first number that is wrong, if there is one."""
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"cell {index[:2]}" + "".join(f", action {action}" for action in index[2:])
        raise ValueError(f"{name}: {numbers[index]} at {place}; expected {expected}")


def _read_counts(name: str, given: object, shape: Shape) -> FloatArray:
    counts = _maze_array(name, given, shape)
    _refuse(name, counts, counts < 0, "a count, at least 0, or NaN for nothing")
    return counts


def _read_belief(name: str, given: object, shape: Shape) -> FloatArray:
    return _probabilities(name, _maze_array(name, given, shape))


def _read_policy(name: str, given: object, shape: Shape) -> FloatArray:
    policy = _probabilities(name, _maze_array(name, given, shape, NUM_ACTIONS))
    sums = policy.sum(axis=2)
    wrong = (np.abs(sums - 1.0) > SUM_TOLERANCE) & (sums != 0.0)  # comparisons with NaN are False
    if wrong.any():
        row, col = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}: probabilities of cell ({row}, {col}) sum to {sums[row, col]:g}; "
            "expected 1, or 0 for no arrow"
        )
    return policy


def _probabilities(name: str, numbers: FloatArray) -> FloatArray:
    outside = (numbers < 0) | (numbers > 1)
    _refuse(name, numbers, outside, "a probability in [0, 1], or NaN for nothing")
    return numbers


def _read_planned(name: str, given: object, shape: Shape) -> IntArray:
    array = _array(name, given, "iu", "integers of shape (n, 2)")
    pairs = np.array(array if array.size else np.empty((0, 2)), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(
            f"{name}: array of shape {pairs.shape}; expected (n, 2), pairs (state, action)"
        )
    _check_pairs(name, pairs, shape)
    pairs.setflags(write=False)
    return pairs


def _check_pairs(name: str, pairs: IntArray, shape: Shape) -> None:
    """Check that every pair is a state and an action of the maze."""
    num_states = shape[0] * shape[1]
    outside = ((pairs < 0) | (pairs >= (num_states, NUM_ACTIONS))).any(axis=1)
    if outside.any():
        index = int(np.argmax(outside))
        state, action = (int(i) for i in pairs[index])
        raise ValueError(
            f"{name}: state {state}, action {action} in row {index}; "
            f"expected a state below {num_states} and an action below {NUM_ACTIONS}"
        )


def _read_range(name: str, given: object, _shape: Shape) -> tuple[float, float]:
    ends = _array(name, given, "iuf", "two numbers (low, high)")
    if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
        raise ValueError(f"{name}: {shown(given)}; expected two finite numbers, low < high")
    return float(ends[0]), float(ends[1])


_READERS: dict[str, Callable[[str, object, Shape], Any]] = {
    "values": _maze_array,
    "q": lambda name, given, shape: _maze_array(name, given, shape, NUM_ACTIONS),
    "policy": _read_policy,
    "visits": _read_counts,
    "belief": _read_belief,
    "planned": _read_planned,
    "tree": _read_counts,
    "value_range": _read_range,
}
