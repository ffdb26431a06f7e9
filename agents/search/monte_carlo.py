"""Monte-Carlo search, a rollout algorithm: mean returns of simulations of each action.

Tesauro and Galperin 1996, "On-line policy improvement using Monte-Carlo search"; Sutton & Barto
2018, section 8.10. After its first action a simulation follows a rollout policy, so that the values
are those of that policy, and the best of them improves on it (policy improvement theorem, section
4.2). Nothing is kept between decisions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.configuration import set_checked
from dynamaze.common.deprecation import grouped_arguments
from dynamaze.common.validation import checked_choice, checked_count, checked_number

from ..agent import EnvLike
from ..checkpoint import read_agent
from ..core.kernels import choose, plan_nothing, rules, sample_outcome
from ..core.rng import Seed, high_unit, load, next_word, sample_columns, state_words, store
from ..exploration import EpsilonGreedyRule, epsilon_greedy_probabilities
from ..models.protocol import Model
from ..values.table import TableValues, Values, row_max
from .agent import (
    LEAF_VALUES,
    Query,
    SearchAgent,
    SearchPlanning,
    check_simulation_count,
    search_depth,
    search_table,
)
from .simulators import BatchSimulator, make_batch_simulator, simulate_returns

POLICIES = ("random", "values")
"""Names of rollout policies."""

RolloutPolicy = str | Callable[[Any], FloatArray]
"""One of `POLICIES`, or a function: (batch, ...) encoded observations -> (batch, actions)
probabilities."""


@compiled_with_arrays
def roll_out(model, policy, q, leaves, rows, num_actions, simulations, depth, gamma, words):
    """Return mean returns of simulations that start with each action in turn.

    Args:
        model: record of a table.
        policy: record of an exploration policy, for `choose`.
        q: (states * actions,) values of the policy.
        leaves: (states * actions,) table whose row-wise maxima are the leaf values.
        rows: (batch,) roots.
        num_actions: int64.
        simulations: for each root, at least as many as actions.
        depth: steps of a simulation, at least 1.
        gamma: discount factor.
        words: state of the random number generator.

    Returns:
        (batch, actions) means.
    """
    means = np.zeros((rows.size, num_actions))
    rng = load(words)
    for i in range(rows.size):
        rng = _roll_out_row(
            model, policy, q, leaves, rows[i], means[i], num_actions, simulations, depth, gamma, rng
        )
    store(words, rng)
    return means


@compiled
def _roll_out_row(
    model, policy, q, leaves, row, means, num_actions, simulations, depth, gamma, rng
):
    """Compute the (actions,) mean returns of a root; return the generator's state."""
    means[:] = 0.0
    for simulation in range(simulations):
        first = simulation % num_actions
        returned, rng = _rollout(
            model, policy, q, leaves, row, first, num_actions, depth, gamma, rng
        )
        means[first] += returned
    for action in range(num_actions):
        # action a is simulated ceil((simulations - a) / num_actions) times
        means[action] /= (simulations - action + num_actions - 1) // num_actions
    return rng


@compiled
def _rollout(model, policy, q, leaves, state, action, num_actions, depth, gamma, rng):
    """Return the discounted return of one simulation, and the generator's state."""
    columns = np.uint64(num_actions)
    returned, discount = 0.0, 1.0  # G = sum_k gamma^k R_{k+1}
    for step in range(depth):
        if step > 0:
            action, rng = choose(policy, q, state * num_actions, num_actions, state, rng)
        pair = np.uint64(state) * columns + np.uint64(action)
        reward, state, terminated, rng = sample_outcome(model, columns, pair, rng)
        returned += discount * reward
        discount *= gamma
        if terminated:
            return returned, rng
    return returned + discount * row_max(leaves, np.uint64(state) * columns, columns), rng


class PolicyRule(NamedTuple):
    """Policy that is given by its action probabilities."""

    probability: FloatArray  # (states * actions,)


@compiled
def choose_by_policy(policy, values, first, num_actions, state, rng):
    """Sample an action from the probabilities of the row that starts at `first`."""
    word, rng = next_word(rng)
    left = high_unit(word) - policy.probability[first]
    action = 0
    while left >= 0.0 and action < num_actions - 1:  # the sum may be below 1 by rounding
        action += 1
        left -= policy.probability[first + action]
    return action, rng


