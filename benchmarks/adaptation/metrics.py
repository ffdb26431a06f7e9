"""Metrics of adaptation, defined on the arrays of one run.

A run is T steps in an environment whose maze may change at some of them. At step t the agent is in
state s_t and takes action a_t, and the maze is the one that holds then:

1. Exact dynamic regret: regret_t = V*(s_t) - Q*(s_t, a_t), both with the setting's discount and in
   a maze that never changes again. In all: the sum over the run. Per step: the mean.
2. Loss of an episode that began at step k: the sum of gamma^(t - k) regret_t over its steps, as a
   fraction of V*(s_k). Without a change its expectation is exactly the fraction of the optimal
   return that the agent's policy loses (Kakade & Langford 2002, lemma 6.1). It has the noise of
   the agent's choices, but not that of slips.
3. Steps to recover: from a change to the end of the first episode with which `GOOD` of the last
   `WINDOW` episodes that began after the change are good: their loss is at most `TOLERANCE`. So
   neither luck counts, nor an exploratory action now and then. Runs without such an episode are
   censored at their end: the tables show the share that never recovers, and the restricted mean of
   the steps, in which a censored run counts with all the steps after the change
   (`statistics.restricted_mean`).
4. A shortcut is found if an episode that began after it opened is shorter than the shortest path
   before.
5. Reward before the change: the mean reward of a step before the first change, the price of being
   ready for it.
6. Model error: mean total variation distance between predicted and true outcomes, over the pairs
   that the agent has tried and that can be tried now; at the end of the run.
7. Delay of a report: steps from the change to the first report after it, censored at the end;
   false alarms: reports before the first change and, after it, all but the first one after each
   change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.envs import FiniteMDP

TOLERANCE = 0.05
"""Largest loss of a good episode."""

GOOD, WINDOW = 3, 5
"""An agent has recovered with so many good ones of so many successive episodes."""


class Episodes(NamedTuple):
    """Finished episodes of a run."""

    start: IntArray  # (episodes,) first step, from 0
    end: IntArray  # (episodes,) the step after the last one


def finished_episodes(ended: BoolArray) -> Episodes:
    """Return the finished episodes of (steps,) marks of their last steps."""
    end = np.flatnonzero(ended) + 1
    return Episodes(np.concatenate([[0], end[:-1]]).astype(np.int64)[: len(end)], end)


def episode_losses(
    regrets: FloatArray, optimal_values: FloatArray, episodes: Episodes, gamma: float
) -> FloatArray:
    """Return the fraction of the optimal return that each episode's actions lose.

    Args:
        regrets: (steps,) exact regrets.
        optimal_values: (steps,) V* of the state before each step.
        episodes: of the run.
        gamma: discount in [0, 1].

    Returns:
        (episodes,) losses; NaN where the optimal value of the first state is not above 0.
    """
    losses = np.full(len(episodes.end), np.nan)
    for number, (start, end) in enumerate(zip(*episodes, strict=True)):
        best = optimal_values[start]
        if best > 0:
            losses[number] = regrets[start:end] @ gamma ** np.arange(end - start) / best
    return losses


def recovery_time(losses: FloatArray, episodes: Episodes, change: int) -> float:
    """Return the steps from a change until the agent has recovered; infinity if it has not.

    Args:
        losses: (episodes,) of `episode_losses`.
        episodes: of the run.
        change: the first step in the changed maze.
    """
    after = episodes.start >= change
    good = np.concatenate([[0], np.cumsum(losses[after] <= TOLERANCE)])
    recent = good[1:] - good[np.maximum(np.arange(1, len(good)) - WINDOW, 0)]
    recovered = recent >= GOOD
    return float(episodes.end[after][recovered.argmax()] - change) if recovered.any() else np.inf


def found_shortcut(episodes: Episodes, change: int, path_before: int) -> bool:
    """Return True if an episode after a change is shorter than the shortest path before it."""
    lengths = (episodes.end - episodes.start)[episodes.start >= change]
    return bool((lengths < path_before).any())


def reward_before(rewards: FloatArray, change: int) -> float:
    """Return the mean reward of a step before the first change."""
    return float(rewards[:change].mean())


def detection_delays(
    reports: npt.ArrayLike, changes: npt.ArrayLike, steps: int
) -> tuple[FloatArray, int]:
    """Return the delay of the report of each change, and the number of false alarms.

    Args:
        reports: (reports,) steps at which the agent reported a change.
        changes: (changes,) first steps in the changed maze, ascending.
        steps: of the run.

    Returns:
        (changes,) steps from each change to the first report before the next one, infinite without
        one; and the reports that are none of these.
    """
    told, starts = np.sort(np.asarray(reports, dtype=np.int64)), np.asarray(changes, dtype=np.int64)
    delays = np.full(len(starts), np.inf)
    for number, (start, end) in enumerate(zip(starts, np.append(starts, steps)[1:], strict=True)):
        inside = told[(told >= start) & (told < end)]
        if inside.size:
            delays[number] = inside[0] - start
    return delays, int(told.size - np.isfinite(delays).sum())


def model_error(model: Any, mdp: FiniteMDP | None) -> float:
    """Return the mean total variation distance of a table model from the true outcomes.

    Args:
        model: a model of table rows with "predict", "visits" and "distribution" (see
            `dynamaze.agents.CAPABILITIES`).
        mdp: the exact dynamics.

    Returns:
        The distance, in [0, 1], with next cells by which an episode ends counted apart from others;
        NaN for other models, without dynamics, or where no pair was tried.
    """
    needed = {"predict", "visits", "distribution"}
    if mdp is None or not needed <= set(getattr(model, "capabilities", ())):
        return float("nan")
    states, actions = np.divmod(np.arange(mdp.next_state[..., 0].size), mdp.next_state.shape[1])
    if getattr(model, "num_states", None) != mdp.next_state.shape[0]:
        return float("nan")
    tried = (model.predict(states, actions).visits > 0) & _can_be_tried(mdp)[states]
    pairs = zip(states[tried].tolist(), actions[tried].tolist(), strict=True)
    distances = [_total_variation(model, mdp, state, action) for state, action in pairs]
    return float(np.mean(distances)) if distances else float("nan")


def _can_be_tried(mdp: FiniteMDP) -> BoolArray:
    """Return (states,) True for those that can be reached from a start without ending."""
    reached: BoolArray = mdp.start > 0
    while True:
        passable = (mdp.probability > 0) & ~mdp.terminated & reached[:, None, None]
        grown = reached.copy()
        grown[mdp.next_state[passable]] = True
        if (grown == reached).all():
            return reached
        reached = grown


def _total_variation(model: Any, mdp: FiniteMDP, state: int, action: int) -> float:
    width = mdp.next_state.shape[0]
    predicted = model.distribution(state, action)
    difference = np.zeros(2 * width)
    np.add.at(
        difference, predicted.next_observation + width * predicted.terminated, predicted.probability
    )
    places = mdp.next_state[state, action] + width * mdp.terminated[state, action]
    np.subtract.at(difference, places, mdp.probability[state, action])
    return float(np.abs(difference).sum() / 2)


def planning_updates(agent: Any, steps: int) -> float:
    """Return the planning updates of an agent in a run, of a search its simulations.

    Args:
        agent: after the run.
        steps: real steps of the run.

    Returns:
        The number that its planner counts, else its planning steps or simulations for each real
        step; NaN where it tells none, as value iteration, whose sweeps are as many as it takes.
    """
    planning = getattr(agent, "planning", None)
    counted = getattr(planning, "num_updates", None)
    if counted is not None:
        return float(counted)
    if hasattr(planning, "max_sweeps"):
        return float("nan")
    for name in ("planning_steps", "simulations"):
        each = getattr(planning, name, None)
        if each is not None:
            return float(each * steps)
    return float("nan")
