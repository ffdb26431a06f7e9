"""What was seen, as vectors: the search control of models that generalise, and a model itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_number

from ..core.actions import Actions, as_actions, finite_numbers
from ..core.transitions import Transitions
from .protocol import Prediction

_FIRST_ROOM = 64
_COLUMNS = Transitions._fields

CAPACITY = 100_000
"""So many transitions are remembered if nothing else is said: 4 MB for each 2 numbers of d."""


class VectorMemory:
    """Transitions between vectors, in a ring: with more than `capacity` the oldest give way.

    Args:
        size: d.
        num_actions: how many actions, or what they are.
        capacity: how many transitions at most.

    Attributes:
        used: how many there are.

    Raises:
        ValueError: for a capacity below 1.
    """

    def __init__(self, size: int, num_actions: int | Actions, *, capacity: int = CAPACITY) -> None:
        self.size, self.actions = size, as_actions(num_actions)
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

    def nearest_following(
        self, vectors: FloatArray, most: int, rng: np.random.Generator
    ) -> FloatArray:
        """(batch, d) the nearest next observation to each vector.

        Args:
            vectors: (batch, d).
            most: of more that are remembered, so many are looked at, drawn from `rng`.
            rng: draws nothing if there are no more.
        """
        seen = self._columns.next_observation[: self.used]
        if self.used > most:
            seen = seen[rng.integers(self.used, size=most)]
        # |x - y|^2 less |x|^2, which is the same for all y
        apart = (seen**2).sum(axis=1) - 2.0 * vectors @ seen.T
        nearest: FloatArray = seen[apart.argmin(axis=1)]
        return nearest

    def tried(self, action: Any) -> BoolArray:
        """(used,) which of the transitions have exactly this action."""
        same = np.equal(self._columns.action[: self.used], action)
        found: BoolArray = same if same.ndim == 1 else same.all(axis=1)
        return found

    def count(self, observations: FloatArray, actions: npt.NDArray[Any]) -> IntArray:
        """(batch,) how often exactly these pairs are remembered."""
        seen = self._columns.observation[: self.used]
        counts = [
            np.count_nonzero(self.tried(action) & (seen == vector).all(axis=1))
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
        checked = check_vectors(given, self.size, self.actions)
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
            self.actions.empty(room),
            np.zeros(room),
            np.zeros((room, self.size)),
            np.zeros(room, dtype=np.bool_),
        )


class StoredVectors:
    """Keeps transitions between vectors and draws among them: experience replay as a model.

    Lin 1992; as a model: van Hasselt, Hessel and Aslanides 2019.

    Args:
        size: d.
        num_actions: how many actions, or what they are.
        capacity: how many transitions at most; then the oldest give way.
    """

    observes = "vectors"
    capabilities: ClassVar[frozenset[str]] = frozenset({"sample", "predict", "visits"})

    def __init__(self, size: int, num_actions: int | Actions, *, capacity: int = CAPACITY) -> None:
        self.memory = VectorMemory(size, num_actions, capacity=capacity)

    def update(self, transitions: Transitions) -> None:
        """Remember them.

        Raises:
            TypeError, ValueError: if one of them is none; then none is learned.
        """
        memory = self.memory
        memory.add(check_vectors(transitions, memory.size, memory.actions))

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
        vectors, actions = check_pairs(observations, actions, memory.size, memory.actions)
        seen = memory.all()
        reward, ends = np.zeros(len(actions)), np.zeros(len(actions))
        following = vectors.copy()
        for row, (vector, action) in enumerate(zip(vectors, actions, strict=True)):
            tried = np.flatnonzero(memory.tried(action))
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


def check_vectors(transitions: Transitions, size: int, num_actions: int | Actions) -> Transitions:
    """Transitions between vectors, as float64, the actions' own dtype and bool, if they are some.

    Raises:
        TypeError: for a dtype that is no number, or actions that are not whole.
        ValueError: for another shape, NaN, infinity, or an action that there is not.
    """
    observation, action = check_pairs(
        transitions.observation, transitions.action, size, num_actions
    )
    following = finite_numbers(
        "next observations", transitions.next_observation, (len(action), size)
    )
    reward = finite_numbers("rewards", transitions.reward, (len(action),))
    terminated = np.asarray(transitions.terminated)
    if terminated.dtype.kind != "b" or terminated.shape != reward.shape:
        raise ValueError(
            f"terminated of shape {terminated.shape} and dtype {terminated.dtype}; expected "
            f"{reward.shape} of bool"
        )
    return Transitions(observation, action, reward, following, terminated)


def check_pairs(
    observations: Any, actions: Any, size: int, num_actions: int | Actions
) -> tuple[FloatArray, npt.NDArray[Any]]:
    """Vectors as float64, and actions as int64 or, where they are vectors, float64.

    Raises:
        TypeError: for a dtype that is no number, or actions that are not whole.
        ValueError: for another shape, NaN, infinity, or an action that there is not.
    """
    checked = as_actions(num_actions).checked(actions)
    vectors = finite_numbers("observations", observations, (len(checked), size))
    return vectors, checked
