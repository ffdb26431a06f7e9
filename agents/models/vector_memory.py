"""What was seen, as vectors: the search control of models that generalise, and a model itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.messages import checked_number

from ..transitions import FloatArray, IntArray, Transitions
from .protocol import Prediction

_FIRST_ROOM = 64
_COLUMNS = Transitions._fields

CAPACITY = 100_000
"""So many transitions are remembered if nothing else is said: 4 MB for each 2 numbers of d."""


class VectorMemory:
    """Transitions between vectors, in a ring: with more than `capacity` the oldest give way.

    Args:
        size: d.
        num_actions: how many actions.
        capacity: how many transitions at most.

    Attributes:
        used: how many there are.

    Raises:
        ValueError: for a capacity below 1.
    """

    def __init__(self, size: int, num_actions: int, *, capacity: int = CAPACITY) -> None:
        self.size, self.num_actions = size, num_actions
        self.capacity = int(checked_number("capacity", capacity, 1, whole=True))
        self.used = 0
        self._next = 0
        self._columns = self._room(min(_FIRST_ROOM, self.capacity))

    def add(self, transitions: Transitions) -> None:
        """Remember transitions that `check_vectors` let pass."""
        n = len(transitions.action)
        self._grow(self.used + n)
        places = (self._next + np.arange(n)) % self.capacity
        for column, given in zip(self._columns, transitions, strict=True):
            column[places[-self.capacity :]] = given[-self.capacity :]
        self.used = min(self.used + n, self.capacity)
        self._next = int((self._next + n) % self.capacity)

    def draw(self, n: int, rng: np.random.Generator) -> Transitions:
        """N of the transitions, each as likely as the others, as copies.

        Raises:
            RuntimeError: if there is none.
        """
        if not self.used:
            raise RuntimeError("the model has seen no transition yet; update it before sampling")
        places = rng.integers(self.used, size=n)
        return each_column(self._columns, lambda column: column[places])

    def all(self) -> Transitions:
        """All of them, as views; those of a full ring begin anywhere."""
        return each_column(self._columns, lambda column: column[: self.used])

    def count(self, observations: FloatArray, actions: IntArray) -> IntArray:
        """(batch,) how often exactly these pairs are remembered."""
        seen, taken = self._columns.observation[: self.used], self._columns.action[: self.used]
        counts = [
            np.count_nonzero((taken == action) & (seen == vector).all(axis=1))
            for vector, action in zip(observations, actions, strict=True)
        ]
        return np.array(counts, dtype=np.int64)

    def get_state(self) -> dict[str, Any]:
        """The transitions, and where the next one goes."""
        kept = {
            name: column[: self.used].copy()
            for name, column in zip(_COLUMNS, self._columns, strict=True)
        }
        return {**kept, "next": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another kind of memory.
        """
        given = Transitions(*(state[name] for name in _COLUMNS))
        checked = check_vectors(given, self.size, self.num_actions)
        used = len(checked.action)
        place = state["next"]
        if used > self.capacity or not isinstance(place, int) or not 0 <= place < self.capacity:
            raise ValueError(f"{used} transitions, the next to {place}; room is {self.capacity}")
        if place != used % self.capacity and used < self.capacity:
            raise ValueError(f"{used} transitions, the next to {place}; expected to {used}")
        self.used = 0
        self._grow(used)
        for column, kept in zip(self._columns, checked, strict=True):
            column[:used] = kept
        self.used, self._next = used, place

    def _grow(self, room: int) -> None:
        have = len(self._columns.action)
        if room <= have or have == self.capacity:
            return
        larger = self._room(min(max(room, 2 * have), self.capacity))
        for column, old in zip(larger, self._columns, strict=True):
            column[: self.used] = old[: self.used]
        self._columns = larger

    def _room(self, room: int) -> Transitions:
        return Transitions(
            np.zeros((room, self.size)),
            np.zeros(room, dtype=np.int64),
            np.zeros(room),
            np.zeros((room, self.size)),
            np.zeros(room, dtype=np.bool_),
        )


