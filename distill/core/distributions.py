"""Action distributions of policies, and the map from Gaussian samples to bounded actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .checks import as_numbers, check_labels, name_of

CATEGORICAL, GAUSSIAN, SQUASHED = "categorical", "gaussian", "squashed_gaussian"
"""Discrete actions from logits; continuous ones from a Gaussian, clipped or squashed by tanh."""

DISTRIBUTIONS = (CATEGORICAL, GAUSSIAN, SQUASHED)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of continuous actions, and the map from samples to actions.

    Attributes:
        low: lower bounds, of the shape of an action; -inf or None for no bound.
        high: upper bounds, of the same shape; inf or None for no bound.
        squashed: True if tanh of a sample is scaled to the bounds, as SAC does; otherwise the
            sample is clipped to them, as PPO does.

    Raises:
        ValueError: for bounds of different shapes, a lower bound that is not below the upper one,
            or squashed actions without finite bounds.
    """

    low: FloatArray
    high: FloatArray
    squashed: bool = False

    def __post_init__(self) -> None:
        """Convert the bounds to arrays and check them."""
        for name, unbounded in (("low", -np.inf), ("high", np.inf)):
            given = np.asarray(getattr(self, name), dtype=np.float64)  # None becomes NaN
            object.__setattr__(self, name, np.where(np.isnan(given), unbounded, given))
        if self.low.shape != self.high.shape or not (self.low < self.high).all():
            raise ValueError(
                f"bounds from {self.low.tolist()} to {self.high.tolist()}; expected equal "
                "shapes, and each lower bound below its upper one"
            )
        if self.squashed and not np.isfinite([self.low, self.high]).all():
            raise ValueError(
                f"squashed actions from {self.low.tolist()} to {self.high.tolist()}; expected "
                "finite bounds"
            )

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Bounds:
        """Make bounds from the entries that `to_json` returned; other entries are ignored.

        Raises:
            KeyError: for a missing entry.
            ValueError: for invalid bounds.
        """
        return cls(config["low"], config["high"], bool(config["squashed"]))

    def to_json(self) -> dict[str, Any]:
        """Return nested lists, None for no bound, and the flag `squashed`."""
        sides = {}
        for name, side in (("low", self.low), ("high", self.high)):
            numbers = side.astype(object)
            numbers[~np.isfinite(side)] = None
            sides[name] = numbers.tolist()
        return {**sides, "squashed": self.squashed}

    @property
    def dimensions(self) -> int:
        """Number of components of an action."""
        return self.low.size

    def action(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Map (batch, dimensions) samples to (batch, *shape) actions of the environment."""
        given = np.asarray(samples, dtype=np.float64).reshape(len(samples), *self.low.shape)
        if self.squashed:
            given = self.low + (np.tanh(given) + 1) / 2 * (self.high - self.low)
        return np.clip(given, self.low, self.high).astype(np.float32)

    def is_like(self, other: Bounds) -> bool:
        """Return True if both have the same bounds up to float32 precision."""
        return self.low.shape == other.low.shape and all(
            np.allclose(own, others, rtol=1e-6)
            for own, others in ((self.low, other.low), (self.high, other.high))
        )


def distribution_of(policy: Any) -> str:
    """Return the kind of a policy's actions: `CATEGORICAL`, `GAUSSIAN` or `SQUASHED`.

    A policy with `action_gaussian` is Gaussian, and squashed if its `bounds` are.
    """
    if not hasattr(policy, "action_gaussian"):
        return CATEGORICAL
    return SQUASHED if getattr(getattr(policy, "bounds", None), "squashed", False) else GAUSSIAN


def split(rows: Any) -> tuple[Any, Any]:
    """Split (queries, 2 * dimensions) rows into means and log standard deviations.

    Works on arrays and tensors; the parts are views of the rows.
    """
    half = rows.shape[1] // 2
    return rows[:, :half], rows[:, half:]


def gaussian_rows(policy: Any, observations: Any) -> FloatArray:
    """Return a Gaussian policy's means and log standard deviations as (queries, 2 * dimensions).

    Raises:
        ValueError: if these are not (queries, dimensions) each, or not finite.
        TypeError: if they are no numbers.
    """
    mean, log_std = (
        as_numbers(f"means and log deviations of {name_of(policy)}", part)
        for part in policy.action_gaussian(observations)
    )
    if mean.ndim != 2 or mean.shape != log_std.shape:
        raise ValueError(
            f"means of shape {mean.shape} and log standard deviations of shape {log_std.shape} of "
            f"{name_of(policy)}; expected (queries, dimensions) each"
        )
    rows: FloatArray = np.concatenate([mean, log_std], axis=1)
    check_labels(rows, policy, is_gaussian=True)
    return rows
