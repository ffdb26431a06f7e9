"""Observations, action bounds and decision trees in float32, as exported policies use them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array

from ...core.distributions import Bounds
from ...students.tree import LEAF, DecisionTree

PLANES = 3
"""Planes of a maze: walls, agent and goals."""

PLAIN = {np.dtype(kind): np.float32(1) for kind in ("f4", "f8", "i4", "i8", "?")}
IMAGES = {np.dtype("u1"): np.float32(1 / 255)}

KINDS = PLAIN | IMAGES
"""Types that compiled functions take unconverted -> the factor they apply."""


def numbers(observation: Any) -> tuple[npt.NDArray[Any], np.float32]:
    """Return a contiguous array of the observation, and the factor that scales it.

    Raises:
        ValueError: if it does not hold numbers.
    """
    array = np.ascontiguousarray(observation)
    times = KINDS.get(array.dtype)
    if times is not None:
        return array, times
    if array.dtype.kind not in "fiu":
        raise ValueError(f"observations of {array.dtype}; expected numbers")
    return array.astype(np.float32), np.float32(1)


def shape_error(shape: tuple[int, ...], expected: tuple[object, ...]) -> ValueError:
    """Return the error for observations of another shape."""
    wanted = ", ".join(str(n) for n in expected)
    return ValueError(f"observations of shape {shape}; expected ({wanted})")


def no_agent_error() -> ValueError:
    """Return the error for planes in which no cell is marked."""
    return ValueError("an observation in which no cell is the agent's; expected one")


def float32_bounds(bounds: Bounds) -> dict[str, Float32Array]:
    """Return (dimensions,) "low" and "high"; for squashed actions also "middle" and "half_range".

    A squashed action is middle + half_range * tanh(sample), any other the sample itself. Both are
    clipped, the squashed one since rounding may exceed the bounds. A bound beyond the range of
    float32 becomes infinite.

    Raises:
        ValueError: for squashed actions with such bounds.
    """
    numbers = {"low": bounds.low, "high": bounds.high}
    if bounds.squashed:
        numbers["middle"] = bounds.low / 2 + bounds.high / 2
        numbers["half_range"] = bounds.high / 2 - bounds.low / 2
    with np.errstate(over="ignore"):
        sides = {name: side.ravel().astype(np.float32) for name, side in numbers.items()}
    if bounds.squashed and not all(np.isfinite(side).all() for side in sides.values()):
        raise ValueError(
            f"squashed actions from {bounds.low.tolist()} to {bounds.high.tolist()}; expected "
            "bounds that float32 holds"
        )
    return sides


class FloatTree(NamedTuple):
    """Nodes of a decision tree in float32; the first is the root."""

    feature: npt.NDArray[np.int64]  # (nodes,) feature that is compared, `LEAF` for a leaf
    threshold: npt.NDArray[np.float32]  # (nodes,)
    below: npt.NDArray[np.int64]  # (nodes, 2) children for x <= t, x > t; of the n-th leaf (n, n)
    logits: npt.NDArray[np.float32]  # (leaves, actions) of the n-th leaf

    @classmethod
    def of(cls, tree: DecisionTree) -> FloatTree:
        """Convert a tree; its decisions for float32 observations stay the same."""
        state = tree.get_state()
        feature, below, exact = state["feature"], state["below"], state["threshold"]
        # x > t holds for a float32 x exactly if x is above the largest float32 <= t.
        with np.errstate(over="ignore"):
            threshold = exact.astype(np.float32)
        above = threshold.astype(np.float64) > exact
        threshold = np.where(above, np.nextafter(threshold, np.float32(-np.inf)), threshold)
        leaves = np.flatnonzero(feature == LEAF)
        below[leaves] = np.arange(len(leaves))[:, None]
        wanted = state["logits"][leaves]
        logits, rows = wanted.astype(np.float32), np.arange(len(leaves))
        best = wanted.argmax(axis=1)
        # Where rounding makes logits equal, the best is raised to the next float32.
        tied = logits.argmax(axis=1) != best
        raised = np.nextafter(logits[rows, best], np.float32(np.inf))
        logits[rows, best] = np.where(tied, raised, logits[rows, best])
        return cls(feature, threshold, below, logits)
