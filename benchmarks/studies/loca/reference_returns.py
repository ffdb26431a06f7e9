"""Exact reference returns of the LoCA environments: the optimum, and the policy of the other task.

All are means over starts anywhere in the corridor, of discounted returns of a limited number of
steps. On the grid they come from the exact Markov decision process, for a point from a
discretised corridor.
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
"""Slices of a column; at a noise of 0.1 and steps of one cell twice as many change no return by
1e-5."""

NEGLIGIBLE = 1e-16
"""Probability that changes no return."""

OTHER = {"A": "B", "B": "A"}

TIE = 1e-9
"""Largest difference of action values that counts as equal."""


class ReferenceReturns(NamedTuple):
    """Reference returns of a task."""

    optimum: float
    other: float  # of the policy that is optimal in the other task


def policy_returns(mdp: FiniteMDP, policy: FloatArray, gamma: float, steps: int) -> FloatArray:
    """Return the expected discounted return of a policy from each state, (S,).

    Args:
        mdp: the environment.
        policy: (S, A) probabilities of the actions.
        gamma: discount in [0, 1].
        steps: number of steps.
    """
    values: FloatArray = np.zeros(len(policy))
    for _ in range(steps):
        values = np.einsum("sa,sa->s", policy, mdp.backup(values, gamma))
    return values


def optimal_returns(mdp: FiniteMDP, gamma: float, steps: int) -> FloatArray:
    """Return the largest expected discounted return of the next steps from each state, (S,)."""
    values: FloatArray = np.zeros(len(mdp.start))
    for _ in range(steps):
        values = mdp.backup(values, gamma).max(axis=1)
    return values


def reference_returns(
    mdps: dict[str, FiniteMDP], task: str, gamma: float, steps: int
) -> ReferenceReturns:
    """Return the reference returns of a task.

    Args:
        mdps: of both tasks, which start anywhere in the corridor.
        task: "A" or "B".
        gamma: discount in [0, 1).
        steps: time limit of an episode.
    """
    mdp = mdps[task]
    policy = greedy_policy(mdps[OTHER[task]].optimal_action_values(gamma), tolerance=TIE)
    return ReferenceReturns(
        float(mdp.start @ optimal_returns(mdp, gamma, steps)),
        float(mdp.start @ policy_returns(mdp, policy, gamma, steps)),
    )


def exact_mdps(env: Any) -> dict[str, FiniteMDP]:
    """Return the Markov decision process of both tasks, starting anywhere.

    Args:
        env: an environment of LoCA, unwrapped.
    """
    if hasattr(env, "mdp"):
        kind, slip = type(env), env.slip_probability
        return {task: kind(task, slip_probability=slip).mdp for task in T1_REWARDS}
    return {
        task: discretised_corridor(task, env.motion.step_size, env.motion.noise)
        for task in T1_REWARDS
    }


@lru_cache(maxsize=8)
def discretised_corridor(
    task: str, step_size: float, noise: float, slices: int = SLICES
) -> FiniteMDP:
    """Return the corridor of a point, cut into slices; actions: none, right, left.

    Only the column counts. Noise moves a point from the centre of a slice into another one with the
    probability of a normal distribution.

    Args:
        task: "A" or "B".
        step_size: distance of an action, in cells.
        noise: standard deviation of the added displacement, in cells.
        slices: for each column.
    """
    places = 1 + (np.arange(LENGTH * slices) + 0.5) / slices  # the centres
    borders = 1 + np.arange(LENGTH * slices + 1) / slices
    count = len(places)
    probability = np.zeros((count, 3, count + 2))  # the last two: T2, T1
    for action, push in enumerate((0.0, step_size, -step_size)):
        below = _normal_below((borders - (places + push)[:, None]), noise)
        probability[:, action, :count] = np.diff(below, axis=1)
        probability[:, action, count] = below[:, 0]
        probability[:, action, count + 1] = 1 - below[:, -1]
    first = (ZONE - 1) * slices  # of the one-way zone, whose left border is a wall
    stopped = [*range(first), count]
    probability[first:, :, first] += probability[first:][:, :, stopped].sum(axis=2)
    probability[first:, :, stopped] = 0.0
    reward = np.zeros(count + 2)
    reward[count:] = T2_REWARD, T1_REWARDS[task]
    ends = np.arange(count + 2) >= count
    # Few slices can be reached in one step: only the likeliest outcomes are stored.
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
    """Return the probability that the noise is below distances."""
    if noise == 0:
        return (distances > 0).astype(np.float64)
    scaled = distances / (noise * sqrt(2))
    error: FloatArray = np.vectorize(erf, otypes=[np.float64])(scaled)
    return (1 + error) / 2
