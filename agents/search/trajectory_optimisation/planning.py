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
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.configuration import set_checked
from dynamaze.common.validation import (
    MOST_UPDATES,
    check_entries,
    checked_choice,
    checked_count,
    checked_number,
)

from ...core.encoders import VectorActions
from ...core.transitions import Transitions
from ...core.vectors import check_vectors
from ...models.protocol import Model
from ...models.vector_memory import VectorMemory
from ...values.table import Values
from ..agent import Query, SearchPlanning
from ..simulators import BatchSimulator, make_batch_simulator, simulate_returns
from .state_values import TiledStateValues

METHODS = ("cem", "mppi")

MIN_STD = 0.02
"""Lower bound of CEM's standard deviation, as a fraction of an action's range."""

SMOOTHING = 0.1
"""Weight of the old mean and standard deviation at each fit of CEM."""

NUM_BACKUP_ACTIONS = 16
"""Random actions that approximate the maximum in a state's backup."""

TerminalValue = Callable[[Any], FloatArray]
"""(n, d) vectors -> (n,) state values."""


def optimise_plan(
    simulator: BatchSimulator,
    root: Any,
    terminal: TerminalValue,
    mean: FloatArray,
    box: ActionBox,
    *,
    method: str,
    settings: TrajectorySettings,
    gamma: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (horizon, size) plan that CEM or MPPI finds.

    Args:
        simulator: simulates the plans.
        root: the one state, of `simulator.begin`, where plans start.
        terminal: value function of the last states.
        mean: (horizon, size) initial mean.
        box: bounds of the actions.
        method: "cem" or "mppi".
        settings: of the optimisation.
        gamma: discount factor.
        rng: source of all randomness.
    """
    std = np.broadcast_to(settings.init_std * box.range, mean.shape)
    for _ in range(settings.iterations):
        plans = sample_candidates(mean, std, box, settings, rng)
        returns = evaluate_candidates(
            simulator, root, terminal, plans, particles=settings.particles, gamma=gamma, rng=rng
        )
        if method == "mppi":
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
    settings: TrajectorySettings,
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
    *,
    particles: int,
    gamma: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the (plans,) mean discounted returns of `particles` simulations of each plan."""
    count = len(plans) * particles
    returns = simulate_returns(
        simulator,
        simulator.pick(root, np.zeros(count, dtype=np.int64)),
        lambda step, running, _: plans[running // particles, step],
        terminal,
        depth=plans.shape[1],
        gamma=gamma,
        rng=rng,
    )
    means: FloatArray = returns.reshape(len(plans), particles).mean(axis=1)
    return means


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


@dataclass(frozen=True, kw_only=True)
class TrajectorySettings:
    """Settings of trajectory optimisation.

    Raises:
        ValueError: for a setting outside its range.
        TypeError: for a setting that is not a number.
    """

    num_candidates: int = 64
    """Number of plans that are sampled at a time."""
    iterations: int = 3
    """Number of sampling rounds for each action."""
    particles: int = 2
    """Simulations of each plan; a stochastic model that knows its uncertainty samples that, too."""
    elites: int = 8
    """Number of the best plans to which CEM fits its distribution."""
    temperature: float = 0.3
    """Of MPPI, in standard deviations of the returns."""
    init_std: float = 0.5
    """Initial standard deviation of the sampled actions, as a fraction of their range."""
    temporal_correlation: float = 0.7
    """Between the noise of an action and that of the next, in [0, 1)."""
    action_noise_std: float = 0.05
    """Standard deviation of the exploration noise while learning, as a fraction of the action's
    range."""

    def __post_init__(self) -> None:
        for name in ("num_candidates", "iterations", "particles", "elites"):
            set_checked(self, **{name: checked_count(name, getattr(self, name))})
        for name in ("temperature", "init_std"):
            set_checked(self, **{name: checked_number(name, getattr(self, name), 0, above=True)})
        correlation = checked_number("temporal_correlation", self.temporal_correlation, 0, 1)
        noise = checked_number("action_noise_std", self.action_noise_std, 0)
        set_checked(self, temporal_correlation=correlation, action_noise_std=noise)
        if self.elites > self.num_candidates:
            raise ValueError(
                f"elites={self.elites} of num_candidates={self.num_candidates}; expected at most "
                "as many"
            )
        if correlation == 1:
            raise ValueError("temporal_correlation=1; expected a number in [0, 1)")


# -- the planner -------------------------------------------------------------------------------


class TrajectoryOptimisationPlanning(SearchPlanning):
    """Planner that optimises a plan before each action (receding horizon control, MPC).

    It takes the plan's first action and continues from the rest at the next step. In the
    background, values of visited states are updated towards the best of some random actions
    in the model, so that the values at the end of plans carry information from beyond the horizon.

    Args:
        box: bounds of the actions.
        size: d, length of an observation.
        method: "cem" or "mppi".
        horizon: steps of a plan, at least 1.
        settings: of the optimisation.
        planning_steps: states that are updated after each real step, at least 0; only learned
            values.

    Raises:
        ValueError: for a number outside its range, or an unknown method.
    """

    state_fields: ClassVar = {
        "memory": "memory.",
        "plan_ahead": "plan_ahead",
        "_following": "following",
    }
    optional_fields = ("_following",)

    def __init__(
        self,
        box: ActionBox,
        size: int,
        *,
        method: str,
        horizon: int,
        settings: TrajectorySettings,
        planning_steps: int = 0,
    ) -> None:
        self.horizon = checked_count("horizon", horizon)
        super().__init__(self.horizon)
        self.box, self.settings = box, settings
        simulations = settings.num_candidates * settings.particles
        check_entries(
            f"num_candidates={settings.num_candidates}, particles={settings.particles}, "
            f"horizon={horizon}",
            *(simulations, self.horizon, max(size, len(box.low))),
        )
        self.method = checked_choice("method", method, METHODS)
        self.planning_steps = checked_count("planning_steps", planning_steps, 0, MOST_UPDATES)
        self.memory = VectorMemory(size, VectorActions(len(box.low)))
        self.plan_ahead = self._initial_plan()
        self._following: FloatArray | None = None  # expected observation; None: a new episode

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, size) actions themselves, not values of numbered actions."""
        simulator = make_batch_simulator(query.model)
        if query.learning:
            present = query.observations[0]
            if self._following is None or not np.array_equal(self._following, present):
                self.plan_ahead = self._initial_plan()
            begin = self.plan_ahead
        else:
            begin = self._initial_plan()
        found = [
            optimise_plan(
                simulator,
                simulator.begin(observation[None]),
                query.values.values,
                begin,
                self.box,
                method=self.method,
                settings=self.settings,
                gamma=query.gamma,
                rng=query.rng,
            )
            for observation in query.observations
        ]
        if query.learning:
            # warm start of the next step: shift the plan by one, append the centre
            self.plan_ahead = np.concatenate((found[0][1:], self.box.middle[None]))
        return np.array([plan[0] for plan in found])

    def record_transition(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Store the visited state, and the expected next observation."""
        checked = check_vectors(transitions, self.memory.size, self.memory.actions)
        if self.planning_steps:
            self.memory.add(checked)
        self._following = None if checked.terminated[-1] else checked.next_observation[-1]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Update the learned values of visited states, drawn at random."""
        if not self.planning_steps or not isinstance(values, TiledStateValues):
            return
        visited = self.memory.draw(self.planning_steps, rng).observation
        simulator = make_batch_simulator(model)
        actions = rng.uniform(
            self.box.low, self.box.high, (len(visited) * NUM_BACKUP_ACTIONS, len(self.box.low))
        )
        # v(s) <- max over random a of r + gamma v(s'); rows are ordered by state, then action.
        roots = simulator.pick(
            simulator.begin(visited), np.repeat(np.arange(len(visited)), NUM_BACKUP_ACTIONS)
        )
        following, reward, terminated = simulator.step(roots, actions, rng)
        next_values = values.values(simulator.observations(following))
        targets = reward + np.where(terminated, 0.0, values.gamma) * next_values
        values.update_towards(
            visited, targets.reshape(len(visited), NUM_BACKUP_ACTIONS).max(axis=1)
        )

    def _initial_plan(self) -> FloatArray:
        return np.tile(self.box.middle, (self.horizon, 1))

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check a restored plan.

        Raises:
            ValueError: if it is not finite.
        """
        if not np.isfinite(restored["plan_ahead"]).all():
            raise ValueError(f"plan_ahead {restored['plan_ahead']!r}; expected finite numbers")
