"""What networks on planes share: they answer for every cell that the agent's plane marks."""

from __future__ import annotations

from typing import Any

from torch import Tensor

WALLS, AGENT, GOALS = range(3)
"""The planes of an observation, in their order."""


def split_planes(observations: Tensor) -> tuple[Tensor, Tensor]:
    """The maze, and the cells that are asked about.

    Args:
        observations: (batch, 3, rows, cols) of walls, agent and goals.

    Returns:
        (batch, 2, rows, cols) walls and goals as float32, and (batch, rows, cols) True where an
        answer is wanted.

    Raises:
        ValueError: for another shape.
    """
    if observations.ndim != 4 or observations.shape[1] != 3:
        raise ValueError(
            f"observations of shape {tuple(observations.shape)}; expected (batch, 3, rows, cols), "
            'what `observation="planes"` gives'
        )
    maze = observations[:, [WALLS, GOALS]].float()
    return maze, observations[:, AGENT] > 0.5


def answers_at(maps: Tensor, asked: Tensor) -> Tensor:
    """(answers, actions) what (batch, actions, rows, cols) maps say at the cells asked about."""
    return maps.movedim(1, -1)[asked]


def check_planes(observation_shape: Any) -> tuple[int, int]:
    """Rows and columns of a single observation.

    Raises:
        ValueError: if it is not (3, rows, cols).
    """
    shape = tuple(observation_shape)
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"an observation of shape {shape}; expected (3, rows, cols)")
    return int(shape[1]), int(shape[2])
