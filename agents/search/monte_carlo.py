"""Monte-Carlo search, a rollout algorithm: mean returns of simulations of each action.

Tesauro and Galperin 1996, "On-line policy improvement using Monte-Carlo search"; Sutton & Barto
2018, section 8.10. After its first action a simulation follows a rollout policy, so that the values
are those of that policy, and the best of them improves on it (policy improvement theorem, section
4.2). Nothing is kept between decisions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_number, did_you_mean

from ..agent import EnvLike
from ..checkpoint import read_agent
from ..core.kernels import choose, rules, sample_outcome
from ..core.rng import Seed, high_unit, load, next_word, state_words, store
from ..exploration import EpsilonGreedyRule, epsilon_greedy_probabilities
from ..models import Model
from ..planning.base import Planning, checked_name
from ..values.table import TableValues, Values, row_max
from .agent import (
    LEAF_VALUES,
    SearchAgent,
    check_can_simulate,
    checked_depth,
    gamma_of,
    is_tabular,
    search_depth,
    search_parts,
    search_table,
)
from .simulators import BatchSimulator, make_batch_simulator

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
    total = np.zeros((rows.size, num_actions))
    rng = load(words)
    for i in range(rows.size):
        for simulation in range(simulations):
            first = simulation % num_actions
            total_return, rng = _rollout(
                model, policy, q, leaves, rows[i], first, num_actions, depth, gamma, rng
            )
            total[i, first] += total_return
        for action in range(num_actions):
            # action a is simulated ceil((simulations - a) / num_actions) times
            total[i, action] /= (simulations - action + num_actions - 1) // num_actions
    store(words, rng)
    return total


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


rules(
    PolicyRule,
    choose=choose_by_policy,
)


class MonteCarloPlanning(Planning):
    """Planner that simulates each action, followed by a rollout policy.

    Args:
        simulations: number for each decision, divided among the actions in turn.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        policy: "random"; "values", epsilon-greedy on the learned values; or a function of (batch,)
            rows or (batch, d) vectors that returns (batch, actions) probabilities.
        rollout_epsilon: epsilon of the policy "values", in [0, 1].
        leaf_value: value of the state after the last step: "zero", or "values", the best learned
            value.

    Raises:
        ValueError: for a number outside its range, another policy or another leaf_value.
        TypeError: for a policy that is neither a name nor a function.
    """

    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        policy: RolloutPolicy = "random",
        rollout_epsilon: float = 0.1,
        leaf_value: str = "zero",
    ) -> None:
        self.simulations = int(checked_number("simulations", simulations, 1, whole=True))
        self.depth = checked_depth(depth)
        if not isinstance(policy, str) and not callable(policy):
            raise TypeError(
                f"policy={policy!r}; expected one of {list(POLICIES)}, or a function that returns "
                "probabilities of actions"
            )
        if isinstance(policy, str) and policy not in POLICIES:
            raise ValueError(
                f"policy={policy!r}; expected one of {list(POLICIES)} or a function"
                f"{did_you_mean(policy, POLICIES)}"
            )
        self.policy = policy
        self.rollout_epsilon = checked_number("rollout_epsilon", rollout_epsilon, 0, 1)
        self.leaf_value = checked_name("leaf_value", leaf_value, LEAF_VALUES)
        self.learns_directly = "values" in (policy, leaf_value)

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """Return (batch, actions) mean returns of the simulations.

        Raises:
            ValueError: if there are more actions than simulations.
        """
        depth = search_depth(self.depth, gamma_of(values))
        if isinstance(values, TableValues) and is_tabular(model):
            return self._in_table(values, model, observations, depth, rng)
        simulator = make_batch_simulator(model)
        return np.array(
            [
                self._by_simulator(values, simulator, np.array([each]), depth, rng)
                for each in observations
            ]
        )

    # -- in a table ----------------------------------------------------------------------------

    def _in_table(
        self, values: TableValues, model: Any, rows: IntArray, depth: int, rng: np.random.Generator
    ) -> FloatArray:
        num_actions = values.q.shape[1]
        check_simulation_count(self.simulations, num_actions)
        q = values.q.reshape(-1)
        found: FloatArray = roll_out(
            search_table(model, values.q.shape, rows, depth),
            self._rule(values),
            q,
            q if self.leaf_value == "values" else np.zeros_like(q),
            np.asarray(rows),
            num_actions,
            self.simulations,
            depth,
            values.gamma,
            state_words(rng),
        )
        return found

    def _rule(self, values: TableValues) -> EpsilonGreedyRule | PolicyRule:
        if isinstance(self.policy, str):
            return EpsilonGreedyRule(1.0 if self.policy == "random" else self.rollout_epsilon)
        rows = np.arange(values.q.shape[0])
        return PolicyRule(self._probabilities(values, rows, values.q.shape[1]).reshape(-1))

    # -- by a simulator ------------------------------------------------------------------------

    def _by_simulator(
        self,
        values: Any,
        simulator: BatchSimulator,
        root: Any,
        depth: int,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return (actions,) mean returns; all simulations are stepped together."""
        num_actions = values.values(root).shape[1]
        check_simulation_count(self.simulations, num_actions)
        first = np.arange(self.simulations) % num_actions
        running = np.arange(self.simulations)
        states = simulator.pick(simulator.begin(root), np.zeros(self.simulations, dtype=np.int64))
        returns, actions, discount = np.zeros(self.simulations), first, 1.0
        for step in range(depth):
            if step > 0:
                observed = simulator.observations(states)
                actions = draw_actions(self._probabilities(values, observed, num_actions), rng)
            states, reward, terminated = simulator.step(states, actions, rng)
            returns[running] += discount * reward
            discount *= values.gamma
            continues = np.flatnonzero(~terminated)
            running, states = running[continues], simulator.pick(states, continues)
            if not running.size:
                break
        if self.leaf_value == "values" and running.size:
            returns[running] += discount * values.values(simulator.observations(states)).max(axis=1)
        means: FloatArray = np.bincount(first, returns) / np.bincount(first)
        return means

    def _probabilities(self, values: Any, observations: Any, num_actions: int) -> FloatArray:
        """Return (batch, actions) probabilities of the rollout policy."""
        if self.policy == "random":
            return np.full((len(observations), num_actions), 1.0 / num_actions)
        if isinstance(self.policy, str):
            return epsilon_greedy_probabilities(values.values(observations), self.rollout_epsilon)
        given = np.asarray(self.policy(observations), dtype=np.float64)
        wanted = (len(observations), num_actions)
        if given.shape != wanted or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1):
            raise ValueError(
                f"policy returned an array of shape {given.shape}; expected {wanted} "
                "probabilities, each row with sum 1"
            )
        return given


