"""What can be laid over a maze: arrays that a user hands over, checked once and kept.

An array of one number for each state may come flat, (S,), or as the maze, (rows, cols), where
S = rows * cols and state `row * cols + col` is cell (row, col); arrays of one number for each
action have a last axis of 4 (0 up, 1 right, 2 down, 3 left). NaN draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import did_you_mean

Shape = tuple[int, int]  # (rows, cols)

OVERLAYS: dict[str, str] = {
    "values": "state values: one color for each cell",
    "q": "action values: a triangle at each side of a cell",
    "policy": "action probabilities: arrows, longer for the more probable",
    "visits": "visit counts on a log scale: a tint of the floor and a bar",
    "belief": "the walls a model believes in: right, wrong (what it believes is shown), or unsure",
    "planned": "the planner's last updates: a mark at the action's side, the oldest the palest",
    "tree": "visits in a search tree on a log scale: a bubble for each cell",
    "trail": "where the agent was last",
    "changed": "walls that just came or went",
}
"""Every overlay's name and what it shows, in the order of a viewer's keys."""

SWITCHES = ("trail", "changed")  # drawn from the scene itself: only to be switched on and off

NUM_ACTIONS = 4
SUM_TOLERANCE = 1e-3  # how far from 1 the probabilities of a state may sum


@dataclass(frozen=True, eq=False)
class Overlays:
    """The overlays of one scene; never changed, only replaced.

    Made by `Overlays().replace(shape, ...)`, which checks and copies. The arrays are read-only.

    Attributes:
        values: state values, (rows, cols).
        q: action values, (rows, cols, 4).
        policy: action probabilities, (rows, cols, 4).
        visits: counts, (rows, cols).
        belief: probability that a wall stands there, (rows, cols); NaN where nothing is known.
        planned: the planner's updates as pairs (state, action), the newest last, (n, 2).
        tree: counts, (rows, cols).
        value_range: the ends (low, high) of the color scale of `values` and `q`. None: the smallest
            and the largest number of both that are drawn.
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
    hidden: frozenset[str] = frozenset()

    def replace(self, shape: Shape, /, **given: object) -> Overlays:
        """Put other arrays in the place of some; this object stays as it is.

        Args:
            shape: of the maze, (rows, cols).
            **given: by name; None takes an overlay away. `values`, `visits` and `tree`: (S,).
                `q` and `policy`: (S, 4); the probabilities of a state sum to 1, or all are 0.
                `belief`: (rows, cols), bool or probabilities. `planned`: integers (n, 2), pairs
                (state, action), the newest last. `trail` and `changed`: whether they are shown.
                `value_range`: (low, high). Wherever (S, ...) fits, (rows, cols, ...) does, and
                the other way round.

        Raises:
            ValueError: an unknown name, or an array of a wrong shape or with impossible numbers.
            TypeError: something that is no array of numbers.
        """
        fields: dict[str, Any] = {}
        hidden = self.hidden
        for name, value in given.items():
            if name in SWITCHES:
                hidden = hidden - {name} if _switch(name, value) else hidden | {name}
            elif name in _READERS:
                fields[name] = None if value is None else _READERS[name](name, value, shape)
            else:
                raise _unknown(name, (*OVERLAYS, "value_range"))
        return replace(self, hidden=hidden, **fields)

    def only(self, names: Iterable[str]) -> Overlays:
        """Hide all but these; the arrays are kept.

        Args:
            names: keys of `OVERLAYS`.

        Raises:
            ValueError: a name that is none of them.
        """
        shown = frozenset(names)
        for name in sorted(shown - OVERLAYS.keys()):
            raise _unknown(name, OVERLAYS)
        return replace(self, hidden=frozenset(OVERLAYS) - shown)

    def visible(self) -> Overlays:
        """Leave out the arrays that are hidden."""
        gone = self.hidden.difference(SWITCHES)
        return replace(self, **dict.fromkeys(gone)) if gone else self  # type: ignore[arg-type]  # None each

    @property
    def names(self) -> tuple[str, ...]:
        """The overlays with an array that are not hidden, in the order of `OVERLAYS`."""
        return tuple(
            name
            for name in OVERLAYS
            if name not in self.hidden and getattr(self, name, None) is not None
        )

    @property
    def colored(self) -> bool:
        """Whether there are colors of values on the cells."""
        return self.values is not None or self.q is not None

    def check(self, shape: Shape) -> None:
        """Make sure that the arrays belong to a maze of this shape, (rows, cols).

        Raises:
            ValueError: one of them does not.
        """
        for name in self.names:
            array = getattr(self, name)
            if name == "planned":
                _check_pairs(name, array, shape)
            elif array.shape[:2] != shape:
                raise ValueError(f"{name}: array for a maze of {array.shape[:2]}; expected {shape}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Neither a pickle nor a deep copy remembers that an array is read-only.
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(state)


def _unknown(name: str, known: Iterable[str]) -> ValueError:
    names = ", ".join(known)
    return ValueError(
        f"unknown overlay {name!r}; expected one of {names}{did_you_mean(name, known)}"
    )


def _switch(name: str, given: object) -> bool:
    """Read whether a part of the scene is shown; None is the default, True."""
    if given is None:
        return True
    if not isinstance(given, bool | np.bool_):
        raise TypeError(f"{name}: {given!r}; expected True, False or None")
    return bool(given)


def _array(name: str, given: object, kinds: str, expected: str) -> npt.NDArray[Any]:
    """Make an array of what is given, of one of NumPy's kinds of numbers."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: no array ({type(given).__name__}); expected {expected}") from None
    if array.dtype.kind not in kinds and array.size:
        raise TypeError(f"{name}: array of {array.dtype}; expected {expected}")
    return array


def _maze_array(name: str, given: object, shape: Shape, *last: int) -> FloatArray:
    """Read an array of one number, or of several, for each cell; NaN is allowed."""
    flat, full = (shape[0] * shape[1], *last), (*shape, *last)
    array = _array(name, given, "biuf", f"numbers of shape {flat} or {full}")
    if array.shape not in (flat, full):
        raise ValueError(f"{name}: array of shape {array.shape}; expected {flat} or {full}")
    numbers = np.array(array, dtype=np.float64).reshape(full)
    _refuse(name, numbers, np.isinf(numbers), "a finite number, or NaN for nothing")
    numbers.setflags(write=False)
    return numbers


def _refuse(name: str, numbers: FloatArray, wrong: npt.NDArray[np.bool_], expected: str) -> None:
    """Complain about the first number that is wrong, if there is one."""
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"cell {index[:2]}" + "".join(f", action {action}" for action in index[2:])
        raise ValueError(f"{name}: {numbers[index]} at {place}; expected {expected}")


def _read_values(name: str, given: object, shape: Shape) -> FloatArray:
    return _maze_array(name, given, shape)


def _read_q(name: str, given: object, shape: Shape) -> FloatArray:
    return _maze_array(name, given, shape, NUM_ACTIONS)


def _read_counts(name: str, given: object, shape: Shape) -> FloatArray:
    counts = _maze_array(name, given, shape)
    _refuse(name, counts, counts < 0, "a count, at least 0, or NaN for nothing")
    return counts


def _read_belief(name: str, given: object, shape: Shape) -> FloatArray:
    return _probabilities(name, _maze_array(name, given, shape))


def _read_policy(name: str, given: object, shape: Shape) -> FloatArray:
    policy = _probabilities(name, _maze_array(name, given, shape, NUM_ACTIONS))
    sums = policy.sum(axis=2)
    wrong = (np.abs(sums - 1.0) > SUM_TOLERANCE) & (sums != 0.0)  # a sum with NaN is not wrong
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
    """Make sure that every pair is a state and an action of the maze."""
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
        raise ValueError(f"{name}: {given!r}; expected two finite numbers, low < high")
    return float(ends[0]), float(ends[1])


_READERS: dict[str, Callable[[str, object, Shape], Any]] = {
    "values": _read_values,
    "q": _read_q,
    "policy": _read_policy,
    "visits": _read_counts,
    "belief": _read_belief,
    "planned": _read_planned,
    "tree": _read_counts,
    "value_range": _read_range,
}
