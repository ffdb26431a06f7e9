"""Checks of what callers hand to the vector environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, IntArray

Seeds = int | Sequence[int | None] | None


def read_seeds(seed: Seeds, num_envs: int) -> list[int | None]:
    """A seed for each world: one seed is counted up from, None seeds nothing.

    Raises:
        ValueError: for another number of seeds.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int):
        return [seed + i for i in range(num_envs)]
    seeds = list(seed)
    if len(seeds) != num_envs:
        raise ValueError(f"{len(seeds)} seeds; expected {num_envs}, one for each")
    return seeds


def read_mask(mask: Any, num_envs: int) -> BoolArray:
    """(n,) which worlds are reset; None is all of them.

    Raises:
        ValueError: for another shape, or a mask without a True; TypeError for another dtype.
    """
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"reset_mask={mask!r}; expected a NumPy array of dtype bool")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(f"reset_mask {mask!r}; expected shape ({num_envs},) and at least one True")
    return mask


def read_discrete_actions(actions: npt.ArrayLike, num_envs: int, num_actions: int) -> IntArray:
    """Actions of all worlds, (n,) int64.

    Raises:
        ValueError: for another shape or a number outside the space; TypeError for another dtype.
    """
    checked = np.asarray(actions)
    if checked.shape != (num_envs,):
        raise ValueError(f"actions of shape {checked.shape}; expected ({num_envs},)")
    if checked.dtype.kind not in "iu":
        raise TypeError(f"actions of dtype {checked.dtype}; expected integers")
    # As unsigned numbers the negative ones are the largest, so that one test finds both.
    unsigned = checked.astype(np.int64, copy=False).view(np.uint64)
    if unsigned.max() >= num_actions:
        i = int(unsigned.argmax())
        raise ValueError(
            f"action {checked[i]} of environment {i}; expected an integer from 0 to "
            f"{num_actions - 1} (up, right, down, left)"
        )
    return checked.astype(np.int64, copy=False)