rules(PolicyRule, choose=choose_by_policy)


class MonteCarloRecord(NamedTuple):
    """Record of the planner, for compiled runs."""

    policy: EpsilonGreedyRule | PolicyRule
    leaves: FloatArray  # (states * actions,)
    means: FloatArray  # (actions,) of the last search
    simulations: int
    depth: int
    gamma: float


@compiled
def mean_returns(planning, model, q, num_actions, state, rng):
    """Return the mean returns of simulations from a state, as `decision_values`."""
    rng = _roll_out_row(
        model,
        planning.policy,
        q,
        planning.leaves,
        state,
        planning.means,
        num_actions,
        planning.simulations,
        planning.depth,
        planning.gamma,
        rng,
    )
    return planning.means, 0, rng


rules(MonteCarloRecord, decision_values=mean_returns, plan=plan_nothing)


@dataclass(frozen=True, kw_only=True)
class MonteCarloSettings:
    """Settings of Monte-Carlo search.

    Raises:
        ValueError: for a number outside its range, or an unknown name.
        TypeError: for a policy that is neither a name nor a function.
    """

    policy: RolloutPolicy = "random"
    """Rollout policy after the first action: "random"; "values", epsilon-greedy on the learned
    values; or a function of (batch,) rows or (batch, d) vectors that returns (batch, actions)
    probabilities."""
    rollout_epsilon: float = 0.1
    """Epsilon of the policy "values", in [0, 1]."""
    leaf_value: str = "zero"
    """Value of the state after the last step: "zero", or "values", the best learned value."""

    def __post_init__(self) -> None:
        if not isinstance(self.policy, str) and not callable(self.policy):
            raise TypeError(
                f"policy={self.policy!r}; expected one of {list(POLICIES)}, or a function that "
                "returns probabilities of actions"
            )
        if isinstance(self.policy, str):
            checked_choice("policy", self.policy, POLICIES, otherwise="a function")
        set_checked(
            self,
            rollout_epsilon=checked_number("rollout_epsilon", self.rollout_epsilon, 0, 1),
            leaf_value=checked_choice("leaf_value", self.leaf_value, LEAF_VALUES),
        )


