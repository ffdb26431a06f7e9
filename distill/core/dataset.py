"""What students learn from: observations, and what the teacher says of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import did_you_mean

from .distributions import CATEGORICAL, DISTRIBUTIONS
from .levels import LevelRange


class Batch(NamedTuple):
    """Observations with a teacher's answers.

    There is one answer for each observation; or, where an observation in planes marks several
    cells as the agent's, one for each of these, in the order of batch, row and column.

    Of a teacher of continuous actions the columns of `logits` are what its Gaussian is made of:
    (answers, 2 * dimensions), the means, then the logarithms of the standard deviations.
    """

    observations: npt.NDArray[Any]  # (batch, ...)
    logits: Float32Array  # (answers, actions) the teacher's; only differences in a row matter
    weights: Float32Array  # (answers,) how much each counts
    values: Float32Array | None = None  # (answers,) the teacher's state values, where it has them


def make_batch(
    observations: npt.NDArray[Any],
    logits: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    values: npt.ArrayLike | None = None,
) -> Batch:
    """A batch of float32, each answer counting 1 unless weights are given.

    Raises:
        ValueError: if the numbers of answers differ.
    """
    answers = np.asarray(logits, dtype=np.float32)
    ones = np.ones(len(answers)) if weights is None else weights
    made = Batch(
        observations,
        answers,
        np.asarray(ones, dtype=np.float32),
        None if values is None else np.asarray(values, dtype=np.float32),
    )
    lengths = {len(column) for column in made[1:] if column is not None}
    if lengths != {len(answers)}:
        raise ValueError(f"columns of {sorted(lengths)} answers; expected the same of each")
    return made


@dataclass(frozen=True)
class Dataset:
    """Stored answers of a teacher, one for each observation: a replay that can be kept.

    It is a source of batches: each is drawn with replacement, every row as likely as the others.

    Attributes:
        rows: all that is stored, one answer for each observation.
        levels: the levels of the mazes that it comes from; none where there are no levels.
        batch_size: how many rows a batch has.
        distribution: of which kind the actions are (see `distribution_of`).
    """

    rows: Batch
    levels: tuple[LevelRange, ...] = ()
    batch_size: int = 256
    distribution: str = CATEGORICAL

    def __post_init__(self) -> None:
        """Refuse what nothing can be learned from.

        Raises:
            ValueError: for no rows, rows that are not one answer for each observation, or an
                unknown distribution.
        """
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"distribution={self.distribution!r}; expected one of {list(DISTRIBUTIONS)}"
                f"{did_you_mean(self.distribution, DISTRIBUTIONS)}"
            )
        observations, answers = len(self.rows.observations), len(self.rows.logits)
        if not answers:
            raise ValueError("an empty dataset; expected at least one observation")
        if observations != answers:
            raise ValueError(
                f"{observations} observations and {answers} answers; expected one for each"
            )

    def __len__(self) -> int:
        return len(self.rows.logits)

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Rows drawn at random."""
        return self.take(rng.integers(len(self), size=self.batch_size)).rows

    def take(self, chosen: npt.NDArray[Any]) -> Dataset:
        """Some of the rows, by number."""
        columns = [None if column is None else column[chosen] for column in self.rows]
        return replace(self, rows=Batch(*columns))  # type: ignore[arg-type]  # three are arrays

    def unique(self) -> Dataset:
        """Each observation once, as it first came, weighted by how often it came."""
        flat = self.rows.observations.reshape(len(self), -1)
        _, first, counts = np.unique(flat, axis=0, return_index=True, return_counts=True)
        kept = self.take(first)
        return replace(kept, rows=kept.rows._replace(weights=counts.astype(np.float32)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, atomically and without pickle.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        columns = self.rows._asdict().items()
        write_checkpoint(
            path,
            {name: column for name, column in columns if column is not None},
            {
                "kind": "dataset",
                "levels": [[part.first, part.levels] for part in self.levels],
                "batch_size": self.batch_size,
                "distribution": self.distribution,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Dataset:
        """What `save` wrote.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged or holds something else.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "dataset" or not {"observations", "logits"} <= set(arrays):
            raise CheckpointError(f"{path} holds {document.get('kind')!r}; expected a dataset")
        rows = make_batch(
            arrays["observations"], arrays["logits"], arrays.get("weights"), arrays.get("values")
        )
        return cls(
            rows,
            tuple(LevelRange(*part) for part in document["levels"]),
            document["batch_size"],
            document.get("distribution", CATEGORICAL),
        )


def join(parts: Sequence[Dataset]) -> Dataset:
    """The rows of several datasets in one; values only where all have them.

    Raises:
        ValueError: for no datasets, or such of other shapes or kinds of actions.
    """
    if not parts:
        raise ValueError("no datasets; expected at least one")
    kinds = {part.distribution for part in parts}
    if len(kinds) > 1:
        raise ValueError(f"datasets of {sorted(kinds)} actions; expected the same of each")
    columns: list[Any] = []
    for column in zip(*(part.rows for part in parts), strict=True):
        columns.append(None if any(c is None for c in column) else np.concatenate(column))
    levels = tuple(dict.fromkeys(level for part in parts for level in part.levels))
    return Dataset(Batch(*columns), levels, parts[0].batch_size, *kinds)
