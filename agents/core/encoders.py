"""Observations as vectors: what the parts beyond the table see.

A table numbers its observations (`TableRows`); what generalises wants coordinates (`Vectors`).
Which of the two an agent uses is settled by what its values and its model say they observe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray, IntArray

from .spaces import TableRows

ROWS, VECTORS = "rows", "vectors"
"""What a part may say that it observes."""


class Vectors:
    """The vector (d,) of an observation, float64.

    A `Box` is flattened, `MultiDiscrete` and a `Tuple` of `Discrete` become coordinates, and
    `Discrete` becomes one-hot: there, linear functions of the vector are exactly tables.

    Args:
        space: one of these.

    Attributes:
        size: d.
        low: (d,) smallest values; -inf where there is no bound.
        high: (d,) largest values; inf where there is none.
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
    def is_one_hot(self) -> bool:
        """Whether a vector is a 1 among zeros."""
        return isinstance(self.space, spaces.Discrete)

    def one(self, observation: Any) -> FloatArray:
        """The (d,) vector of one observation.

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
        """The vectors of a batch, (n, d), and whether a single observation was given instead.

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
        """(n, d) the vectors of numbered rows.

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
        """(n, ...) the observations that (n, d) vectors are nearest to: the way back from `many`.

        Of a `Tuple` they are coordinates, (n, parts).
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
"""What turns an environment's observations into what an agent's parts see."""


def make_encoder(space: spaces.Space[Any], observes: str) -> Encoder:
    """The encoder for parts that observe rows or vectors.

    Raises:
        TypeError: for a space that it cannot serve.
    """
    return Vectors(space) if observes == VECTORS else TableRows(space)


def what_is_observed(values: Any, model: Any) -> str:
    """Whether an agent's parts observe rows or vectors.

    A part says so by an attribute `observes`, "rows" or "vectors". Values that say nothing see
    rows; a model that says nothing takes what the values see.

    Raises:
        ValueError: if the two differ, or for anything else.
    """
    wanted = getattr(values, "observes", ROWS)
    found = getattr(model, "observes", wanted)
    for part, observed in ((values, wanted), (model, found)):
        if observed not in (ROWS, VECTORS):
            raise ValueError(
                f"{type(part).__name__} observes {observed!r}; expected {ROWS!r} or {VECTORS!r}"
            )
    if wanted != found:
        cure = (
            "wrap the model: OnRows(model, vectors)"
            if wanted == ROWS
            else 'a model of rows needs values="table"'
        )
        raise ValueError(
            f"{type(values).__name__} observes {wanted} and {type(model).__name__} {found}; {cure}"
        )
    return str(wanted)
