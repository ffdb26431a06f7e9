"""Batches of labelled observations, and stored datasets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_choice, checked_integer

from .checks import check_finite, check_shape
from .distributions import CATEGORICAL, DISTRIBUTIONS
from .levels import LevelRange


class Batch(NamedTuple):
    """Observations with a teacher's labels.

    There is one label for each observation; or, where an observation in planes marks several cells
    as the agent's, one for each of these (the queried states), in the order of batch, row and
    column.

    For a teacher of continuous actions the columns of `logits` are the parameters of its Gaussian:
    (queries, 2 * dimensions), the means, then the logarithms of the standard deviations.

    Unlabelled observations have no logits, weights or values.
    """

    observations: npt.NDArray[Any]  # (batch, ...)
    logits: Float32Array | None  # (queries, actions) the teacher's, up to a constant a row
    weights: Float32Array | None  # (queries,) weight of each label
    values: Float32Array | None = None  # (queries,) the teacher's state values, if it has any
    extra: Mapping[str, npt.NDArray[Any]] | None = None  # other columns, such as rewards, by name


def make_batch(
    observations: npt.NDArray[Any],
    logits: npt.ArrayLike | None,
    weights: npt.ArrayLike | None = None,
    values: npt.ArrayLike | None = None,
    extra: Mapping[str, npt.NDArray[Any]] | None = None,
) -> Batch:
    """Make a batch with float32 labels, weights and values; the weights are 1 unless given.

    Observations and extra columns keep their dtype.

    Raises:
        ValueError: if the numbers of labels differ, or for weights or values without labels.
    """
    if logits is None:
        if weights is not None or values is not None:
            raise ValueError("weights or values of observations without labels; expected none")
        return Batch(observations, None, None, None, extra)
    labels = np.asarray(logits, dtype=np.float32)
    ones = np.ones(len(labels)) if weights is None else weights
    made = Batch(
        observations,
        labels,
        np.asarray(ones, dtype=np.float32),
        None if values is None else np.asarray(values, dtype=np.float32),
        extra,
    )
    lengths = {len(column) for column in made[1:4] if column is not None}
    if lengths != {len(labels)}:
        raise ValueError(f"columns of {sorted(lengths)} labels; expected the same of each")
    return made


def check_batch(batch: Batch, source: str) -> None:
    """Check the labels of a batch, if any, which must be finite, with weights of at least 0.

    Args:
        batch: the batch; the number of labels of an observation is not checked, as it depends on
            the observations (see `Batch`).
        source: where it is from, for messages.

    Raises:
        ValueError: for columns of other shapes or lengths, or a number that is not allowed, naming
            its row.
        TypeError: for columns that are no arrays of numbers.
    """
    logits, weights, values = batch[1:4]
    if logits is None and weights is None and values is None:
        return
    for name, column in (("logits", logits), ("weights", weights), ("values", values)):
        if column is None and name == "values":
            continue
        if getattr(getattr(column, "dtype", None), "kind", None) not in ("f", "i", "u", "b"):
            raise TypeError(
                f"the {name} of {source} are of type {type(column).__name__}; expected an array of "
                "numbers"
            )
    assert logits is not None
    assert weights is not None
    check_shape(f"the logits of {source}", logits.shape, None, None)
    for name, column in (("weights", weights), ("values", values)):
        if column is not None and column.shape != logits.shape[:1]:
            raise ValueError(
                f"the {name} of {source} have shape {column.shape}; expected ({len(logits)},), one "
                "for each label"
            )
    check_finite(logits, lambda row, column: f"the logit of {source} in row {row}, column {column}")
    check_finite(weights, lambda row: f"the weight of {source} in row {row}")
    if weights.size and weights.min() < 0:
        row = int(weights.argmin())
        raise ValueError(
            f"the weight of {source} in row {row} is {weights[row]}; expected at least 0"
        )
    if values is not None:
        check_finite(values, lambda row: f"the value of {source} in row {row}")


@dataclass(frozen=True)
class Dataset:
    """Stored observations, each with one label of a teacher, or all without labels.

    It is a batch source: each batch is drawn uniformly with replacement.

    Attributes:
        rows: all stored observations and labels.
        levels: the levels of the mazes in it; empty where there are no levels.
        batch_size: rows of a batch.
        distribution: kind of the actions (see `distribution_of`).
    """

    rows: Batch
    levels: tuple[LevelRange, ...] = ()
    batch_size: int = 256
    distribution: str = CATEGORICAL

    def __post_init__(self) -> None:
        """Check the rows and the distribution.

        Raises:
            ValueError: for no rows, not one label for each observation, numbers that are not
                finite, weights below 0, a batch size below 1, or an unknown distribution.
            TypeError: for labels that are no numbers.
        """
        checked_choice("distribution", self.distribution, DISTRIBUTIONS)
        checked_integer("batch_size", self.batch_size, 1)
        check_batch(self.rows, "a dataset")
        count = len(self)
        if not count:
            raise ValueError("an empty dataset; expected at least one observation")
        if self.rows.logits is not None and count != len(self.rows.logits):
            raise ValueError(
                f"{count} observations and {len(self.rows.logits)} labels; expected one for each"
            )
        for name, column in (self.rows.extra or {}).items():
            if len(column) != count:
                raise ValueError(
                    f"{len(column)} rows of {name} for {count} observations; expected one for each"
                )

    def __len__(self) -> int:
        return len(self.rows.observations)

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Sample rows uniformly with replacement."""
        return self._rows_at(rng.integers(len(self), size=self.batch_size))

    def take(self, chosen: npt.NDArray[Any]) -> Dataset:
        """Return the rows with the given indices."""
        return replace(self, rows=self._rows_at(chosen))

    def _rows_at(self, chosen: npt.NDArray[Any]) -> Batch:
        columns: Any = self.rows[:-1]
        taken: list[Any] = [None if column is None else column[chosen] for column in columns]
        extra = {name: rows[chosen] for name, rows in (self.rows.extra or {}).items()}
        return Batch(taken[0], taken[1], taken[2], taken[3], extra or None)

    def unique(self) -> Dataset:
        """Return each observation once, weighted by its number of occurrences.

        Labels are those of its first occurrence.

        Raises:
            ValueError: for observations without labels.
        """
        if self.rows.logits is None:
            raise ValueError("unique observations without labels; expected labelled ones")
        flat = self.rows.observations.reshape(len(self), -1)
        _, first, counts = np.unique(flat, axis=0, return_index=True, return_counts=True)
        kept = self.take(first)
        return replace(kept, rows=kept.rows._replace(weights=counts.astype(np.float32)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dataset, atomically and without pickle.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        columns = {**self.rows._asdict(), "extra": None}
        columns |= {f"{_EXTRA}{name}": rows for name, rows in (self.rows.extra or {}).items()}
        write_checkpoint(
            path,
            {name: column for name, column in columns.items() if column is not None},
            {
                "kind": "dataset",
                "levels": [[part.first, part.levels] for part in self.levels],
                "batch_size": self.batch_size,
                "distribution": self.distribution,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Dataset:
        """Read a dataset written by `save`.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged or holds something else.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "dataset" or "observations" not in arrays:
            raise CheckpointError(f"{path} holds {document.get('kind')!r}; expected a dataset")
        try:
            levels, size = document["levels"], document["batch_size"]
            for name, column in arrays.items():
                _check_finite(name, column)
            columns: dict[str, Any] = {name: arrays.get(name) for name in Batch._fields[:-1]}
            extra = {
                name.removeprefix(_EXTRA): rows
                for name, rows in arrays.items()
                if name.startswith(_EXTRA)
            }
            return cls(
                make_batch(**columns, extra=extra or None),
                tuple(LevelRange(*(checked_integer("levels", n, 0) for n in p)) for p in levels),
                checked_integer("batch_size", size, 1),
                document.get("distribution", CATEGORICAL),
            )
        except Exception as error:  # a forged file raises many types of errors
            raise CheckpointError(f"{path} holds no valid dataset: {error!r}") from None


_EXTRA = "extra."
"""Prefix of the extra columns in a file."""


def _check_finite(name: str, column: npt.NDArray[Any]) -> None:
    """Check the numbers of a stored column; a logit may be -inf, of a probability of 0."""
    if column.dtype.kind not in "biuf" or not column.ndim:
        raise TypeError(f"{name} of {column.dtype}; expected numbers")
    wrong = np.isnan(column) | (column == np.inf)
    if name != "logits":
        wrong |= column == -np.inf
    if wrong.any():
        raise ValueError(f"{name} has {column[wrong].flat[0]}; expected finite numbers")


def join(parts: Sequence[Dataset]) -> Dataset:
    """Concatenate datasets; labels and other columns are kept only if all parts have them.

    The batch size is that of the first part.

    Raises:
        ValueError: for no datasets, or parts of different shapes or kinds of actions.
    """
    if not parts:
        raise ValueError("no datasets; expected at least one")
    kinds = {part.distribution for part in parts}
    if len(kinds) > 1:
        raise ValueError(f"datasets of {sorted(kinds)} actions; expected the same of each")
    columns: list[Any] = []
    for column in zip(*(part.rows[:-1] for part in parts), strict=True):
        columns.append(None if any(c is None for c in column) else np.concatenate(column))
    if columns[1] is None:  # weights or values without labels mean nothing
        columns = [columns[0], None, None, None]
    extras = [part.rows.extra or {} for part in parts]
    shared = [name for name in extras[0] if all(name in extra for extra in extras)]
    extra = {name: np.concatenate([extra[name] for extra in extras]) for name in shared}
    levels = tuple(dict.fromkeys(level for part in parts for level in part.levels))
    rows = Batch(columns[0], columns[1], columns[2], columns[3], extra or None)
    return Dataset(rows, levels, parts[0].batch_size, *kinds)
