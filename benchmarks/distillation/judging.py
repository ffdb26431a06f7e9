"""How well a policy does in whole mazes: from every cell, exactly, without playing an episode."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.distill.files.card import ReturnEstimate
from dynamaze.envs.generation.planes import ShortestPathPolicy, steps_to_goal

from ..harness.intervals import mean_interval
from .mazes import Held

GAMMA = 0.95


class Verdict(NamedTuple):
    """How a policy does, as means over mazes of means over their cells."""

    success: float  # share of the cells from which its best actions lead to the goal
    kept: float  # its discounted return, as a share of the best policy's
    agreement: float  # share of the cells in which its action is among the best
    by_maze: np.ndarray[Any, np.dtype[np.float64]]  # (mazes,) share of the return kept in each


def judge(policy: Any, held: Held, chunk: int = 64) -> Verdict:
    """Follow a policy's best actions from every cell asked.

    Args:
        policy: anything with `action_logits` or `action_probabilities`.
        held: the mazes.
        chunk: mazes that are shown to it at once.
    """
    planes = held.planes
    ask = getattr(policy, "action_logits", None) or policy.action_probabilities
    answers = [ask(planes[at : at + chunk]) for at in range(0, len(planes), chunk)]
    actions = np.concatenate(answers).argmax(axis=1)
    steps = steps_to_goal(planes, actions)
    maze = np.nonzero(planes[:, 1] > 0.5)[0]
    reached = steps >= 0
    returns = np.where(reached, GAMMA ** np.maximum(steps - 1.0, 0), 0.0)
    best = GAMMA ** (held.shortest - 1.0)
    counts = np.bincount(maze)
    success = np.bincount(maze, reached) / counts
    kept = np.bincount(maze, returns) / np.bincount(maze, best)
    return Verdict(float(success.mean()), float(kept.mean()), _agreement(held, actions), kept)


def kept_of(verdict: Verdict) -> ReturnEstimate:
    """The share of the best return that is kept, with its interval over mazes."""
    found = mean_interval(verdict.by_maze)
    high = min(1.0, float(found.high))
    return ReturnEstimate(float(found.mean), float(found.low), high, len(verdict.by_maze))


def _agreement(held: Held, actions: Any) -> float:
    """The share of the cells from which the action leads a step nearer to the goal."""
    best = ShortestPathPolicy().action_probabilities(held.planes)
    return float((best[np.arange(len(actions)), actions] > 0).mean())