class StoredVectors:
    """Keeps transitions between vectors and draws among them: experience replay as a model.

    Lin 1992; as a model: van Hasselt, Hessel and Aslanides 2019.

    Args:
        size: d.
        num_actions: how many actions.
        capacity: how many transitions at most; then the oldest give way.
    """

    observes = "vectors"
    capabilities: ClassVar[frozenset[str]] = frozenset({"sample", "predict", "visits"})

    def __init__(self, size: int, num_actions: int, *, capacity: int = CAPACITY) -> None:
        self.memory = VectorMemory(size, num_actions, capacity=capacity)

    def update(self, transitions: Transitions) -> None:
        """Remember them.

        Raises:
            TypeError, ValueError: if one of them is none; then none is learned.
        """
        memory = self.memory
        memory.add(check_vectors(transitions, memory.size, memory.num_actions))

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n of them.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        return self.memory.draw(n, rng)

    def predict(self, observations: FloatArray, actions: IntArray) -> Prediction:
        """What followed the nearest vector that was seen with the same action.

        A pair whose action was never tried is believed to change and to pay nothing.

        Raises:
            TypeError, ValueError: if one of them is no pair.
        """
        memory = self.memory
        vectors, actions = check_pairs(observations, actions, memory.size, memory.num_actions)
        seen = memory.all()
        reward, ends = np.zeros(len(actions)), np.zeros(len(actions))
        following = vectors.copy()
        for row, (vector, action) in enumerate(zip(vectors, actions, strict=True)):
            tried = np.flatnonzero(seen.action == action)
            if tried.size:
                distance = ((seen.observation[tried] - vector) ** 2).sum(axis=1)
                near = tried[distance.argmin()]
                reward[row], ends[row] = seen.reward[near], seen.terminated[near]
                following[row] = seen.next_observation[near]
        return Prediction(reward, following, ends, memory.count(vectors, actions))

    def get_state(self) -> dict[str, Any]:
        """The transitions."""
        return self.memory.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        self.memory.set_state(state)


def each_column(
    transitions: Transitions, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Transitions:
    """The transitions with each column changed alike."""
    columns: list[Any] = [change(column) for column in transitions]
    return Transitions(*columns)


def check_vectors(transitions: Transitions, size: int, num_actions: int) -> Transitions:
    """Transitions between vectors, as float64, int64 and bool, if they are some.

    Raises:
        TypeError: for a dtype that is no number, or actions that are not whole.
        ValueError: for another shape, NaN, infinity, or an action that there is not.
    """
    observation, action = check_pairs(
        transitions.observation, transitions.action, size, num_actions
    )
    following = _numbers("next observations", transitions.next_observation, (len(action), size))
    reward = _numbers("rewards", transitions.reward, (len(action),))
    terminated = np.asarray(transitions.terminated)
    if terminated.dtype.kind != "b" or terminated.shape != action.shape:
        raise ValueError(
            f"terminated of shape {terminated.shape} and dtype {terminated.dtype}; expected "
            f"{action.shape} of bool"
        )
    return Transitions(observation, action, reward, following, terminated)


def check_pairs(
    observations: Any, actions: Any, size: int, num_actions: int
) -> tuple[FloatArray, IntArray]:
    """Vectors and actions, as float64 and int64, if they are some.

    Raises:
        TypeError: for a dtype that is no number, or actions that are not whole.
        ValueError: for another shape, NaN, infinity, or an action that there is not.
    """
    actions = np.asarray(actions)
    if actions.dtype.kind not in "iu":
        raise TypeError(f"actions of dtype {actions.dtype}; expected integers")
    if actions.ndim != 1:
        raise ValueError(f"actions of shape {actions.shape}; expected (batch,)")
    if actions.size and not 0 <= actions.min() <= actions.max() < num_actions:
        wrong = int(actions[(actions < 0) | (actions >= num_actions)][0])
        raise ValueError(f"action {wrong}; expected 0 to {num_actions - 1}")
    vectors = _numbers("observations", observations, (len(actions), size))
    return vectors, actions.astype(np.int64, copy=False)


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} of dtype {array.dtype}; expected real numbers")
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(f"{name} row {row}: {array[row].tolist()}; expected finite numbers")
    return array.astype(np.float64, copy=False)
