"""The exact levels of the LoCA worlds: what is optimal, and what not to adapt is worth.

All are means over starts anywhere in the corridor, of discounted returns of at most so many steps.

On the grid they come from the exact Markov decision process. For a point only the column counts, so
the corridor is cut into `SLICES` for each column; the noise then takes a point from the middle of
one into another with the probability of a normal distribution. At a noise of 0.1 and steps of one
cell twice as many slices move no level by 1e-5.
"""

from __future__ import annotations

from functools import lru_cache
from math import erf, sqrt
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.envs.loca.tasks import LENGTH, T1_REWARDS, T2_REWARD, ZONE
from dynamaze.envs.mazes.mdp import FiniteMDP, greedy_policy

SLICES = 20

NEGLIGIBLE = 1e-16
"""A probability that changes no level."""

OTHER = {"A": "B", "B": "A"}

TIE = 1e-9


class Levels(NamedTuple):
    """What a task is worth."""

    optimum: float
    other: float  # to who acts as is optimal in the other task


def returns_of(mdp: FiniteMDP, policy: FloatArray, gamma: float, steps: int) -> FloatArray:
    """(S,) expected discounted return of a policy's next steps.

    Args:
        mdp: the world.
        policy: (S, A) probabilities of the actions.
        gamma: discount in [0, 1].
        steps: how many.
    """
    values: FloatArray = np.zeros(len(policy))
    for _ in range(steps):
        values = np.einsum("sa,sa->s", policy, mdp.backup(values, gamma))
    return values


def best_returns(mdp: FiniteMDP, gamma: float, steps: int) -> FloatArray:
    """(S,) the largest expected discounted return of the next steps, whatever the policy."""
    values: FloatArray = np.zeros(len(mdp.start))
    for _ in range(steps):
        values = mdp.backup(values, gamma).max(axis=1)
    return values


def levels_of(mdps: dict[str, FiniteMDP], task: str, gamma: float, steps: int) -> Levels:
    """The levels of a task.

    Args:
        mdps: of both tasks, which start anywhere in the corridor.
        task: "A" or "B".
        gamma: discount in [0, 1).
        steps: the most steps of an episode.
    """
    mdp = mdps[task]
    policy = greedy_policy(mdps[OTHER[task]].optimal_action_values(gamma), tolerance=TIE)
    return Levels(
        float(mdp.start @ best_returns(mdp, gamma, steps)),
        float(mdp.start @ returns_of(mdp, policy, gamma, steps)),
    )


def exact_mdps(world: Any) -> dict[str, FiniteMDP]:
    """The Markov decision process of both tasks, starting anywhere.

    Args:
        world: an environment of LoCA, unwrapped.
    """
    if hasattr(world, "mdp"):
        kind, slip = type(world), world.slip_probability
        return {task: kind(task, slip_probability=slip).mdp for task in T1_REWARDS}
    return {task: sliced(task, world.motion.step_size, world.motion.noise) for task in T1_REWARDS}


@lru_cache(maxsize=8)
def sliced(task: str, step_size: float, noise: float, slices: int = SLICES) -> FiniteMDP:
    """The corridor of a point, cut into slices; actions: none, right, left.

    Args:
        task: "A" or "B".
        step_size: how far an action goes, in cells.
        noise: standard deviation of what is added, in cells.
        slices: for each column.
    """
    places = 1 + (np.arange(LENGTH * slices) + 0.5) / slices  # the middles
    borders = 1 + np.arange(LENGTH * slices + 1) / slices
    count = len(places)
    probability = np.zeros((count, 3, count + 2))  # behind all slices: T2, T1
    for action, push in enumerate((0.0, step_size, -step_size)):
        below = _normal_below((borders - (places + push)[:, None]), noise)
        probability[:, action, :count] = np.diff(below, axis=1)
        probability[:, action, count] = below[:, 0]
        probability[:, action, count + 1] = 1 - below[:, -1]
    first = (ZONE - 1) * slices  # of the zone, whose left border is a wall
    stopped = [*range(first), count]
    probability[first:, :, first] += probability[first:][:, :, stopped].sum(axis=2)
    probability[first:, :, stopped] = 0.0
    reward = np.zeros(count + 2)
    reward[count:] = T2_REWARD, T1_REWARDS[task]
    ends = np.arange(count + 2) >= count
    # Hardly any slice is within reach: only the likeliest are kept.
    likely = int((probability > NEGLIGIBLE).sum(axis=2).max())
    outcome = np.argsort(-probability, axis=2)[:, :, :likely]
    return FiniteMDP(
        np.where(ends, 0, np.arange(count + 2))[outcome],
        np.take_along_axis(probability, outcome, axis=2),
        reward[outcome],
        ends[outcome],
        np.full(count, 1 / count),
    )


def _normal_below(distances: FloatArray, noise: float) -> FloatArray:
    """The probability that noise stays below distances."""
    if noise == 0:
        return (distances > 0).astype(np.float64)
    scaled = distances / (noise * sqrt(2))
    error: FloatArray = np.vectorize(erf, otypes=[np.float64])(scaled)
    return (1 + error) / 2
