"""Replay memory of transitions between vectors, and a model that samples from it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_integer

from ..core.encoders import Actions, as_actions
from ..core.records import Stateful
from ..core.ring_buffer import RingBuffer
from ..core.transitions import Transitions
from ..core.vectors import check_pairs, check_vectors, each_column, no_transitions
from .protocol import Prediction

CAPACITY = 100_000
"""Default capacity: 1.6 MB for each dimension of the vectors, 1.7 MB for the rest."""


class VectorMemory(RingBuffer[Transitions]):
    """Ring buffer of transitions between vectors; when full the oldest are overwritten.

    `add` takes transitions validated by `check_vectors`.

    Args:
        size: dimension d of the vectors.
        num_actions: number of discrete actions, or the kind of actions.
        capacity: largest number of transitions.

    Attributes:
        used: number of stored transitions.

    Raises:
        ValueError: for a capacity below 1.
    """

    state_fields: ClassVar = {"rows": "", "next_place": "next"}

    def __init__(self, size: int, num_actions: int | Actions, *, capacity: int = CAPACITY) -> None:
        self.size, self.actions = size, as_actions(num_actions)
        capacity = checked_integer("capacity", capacity, 1)
        super().__init__(capacity, no_transitions(size, self.actions))

    @property
    def next_place(self) -> int:
        """Row that the next transition will be written to."""
        return self.seen % self.capacity

    @next_place.setter
    def next_place(self, place: int) -> None:
        # The rows are restored first; of a full ring the number of rounds does not matter.
        is_full = len(self._columns.action) == self.capacity
        self.seen = self.capacity + place if is_full else place

    def draw(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n of the transitions uniformly, as copies.

        Raises:
            RuntimeError: if there are none.
        """
        if not self.used:
            raise RuntimeError("the model has seen no transition yet; update it before sampling")
        places = rng.integers(self.used, size=n)
        return each_column(self._columns, lambda column: column[places])

    def nearest_successors(
        self, vectors: FloatArray, most: int, rng: np.random.Generator
    ) -> FloatArray:
        """Return the (batch, d) nearest stored next observation to each vector.

        Args:
            vectors: (batch, d).
            most: with more stored vectors only this number of them is searched, drawn from `rng`.
            rng: unused otherwise.
        """
        seen = self._columns.next_observation[: self.used]
        if self.used > most:
            seen = seen[rng.integers(self.used, size=most)]
        # |x - y|^2 - |x|^2; |x|^2 is the same for all y
        distance = (seen**2).sum(axis=1) - 2.0 * vectors @ seen.T
        nearest: FloatArray = seen[distance.argmin(axis=1)]
        return nearest

    def tried(self, action: Any) -> BoolArray:
        """Return the (used,) mask of the transitions with exactly this action."""
        same = np.equal(self._columns.action[: self.used], action)
        found: BoolArray = same if same.ndim == 1 else same.all(axis=1)
        return found

    def count(self, observations: FloatArray, actions: npt.NDArray[Any]) -> IntArray:
        """Return the (batch,) number of stored transitions of exactly these pairs."""
        seen = self._columns.observation[: self.used]
        counts = [
            np.count_nonzero(self.tried(action) & (seen == vector).all(axis=1))
            for vector, action in zip(observations, actions, strict=True)
        ]
        return np.array(counts, dtype=np.int64)

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the transitions and the place of the next one."""
        used = len(check_vectors(restored["rows"], self.size, self.actions).action)
        place = restored["next_place"]
        if used > self.capacity or not 0 <= place < self.capacity:
            raise ValueError(
                f"{used} transitions, next slot {place}; expected at most {self.capacity}"
            )
        if place != used % self.capacity and used < self.capacity:
            raise ValueError(f"{used} transitions, next slot {place}; expected slot {used}")


class StoredVectors(Stateful):
    """Experience replay of transitions between vectors, as a model.

    Lin 1992; as a model: van Hasselt, Hessel and Aslanides 2019.

    Args:
        size: dimension d of the vectors.
        num_actions: number of discrete actions, or the kind of actions.
        capacity: largest number of transitions; then the oldest are overwritten.
    """

    observes = "vectors"
    capabilities: ClassVar[frozenset[str]] = frozenset({"sample", "predict", "visits"})
    state_fields: ClassVar = {"memory": ""}

    def __init__(self, size: int, num_actions: int | Actions, *, capacity: int = CAPACITY) -> None:
        self.memory = VectorMemory(size, num_actions, capacity=capacity)

    def update(self, transitions: Transitions) -> None:
        """Store the transitions.

        Raises:
            TypeError, ValueError: for an invalid transition; the model is then unchanged.
        """
        memory = self.memory
        memory.add(check_vectors(transitions, memory.size, memory.actions))

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n of the stored transitions uniformly.

        Raises:
            RuntimeError: before the first update.
        """
        return self.memory.draw(n, rng)

    def predict(self, observations: FloatArray, actions: IntArray) -> Prediction:
        """Return the outcome of the nearest stored vector with the same action.

        Where the action was never tried, the prediction is the given vector itself, with reward 0.

        Raises:
            TypeError, ValueError: for an invalid pair.
        """
        memory = self.memory
        vectors, actions = check_pairs(observations, actions, memory.size, memory.actions)
        seen = memory.rows
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
