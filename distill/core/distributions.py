"""Of what kind a policy's actions are, and what becomes of a Gaussian sample in the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

CATEGORICAL, GAUSSIAN, SQUASHED = "categorical", "gaussian", "squashed_gaussian"
"""Discrete actions by their logits; continuous ones by a Gaussian, clipped or squashed by tanh."""

DISTRIBUTIONS = (CATEGORICAL, GAUSSIAN, SQUASHED)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where continuous actions lie, and how a sample of any size gets there.

    Attributes:
        low: of the shape of an action; -inf or None where there is no bound.
        high: as many; inf or None where there is none.
        squashed: whether a sample's tanh is scaled to the bounds, as SAC does it; otherwise the
            sample itself is clipped to them, as PPO does it.

    Raises:
        ValueError: for bounds of different shapes, a low one that is not below the high one, or
            squashed actions without bounds.
    """

    low: FloatArray
    high: FloatArray
    squashed: bool = False

    def __post_init__(self) -> None:
        """Make arrays of the bounds, and refuse those that hold nothing."""
        for name, endless in (("low", -np.inf), ("high", np.inf)):
            given = np.asarray(getattr(self, name), dtype=np.float64)  # None becomes NaN
            object.__setattr__(self, name, np.where(np.isnan(given), endless, given))
        if self.low.shape != self.high.shape or not (self.low < self.high).all():
            raise ValueError(
                f"bounds from {self.low.tolist()} to {self.high.tolist()}; expected as many, each "
                "low one below its high one"
            )
        if self.squashed and not np.isfinite([self.low, self.high]).all():
            raise ValueError(
                f"squashed actions from {self.low.tolist()} to {self.high.tolist()}; expected "
                "finite bounds"
            )

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Bounds:
        """From what `to_json` gave, among other things.

        Raises:
            KeyError: for a part that is missing.
            ValueError: for bounds that hold nothing.
        """
        return cls(config["low"], config["high"], bool(config["squashed"]))

    def to_json(self) -> dict[str, Any]:
        """Nested lists, None for no bound, and whether samples are squashed."""
        sides = {}
        for name, side in (("low", self.low), ("high", self.high)):
            numbers = side.astype(object)
            numbers[~np.isfinite(side)] = None
            sides[name] = numbers.tolist()
        return {**sides, "squashed": self.squashed}

    @property
    def dimensions(self) -> int:
        """How many numbers an action has."""
        return self.low.size

    def action(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """(batch, *shape) what the environment takes, for (batch, dimensions) samples."""
        given = np.asarray(samples, dtype=np.float64).reshape(len(samples), *self.low.shape)
        if self.squashed:
            given = self.low + (np.tanh(given) + 1) / 2 * (self.high - self.low)
        return np.clip(given, self.low, self.high).astype(np.float32)

    def is_like(self, other: Bounds) -> bool:
        """Whether both hold the same actions, but for what float32 loses."""
        return self.low.shape == other.low.shape and all(
            np.allclose(mine, its, rtol=1e-6)
            for mine, its in ((self.low, other.low), (self.high, other.high))
        )


def distribution_of(policy: Any) -> str:
    """Of which kind a policy's actions are: `CATEGORICAL`, `GAUSSIAN` or `SQUASHED`.

    Gaussian is what has `action_gaussian`, and squashed what has such `bounds`.
    """
    if not hasattr(policy, "action_gaussian"):
        return CATEGORICAL
    return SQUASHED if getattr(getattr(policy, "bounds", None), "squashed", False) else GAUSSIAN


def split(rows: Any) -> tuple[Any, Any]:
    """(answers, dimensions) means and log standard deviations of (answers, 2 * dimensions) rows.

    Arrays and tensors; a change of a part is one of the rows.
    """
    half = rows.shape[1] // 2
    return rows[:, :half], rows[:, half:]


def gaussian_rows(policy: Any, observations: Any) -> FloatArray:
    """(answers, 2 * dimensions) a Gaussian policy's means, then log standard deviations.

    Raises:
        ValueError: if these are not (answers, dimensions) each.
    """
    mean, log_std = (np.asarray(part) for part in policy.action_gaussian(observations))
    if mean.ndim != 2 or mean.shape != log_std.shape:
        raise ValueError(
            f"means of shape {mean.shape} and log standard deviations of shape {log_std.shape}; "
            "expected (answers, dimensions) each"
        )
    return np.concatenate([mean, log_std], axis=1)
