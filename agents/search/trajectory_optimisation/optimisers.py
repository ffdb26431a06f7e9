"""Trajectory optimisation of action sequences: the cross-entropy method (CEM) and MPPI.

Both sample plans (sequences of actions) from a normal distribution, simulate them, and move its
mean towards those of high return.

- CEM (Rubinstein 1999; with learned models Chua, Calandra, McAllister and Levine 2018, PETS) fits
  mean and standard deviation to the best plans, and samples again, several times.
- Model predictive path integral control (MPPI; Williams, Wagener, Goldfain, Drews, Rehg, Boots and
  Theodorou 2017, "Information theoretic MPC for model-based reinforcement learning", algorithm 2)
  weights all plans by exp(return / temperature) and keeps the standard deviation.

Differences from the papers:

1. The noise of a plan is correlated over time (Pinneri and others 2020, "Sample-efficient
   cross-entropy method for real-time planning"): with independent noise the steps of a plan
   cancel each other.
2. MPPI's temperature is in standard deviations of the returns, which makes it independent of the
   scale of the rewards, and there is no control cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...planning.base import checked_name
from ..agent import checked_positive
from ..simulators import BatchSimulator

METHODS = ("cem", "mppi")

MIN_STD = 0.02
"""Lower bound of CEM's standard deviation, as a fraction of an action's range."""

SMOOTHING = 0.1
"""Weight of the old mean and standard deviation at each fit of CEM."""

TerminalValue = Callable[[Any], FloatArray]
"""(n, d) vectors -> (n,) state values."""


class OptimiserSettings(NamedTuple):
    """Settings of the optimisation."""

    method: str
    horizon: int  # steps of a plan
    num_candidates: int  # plans that are sampled at a time
    iterations: int  # sampling rounds
    particles: int  # simulations of each plan
    elites: int  # of CEM: number of the best plans that are fitted
    temperature: float  # of MPPI, in standard deviations of the returns
    init_std: float  # initial standard deviation, as a fraction of an action's range
    temporal_correlation: float  # between an action's noise and the next one's, in [0, 1)
    gamma: float

    @classmethod
    def checked(cls, **numbers: Any) -> OptimiserSettings:
        """Return the settings, each checked to be in its range.

        Raises:
            ValueError: for a setting outside its range.
            TypeError: for a setting that is not a number.
        """
        method = checked_name("method", numbers["method"], METHODS)
        counts = {
            name: checked_positive(name, numbers[name])
            for name in ("horizon", "num_candidates", "iterations", "particles", "elites")
        }
        if counts["elites"] > counts["num_candidates"]:
            raise ValueError(
                f"elites={counts['elites']} of num_candidates={counts['num_candidates']}; "
                "expected at most as many"
            )
        temporal_correlation = checked_number(
            "temporal_correlation", numbers["temporal_correlation"], 0, 1
        )
        if temporal_correlation == 1:
            raise ValueError("temporal_correlation=1; expected a number in [0, 1)")
        return cls(
            method=method,
            **counts,
            temperature=checked_number("temperature", numbers["temperature"], 0, above=True),
            init_std=checked_number("init_std", numbers["init_std"], 0, above=True),
            temporal_correlation=temporal_correlation,
            gamma=checked_number("gamma", numbers["gamma"], 0, 1),
        )


class ActionBox(NamedTuple):
    """Bounds of the actions."""

    low: FloatArray  # (size,)
    high: FloatArray  # (size,)

    @property
    def middle(self) -> FloatArray:
        """Return the (size,) centre, the initial mean of a plan."""
        return (self.low + self.high) / 2

    @property
    def range(self) -> FloatArray:
        """Return the (size,) difference of high and low."""
        return self.high - self.low


def optimise_plan(
    simulator: BatchSimulator,
    root: Any,
    terminal: TerminalValue,
    mean: FloatArray,
    box: ActionBox,
    settings: OptimiserSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (horizon, size) plan that CEM or MPPI finds.

    Args:
        simulator: simulates the plans.
        root: the one state, of `simulator.begin`, where plans start.
        terminal: value function of the last states.
        mean: (horizon, size) initial mean.
        box: bounds of the actions.
        settings: of the optimisation.
        rng: source of all randomness.
    """
    std = np.broadcast_to(settings.init_std * box.range, mean.shape)
    for _ in range(settings.iterations):
        plans = sample_candidates(mean, std, box, settings, rng)
        returns = evaluate_candidates(simulator, root, terminal, plans, settings, rng)
        if settings.method == "mppi":
            mean = weighted_mean(plans, returns, settings.temperature)
        else:
            # Elites, fitted with smoothing: mu <- (1 - a) mean(elites) + a mu, and likewise sigma
            best = plans[np.argsort(-returns, kind="stable")[: settings.elites]]
            mean = SMOOTHING * mean + (1 - SMOOTHING) * best.mean(axis=0)
            std = SMOOTHING * std + (1 - SMOOTHING) * best.std(axis=0)
            std = np.maximum(std, MIN_STD * box.range)
    return mean


def sample_candidates(
    mean: FloatArray,
    std: FloatArray,
    box: ActionBox,
    settings: OptimiserSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """Sample (plans, horizon, size) plans within the bounds; the first is the mean."""
    noise = rng.standard_normal((settings.num_candidates, *mean.shape))
    rho = settings.temporal_correlation
    for step in range(1, mean.shape[0]):
        # AR(1) with unit variance: e_t = rho e_{t-1} + sqrt(1 - rho^2) z_t
        noise[:, step] = rho * noise[:, step - 1] + np.sqrt(1 - rho**2) * noise[:, step]
    noise[0] = 0.0
    plans: FloatArray = np.clip(mean + std * noise, box.low, box.high)
    return plans


def weighted_mean(plans: FloatArray, returns: FloatArray, temperature: float) -> FloatArray:
    """Return the (horizon, size) mean of plans, weighted by exp(return / temperature)."""
    # MPPI: w_k = exp(S_k / lambda) / sum_j exp(S_j / lambda), with the return S_k of plan k
    deviation = returns.std()
    if deviation > 0:
        # Subtracting the maximum changes no ratio of weights, and avoids overflow.
        weights = np.exp((returns - returns.max()) / (temperature * deviation))
    else:
        weights = np.ones(len(returns))
    mean: FloatArray = np.tensordot(weights / weights.sum(), plans, axes=1)
    return mean


def evaluate_candidates(
    simulator: BatchSimulator,
    root: Any,
    terminal: TerminalValue,
    plans: FloatArray,
    settings: OptimiserSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (plans,) mean discounted returns of `particles` simulations of each plan."""
    count = len(plans) * settings.particles
    running = np.arange(count)
    states = simulator.pick(root, np.zeros(count, dtype=np.int64))
    returns, discount = np.zeros(count), 1.0
    for step in range(settings.horizon):
        actions = plans[running // settings.particles, step]
        states, reward, terminated = simulator.step(states, actions, rng)
        returns[running] += discount * reward
        discount *= settings.gamma
        continues = np.flatnonzero(~terminated)
        running, states = running[continues], simulator.pick(states, continues)
        if not running.size:
            break
    if running.size:
        returns[running] += discount * terminal(simulator.observations(states))
    means: FloatArray = returns.reshape(len(plans), settings.particles).mean(axis=1)
    return means
