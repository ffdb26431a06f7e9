"""Encoders of observations and actions: Gymnasium spaces as table rows or as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.validation import checked_count, checked_integer

from .spaces import TableRows

DISCRETE, VECTORS = "discrete", "vectors"
"""The kinds of observations that values and models may declare by their attribute `observes`."""


class Vectors(Configurable):
    """Encoder of observations as (d,) float64 vectors.

    A `Box` is flattened, `MultiDiscrete` and a `Tuple` of `Discrete` become coordinates, and
    `Discrete` becomes one-hot: there, linear functions of the vector are exactly tables.

    Args:
        space: one of these.

    Attributes:
        size: d.
        low: (d,) smallest values; -inf without a bound.
        high: (d,) largest values; inf without a bound.
        rows: the rows of the space, None for a `Box`.

    Raises:
        TypeError: for any other space.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.space = space
        self.rows: TableRows | None = None
        if isinstance(space, spaces.Box):
            self._shape = space.shape
            self.low = space.low.astype(np.float64).ravel()
            self.high = space.high.astype(np.float64).ravel()
        else:
            try:
                self.rows = TableRows(space)
            except TypeError:
                raise TypeError(
                    f"observation space {space}; vectors are made of Box, Discrete, MultiDiscrete "
                    "and a Tuple of Discrete"
                ) from None
            self.low, self.high = self._bounds_of(self.rows)
        self.size = self.low.size

    @property
    def is_bounded(self) -> bool:
        """True if each number has both bounds."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    @property
    def is_one_hot(self) -> bool:
        """True if a vector is one-hot."""
        return isinstance(self.space, spaces.Discrete)

    def one(self, observation: Any) -> FloatArray:
        """Return the (d,) vector of one observation.

        Raises:
            ValueError: for another shape, or for NaN or infinity.
        """
        if self.rows is not None:
            alone: FloatArray = self.of_rows(np.array([self.rows.one(observation)]))[0]
            return alone
        vector: FloatArray = np.array(observation, dtype=np.float64)
        if vector.shape != self._shape or not np.isfinite(vector).all():
            raise self._refuse(observation)
        return vector.reshape(-1)

    def many(self, observations: Any) -> tuple[FloatArray, bool]:
        """Return the (n, d) vectors of a batch, and True if a single observation was given instead.

        Raises:
            ValueError: for observations of another shape or dtype, NaN, infinity, or, where the
                space has rows, outside the space.
        """
        if self.rows is not None:
            rows, is_single = self.rows.many(observations)
            return self.of_rows(rows), is_single
        try:
            array = np.asarray(observations)
        except ValueError:
            raise self._refuse(observations) from None
        is_single = array.shape == self._shape
        if (
            not (is_single or array.shape[1:] == self._shape)
            or array.ndim == 0
            or array.dtype.kind not in "fiu"
            or not np.isfinite(array).all()
        ):
            raise self._refuse(observations)
        return array.astype(np.float64).reshape(-1, self.size), is_single

    def of_rows(self, rows: IntArray) -> FloatArray:
        """Return the (n, d) vectors of numbered rows.

        Raises:
            TypeError: if the space has no rows.
        """
        if self.rows is None:
            raise TypeError(f"observation space {self.space} has no rows")
        if self.is_one_hot:
            vectors = np.zeros((len(rows), self.size))
            vectors[np.arange(len(rows)), rows] = 1.0
            return vectors
        places = np.unravel_index(rows, self.rows.shape)
        return np.stack(places, axis=-1).astype(np.float64) + self.rows.start

    def observations(self, vectors: FloatArray) -> npt.NDArray[Any]:
        """Decode (n, d) vectors to the nearest observations, (n, ...): the inverse of `many`.

        For a `Tuple` they are coordinates, (n, parts).
        """
        if self.rows is not None and self.is_one_hot:
            numbers: IntArray = vectors.argmax(axis=1) + self.rows.start[0]
            return numbers
        inside = np.clip(vectors, self.low, self.high)
        if self.rows is not None:
            return np.rint(inside).astype(np.int64)
        dtype = np.dtype(self.space.dtype)
        found = np.rint(inside) if dtype.kind in "iu" else inside
        return found.reshape(-1, *self._shape).astype(dtype)

    def _bounds_of(self, rows: TableRows) -> tuple[FloatArray, FloatArray]:
        if self.is_one_hot:
            return np.zeros(rows.size), np.ones(rows.size)
        low = np.array(rows.start, dtype=np.float64)
        return low, low + np.array(rows.shape) - 1

    def _refuse(self, observations: Any) -> ValueError:
        return ValueError(
            f"observation {observations!r}; expected one of {self.space}, or a batch of them, with "
            "finite numbers"
        )


Encoder = TableRows | Vectors
"""Encoder from an environment's observations to table rows or vectors."""


