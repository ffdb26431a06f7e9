"""Searching for a plan, a sequence of actions that are vectors: the cross-entropy method and MPPI.

Both draw plans from a normal distribution, simulate them and move its mean towards the good ones.

- The cross-entropy method (CEM; Rubinstein 1999; with learned models Chua, Calandra, McAllister and
  Levine 2018, PETS) fits mean and spread to the best plans, and draws again, some times.
- Model predictive path integral control (MPPI; Williams, Wagener, Goldfain, Drews, Rehg, Boots and
  Theodorou 2017, "Information theoretic MPC for model-based reinforcement learning", algorithm 2)
  weights all plans by exp(return / temperature) and keeps the spread.

Differences from the papers:

1. What is drawn at one step of a plan is correlated with what was drawn at the step before
   (Pinneri and others 2020, "Sample-efficient cross-entropy method for real-time planning"): a plan
   of independent actions goes nowhere.
2. MPPI's temperature is in standard deviations of the returns, so that it need not know the scale
   of the rewards, and there is no cost of control.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..agent import check_positive, checked_name
from ..monte_carlo_search_worlds import Worlds

METHODS = ("cem", "mppi")

LEAST_SPREAD = 0.02
"""Of CEM, as a share of an action's range: with less, nothing would be tried any more."""

MEMORY = 0.1
"""The share of CEM's old mean and spread that is kept at each fit."""

Terminal = Callable[[Any], FloatArray]
"""(n, d) vectors -> (n,) what follows them is worth."""


class PlanSettings(NamedTuple):
    """How plans are searched for."""

    method: str
    horizon: int  # steps of a plan
    plans: int  # drawn at a time
    iterations: int  # how often
    particles: int  # simulations of each plan
    elites: int  # of CEM: so many of the best plans are fitted
    temperature: float  # of MPPI, in standard deviations of the returns
    spread: float  # with which drawing begins, as a share of an action's range
    correlation: float  # between an action's noise and the next one's, in [0, 1)
    gamma: float

    @classmethod
    def checked(cls, **numbers: Any) -> PlanSettings:
        """The settings, each in its range.

        Raises:
            ValueError: for one outside its range; TypeError for what is no number.
        """
        method = checked_name("method", numbers["method"], METHODS)
        counts = {
            name: check_positive(name, numbers[name])
            for name in ("horizon", "plans", "iterations", "particles", "elites")
        }
        if counts["elites"] > counts["plans"]:
            raise ValueError(
                f"elites={counts['elites']} of {counts['plans']} plans; expected at most as many"
            )
        correlation = checked_number("correlation", numbers["correlation"], 0, 1)
        if correlation == 1:
            raise ValueError("correlation=1; expected a number in [0, 1)")
        return cls(
            method=method,
            **counts,
            temperature=checked_number("temperature", numbers["temperature"], 0, above=True),
            spread=checked_number("spread", numbers["spread"], 0, above=True),
            correlation=correlation,
            gamma=checked_number("gamma", numbers["gamma"], 0, 1),
        )


class ActionBox(NamedTuple):
    """The bounds of actions."""

    low: FloatArray  # (size,)
    high: FloatArray  # (size,)

    @property
    def middle(self) -> FloatArray:
        """(size,) where a plan of which nothing is known begins."""
        return (self.low + self.high) / 2

    @property
    def range(self) -> FloatArray:
        """(size,) from low to high."""
        return self.high - self.low


def search_plan(
    worlds: Worlds,
    root: Any,
    terminal: Terminal,
    mean: FloatArray,
    box: ActionBox,
    settings: PlanSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """A good plan, (horizon, size).

    Args:
        worlds: simulates.
        root: the one state, of `worlds.begin`, where plans begin.
        terminal: what follows a plan's last state is worth.
        mean: (horizon, size) around which plans are drawn first.
        box: the bounds of actions.
        settings: how to search.
        rng: for all randomness.
    """
    spread = np.broadcast_to(settings.spread * box.range, mean.shape)
    for _ in range(settings.iterations):
        plans = draw_plans(mean, spread, box, settings, rng)
        returns = simulate(worlds, root, terminal, plans, settings, rng)
        if settings.method == "mppi":
            mean = weighted_mean(plans, returns, settings.temperature)
        else:
            best = plans[np.argsort(-returns, kind="stable")[: settings.elites]]
            mean = MEMORY * mean + (1 - MEMORY) * best.mean(axis=0)
            spread = MEMORY * spread + (1 - MEMORY) * best.std(axis=0)
            spread = np.maximum(spread, LEAST_SPREAD * box.range)
    return mean


def draw_plans(
    mean: FloatArray,
    spread: FloatArray,
    box: ActionBox,
    settings: PlanSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """(plans, horizon, size) plans within the bounds; the first is the mean itself."""
    noise = rng.standard_normal((settings.plans, *mean.shape))
    kept = settings.correlation
    for step in range(1, mean.shape[0]):
        noise[:, step] = kept * noise[:, step - 1] + np.sqrt(1 - kept**2) * noise[:, step]
    noise[0] = 0.0
    plans: FloatArray = np.clip(mean + spread * noise, box.low, box.high)
    return plans


def weighted_mean(plans: FloatArray, returns: FloatArray, temperature: float) -> FloatArray:
    """(horizon, size) the mean of plans, weighted by exp(return / temperature)."""
    deviation = returns.std()
    if deviation > 0:
        weights = np.exp((returns - returns.max()) / (temperature * deviation))
    else:
        weights = np.ones(len(returns))
    mean: FloatArray = np.tensordot(weights / weights.sum(), plans, axes=1)
    return mean


def simulate(
    worlds: Worlds,
    root: Any,
    terminal: Terminal,
    plans: FloatArray,
    settings: PlanSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """(plans,) mean discounted returns of `particles` simulations of each plan."""
    count = len(plans) * settings.particles
    running = np.arange(count)
    states = worlds.pick(root, np.zeros(count, dtype=np.int64))
    gained, discount = np.zeros(count), 1.0
    for step in range(settings.horizon):
        actions = plans[running // settings.particles, step]
        states, reward, terminated = worlds.step(states, actions, rng)
        gained[running] += discount * reward
        discount *= settings.gamma
        going_on = np.flatnonzero(~terminated)
        running, states = running[going_on], worlds.pick(states, going_on)
        if not running.size:
            break
    if running.size:
        gained[running] += discount * terminal(worlds.observations(states))
    means: FloatArray = gained.reshape(len(plans), settings.particles).mean(axis=1)
    return means
