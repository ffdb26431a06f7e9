"""Recurrent student that adapts with frozen weights: a GRU over cells, actions and rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.optional_imports import optional_import

from ..core.map_state import OBSERVATION, Grid, GridPolicy, checked_cells, known_grid, recalled
from ..core.observations import EXPERIENCE_FEATURES, MAZE_ACTIONS
from .base import Student
from .gru import GRU

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402

PERIODS = np.array([4, 8, 16, 32])
"""Cells of a period of the sinusoids by which a row or a column is given."""


class ExperienceGRU(GridPolicy, Student):
    """GRU that observes its cell, its last action and its last reward, nothing of the maze.

    Suited to comparisons with `MapValueIteration`.

    It is the usual learner by a recurrent state (Duan et al. 2016, RL^2; Wang et al. 2016), and the
    reference of `MapValueIteration`: it observes the same, but has to learn what to remember, where
    that one draws a map by rules. Each observation is given to the GRU as numbers (see
    `experience_features`), and its state outlives episodes.

    In training it is given whole runs as features, (batch, time, features). As a policy it is given
    observations, and keeps a state for each run until `forget`; set `grid` first. A reset begins an
    episode, and keeps the state.

    Args:
        width: size of the recurrent state.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a width below 1, or one that is too large.
    """

    observation_shape = (len(OBSERVATION),)

    def __init__(self, width: int = 64, *, seed: int = 0) -> None:
        super().__init__()
        self.inner = GRU((EXPERIENCE_FEATURES,), MAZE_ACTIONS, width, seed=seed)
        self.width = self.inner.width
        self.config = {"kind": "experience_gru", "width": self.width}

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch * time, 4) logits for (batch, time, features) runs."""
        return self.inner(features)  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (runs, actions) logits for the next observation of each of a batch of runs.

        Args:
            observations: (runs, 3) cell, last action and last reward; the last two do not matter
                at the beginning of an episode.

        Raises:
            ValueError: without a grid, for a cell outside of it, or a memory of another number of
                runs or another width.
        """
        grid = known_grid(self.grid)
        seen = checked_cells(observations, grid)
        states = recalled(self.memory, (len(seen), self.width + 1))
        features = experience_features(seen, states[:, -1] - 1, grid)
        self.inner.memory = torch.from_numpy(states[:, :-1]).to(self.inner.last.weight.device)
        logits = self.inner.action_logits(features)
        states[:, :-1], states[:, -1] = self.inner.memory.cpu().numpy(), seen[:, 0] + 1
        self.inner.memory, self.memory = None, states
        return logits

    @property
    def num_outputs(self) -> int:
        """Number of actions in a maze."""
        return MAZE_ACTIONS

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one step, in a maze of any size."""
        return self.inner.multiply_adds((EXPERIENCE_FEATURES,))


def experience_features(observations: Any, before: Any, grid: Grid) -> Float32Array:
    """Return observations as numbers that a network can read.

    They are the row and the column, each by four sinusoids of another period and their cosines
    (Vaswani et al. 2017, section 3.5), the size of the maze, the last action as a one-hot vector,
    the last reward, and whether the last action left the agent in place.

    Args:
        observations: (..., 3) cell, last action and last reward.
        before: (...) the cell before; -1 at the beginning of an episode.
        grid: rows and columns of the maze.

    Returns:
        (..., 24) numbers; those of the last step are 0 at the beginning of an episode.
    """
    given, earlier = np.asarray(observations), np.asarray(before)
    cell, action, reward = given[..., 0], given[..., 1], given[..., 2]
    places = np.stack([cell // grid[1], cell % grid[1]], axis=-1)
    angles = 2 * np.pi * places[..., None] / PERIODS
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    size = np.broadcast_to(np.array(grid) / PERIODS[-1], (*cell.shape, 2))
    last = (action[..., None] == np.arange(MAZE_ACTIONS), reward[..., None])
    stayed = (cell == earlier)[..., None]
    step = np.concatenate([*last, stayed], axis=-1) * (earlier >= 0)[..., None]
    flat = waves.reshape(*cell.shape, -1)
    return np.concatenate([flat, size, step], axis=-1).astype(np.float32)