def make_encoder(space: spaces.Space[Any], observes: str) -> Encoder:
    """Return the encoder for parts that observe rows ("discrete") or vectors.

    Raises:
        TypeError: for an unsupported space.
    """
    return Vectors(space) if observes == VECTORS else TableRows(space)


def observation_kind(values: Any, model: Any) -> str:
    """Return the kind of observations that an agent's parts share: "discrete" or "vectors".

    A part declares it by its attribute `observes`. Values without the attribute observe table rows
    ("discrete"); a model without it observes the same as the values.

    Raises:
        ValueError: if the two differ, or for any other kind.
    """
    wanted = getattr(values, "observes", DISCRETE)
    found = getattr(model, "observes", wanted)
    for part, observed in ((values, wanted), (model, found)):
        if observed not in (DISCRETE, VECTORS):
            raise ValueError(
                f"{type(part).__name__} observes {observed!r}; expected {DISCRETE!r} or {VECTORS!r}"
            )
    if wanted != found:
        cure = (
            "wrap the model: TabularAdapter(model, vectors)"
            if wanted == DISCRETE
            else 'a model of discrete observations needs values="table"'
        )
        raise ValueError(
            f"{type(values).__name__} observes {wanted} and {type(model).__name__} {found}; {cure}"
        )
    return str(wanted)


class DiscreteActions(Configurable):
    """Discrete actions, numbered from 0; learners see them one-hot.

    Args:
        count: number of actions.

    Attributes:
        size: length of an action as learners see it.

    Raises:
        ValueError: for a count below 1.
    """

    def __init__(self, count: int) -> None:
        self.count = self.size = checked_count("num_actions", count)

    def empty(self, capacity: int) -> npt.NDArray[Any]:
        """Return an empty column for `capacity` actions."""
        return np.zeros(capacity, dtype=np.int64)

    def checked(self, actions: Any) -> npt.NDArray[Any]:
        """Return (batch,) actions as int64 after validation.

        Raises:
            TypeError: for actions that are not integers.
            ValueError: for another shape, or an action out of range.
        """
        actions = np.asarray(actions)
        if actions.dtype.kind not in "iu":
            raise TypeError(f"actions of dtype {actions.dtype}; expected integers")
        if actions.ndim != 1:
            raise ValueError(f"actions of shape {actions.shape}; expected (batch,)")
        if actions.size and not 0 <= actions.min() <= actions.max() < self.count:
            wrong = int(actions[(actions < 0) | (actions >= self.count)][0])
            raise ValueError(f"action {wrong}; expected 0 to {self.count - 1}")
        numbers: npt.NDArray[Any] = actions.astype(np.int64, copy=False)
        return numbers

    def fill(self, inputs: FloatArray, actions: npt.NDArray[Any]) -> None:
        """Write (batch,) checked actions into (batch, size) zeros."""
        inputs[np.arange(len(actions)), actions] = 1.0


class VectorActions(Configurable):
    """Continuous actions, vectors of real numbers; learners see them unchanged.

    Args:
        size: dimension of an action.

    Attributes:
        count: 0, for actions that are not numbered.

    Raises:
        ValueError: for a size below 1.
    """

    count = 0

    def __init__(self, size: int) -> None:
        self.size = checked_integer("size of an action", size, 1)

    def empty(self, capacity: int) -> npt.NDArray[Any]:
        """Return an empty column for `capacity` actions."""
        return np.zeros((capacity, self.size))

    def checked(self, actions: Any) -> npt.NDArray[Any]:
        """Return (batch, size) actions as float64 after validation.

        Raises:
            TypeError: for a dtype that is not numeric.
            ValueError: for another shape, NaN or infinity.
        """
        return finite_numbers("actions", actions, (*np.shape(actions)[:1], self.size))

    def fill(self, inputs: FloatArray, actions: npt.NDArray[Any]) -> None:
        """Write (batch, size) checked actions into an array of the same shape."""
        inputs[:] = actions


Actions = DiscreteActions | VectorActions
"""Kinds of actions that models of vectors support."""


def as_actions(actions: int | Actions) -> Actions:
    """Return the actions themselves, or discrete ones for a number of actions."""
    return actions if isinstance(actions, Actions) else DiscreteActions(actions)


def finite_numbers(name: str, values: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return values as float64 if they are finite numbers of the expected shape.

    Raises:
        TypeError: for a dtype that is not numeric.
        ValueError: for another shape, NaN or infinity, naming the first row.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} of dtype {array.dtype}; expected real numbers")
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(f"{name} row {row}: {array[row].tolist()}; expected finite numbers")
    return array.astype(np.float64, copy=False)