class MonteCarloPlanning(SearchPlanning):
    """Planner that simulates each action, followed by a rollout policy.

    Args:
        simulations: number for each decision, divided among the actions in turn.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        settings: further settings.

    Raises:
        ValueError: for a number outside its range.
    """

    @grouped_arguments("settings", MonteCarloSettings)
    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        settings: MonteCarloSettings = MonteCarloSettings(),
    ) -> None:
        super().__init__(depth)
        self.simulations = checked_count("simulations", simulations)
        self.settings = settings
        self.learns_directly = "values" in (settings.policy, settings.leaf_value)

    def check(self, values: Values, model: Any, num_actions: int) -> None:
        """Check that the planner can search with these values and this model.

        Raises:
            ValueError, TypeError: as `SearchPlanning.check`.
        """
        super().check(values, model, num_actions)
        check_simulation_count(self.simulations, num_actions)

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) mean returns of the simulations."""
        depth = search_depth(self.depth, query.gamma)
        if query.is_tabular:
            return self._in_table(query, depth)
        simulator = make_batch_simulator(query.model)
        return np.array(
            [self._by_simulator(query, simulator, each, depth) for each in query.observations]
        )

    def _in_table(self, query: Query, depth: int) -> FloatArray:
        values, rows = query.values, np.asarray(query.observations)
        num_actions = values.q.shape[1]
        check_simulation_count(self.simulations, num_actions)
        found: FloatArray = roll_out(
            search_table(query.model, values.q.shape, rows, depth),
            self._rule(values),
            values.q.reshape(-1),
            self._leaves(values),
            rows,
            num_actions,
            self.simulations,
            depth,
            values.gamma,
            state_words(query.rng),
        )
        return found

    def _leaves(self, values: TableValues) -> FloatArray:
        q: FloatArray = values.q.reshape(-1)
        return q if self.settings.leaf_value == "values" else np.zeros_like(q)

    def reserve(self, values: Any, transitions: int) -> None:
        """Make the record for compiled runs, unless the policy is a function."""
        if isinstance(self.settings.policy, str) and isinstance(values, TableValues):
            self.record = MonteCarloRecord(
                self._rule(values),
                self._leaves(values),
                np.zeros(values.q.shape[1]),
                self.simulations,
                search_depth(self.depth, values.gamma),
                values.gamma,
            )

    def _rule(self, values: TableValues) -> EpsilonGreedyRule | PolicyRule:
        policy = self.settings.policy
        if isinstance(policy, str):
            return EpsilonGreedyRule(1.0 if policy == "random" else self.settings.rollout_epsilon)
        rows = np.arange(values.q.shape[0])
        return PolicyRule(self._probabilities(values, rows, values.q.shape[1]).reshape(-1))

    def _by_simulator(
        self, query: Query, simulator: BatchSimulator, observation: Any, depth: int
    ) -> FloatArray:
        """Return (actions,) mean returns; all simulations are stepped together."""
        values, root = query.values, np.array([observation])
        num_actions = values.values(root).shape[1]
        check_simulation_count(self.simulations, num_actions)
        first: IntArray = np.arange(self.simulations) % num_actions

        def choose(step: int, running: IntArray, states: Any) -> IntArray:
            if step == 0:
                return first
            observed = simulator.observations(states)
            return sample_columns(self._probabilities(values, observed, num_actions), query.rng)

        def best(observations: Any) -> FloatArray:
            found: FloatArray = values.values(observations).max(axis=1)
            return found

        returns = simulate_returns(
            simulator,
            simulator.pick(simulator.begin(root), np.zeros(self.simulations, dtype=np.int64)),
            choose,
            best if self.settings.leaf_value == "values" else None,
            depth=depth,
            gamma=values.gamma,
            rng=query.rng,
        )
        means: FloatArray = np.bincount(first, returns) / np.bincount(first)
        return means

    def _probabilities(self, values: Any, observations: Any, num_actions: int) -> FloatArray:
        """Return (batch, actions) probabilities of the rollout policy."""
        policy = self.settings.policy
        if policy == "random":
            return np.full((len(observations), num_actions), 1.0 / num_actions)
        if isinstance(policy, str):
            return epsilon_greedy_probabilities(
                values.values(observations), self.settings.rollout_epsilon
            )
        given = np.asarray(policy(observations), dtype=np.float64)
        wanted = (len(observations), num_actions)
        if given.shape != wanted or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1):
            raise ValueError(
                f"policy returned an array of shape {given.shape}; expected {wanted} "
                "probabilities, each row with sum 1"
            )
        return given


class MonteCarloSearch(SearchAgent):
    """Agent that acts by Monte-Carlo search: a rollout algorithm.

    Suited to a first improvement of a policy by simulation; a tree search improves on it with more
    simulations.

        from dynamaze.agents import MonteCarloSearch

        agent = MonteCarloSearch("CliffWalking-v1", model="true", simulations=400, depth=100)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `dynamaze.agents.MODELS`, learned online; or a model.
        simulations: number for each decision, at least one for each action.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        settings: rollout policy, and value of the last state.
        values: "table", "tile_coding", "network", or an object: values that Q-learning learns from
            real experience, if policy or leaf_value use them.
        learning_rate: step size of these values, in (0, 1]; None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, more actions than simulations,
            or no depth and no discounting.
        TypeError: for spaces that the values do not support, or a model that cannot be simulated.
    """

    @grouped_arguments("settings", MonteCarloSettings, leaf="leaf_value")
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 100,
        depth: int | None = None,
        settings: MonteCarloSettings = MonteCarloSettings(),
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__(
            env,
            MonteCarloPlanning(simulations, depth=depth, settings=settings),
            model=model,
            values=values,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            seed=seed,
        )

    @classmethod
    def load(  # type: ignore[override]  # the policy takes the place of the planner
        cls,
        path: str | os.PathLike[str],
        env: str | gym.Env[Any, Any] | None = None,
        *,
        model: Model | None = None,
        values: Values | None = None,
        policy: RolloutPolicy | None = None,
    ) -> MonteCarloSearch:
        """Load an agent from a checkpoint of `save`.

        Args:
            path: the checkpoint.
            env: environment to continue in; without one the agent only predicts.
            model: model object like the agent's, if it was given as an object.
            values: values object like the agent's, if they were given as an object.
            policy: the rollout policy, if it was given as a function.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is truncated,
                damaged, of another version, or of another agent class.
        """
        return read_agent(cls, path, env, {"model": model, "values": values, "policy": policy})