def check_simulation_count(simulations: int, num_actions: int) -> None:
    """Check that each action is simulated at least once.

    Raises:
        ValueError: if not.
    """
    if simulations < num_actions:
        raise ValueError(
            f"simulations={simulations} with {num_actions} actions; expected at least one of each"
        )


def draw_actions(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Sample one action per row of (batch, actions) probabilities."""
    below = np.cumsum(probabilities, axis=1)
    drawn = rng.random(len(below))[:, None] * below[:, -1:]
    actions: IntArray = (below <= drawn).sum(axis=1)
    return actions


class MonteCarloSearch(SearchAgent):
    """Agent that acts by Monte-Carlo search: a rollout algorithm.

        from dynamaze.agents import MonteCarloSearch

        agent = MonteCarloSearch("CliffWalking-v1", model="true", simulations=400, depth=100)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `dynamaze.agents.MODELS`, learned online; or a model.
        simulations: number for each decision, at least one for each action.
        depth: steps of a simulation; None: until rewards are discounted to 0.1%.
        policy: rollout policy after the first action: "random"; "values", epsilon-greedy on the
            learned values; or a function of (batch,) rows or (batch, d) vectors that returns
            (batch, actions) probabilities.
        rollout_epsilon: epsilon of the policy "values", in [0, 1].
        leaf_value: value of the state after the last step: "zero", or "values", the best learned
            value.
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

    @renamed_arguments(leaf="leaf_value")
    def __init__(  # noqa: PLR0913  # all settings of a search
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 100,
        depth: int | None = None,
        policy: RolloutPolicy = "random",
        rollout_epsilon: float = 0.1,
        leaf_value: str = "zero",
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        planning = MonteCarloPlanning(
            simulations,
            depth=depth,
            policy=policy,
            rollout_epsilon=rollout_epsilon,
            leaf_value=leaf_value,
        )
        parts = search_parts(
            env,
            planning,
            model=model,
            values=values,
            seed=seed,
            simulations=simulations,
            depth=depth,
            policy=policy if isinstance(policy, str) else None,
            rollout_epsilon=rollout_epsilon,
            leaf_value=leaf_value,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
        )
        check_can_simulate(parts["model"])
        search_depth(planning.depth, gamma_of(parts["values"]))
        super().__init__(**parts)
        check_simulation_count(planning.simulations, self.num_actions)

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
