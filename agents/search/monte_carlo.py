"""Monte-Carlo search: each action is worth the mean return of simulations that begin with it.

Tesauro and Galperin 1996, "On-line policy improvement using Monte-Carlo search"; Sutton & Barto
2018, section 8.10, rollout algorithms. After its first action a simulation follows a rollout
policy, so that the values are those of that policy, and the best of them improves on it (policy
improvement theorem, section 4.2). Nothing is remembered from move to move.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_number, did_you_mean

from ..checkpoint import read_agent
from ..core.rng import Seed, state_words
from ..exploration import EpsilonGreedyRule, epsilon_greedy_probabilities
from ..models import Model
from ..planning.base import Planning
from ..values.table import TableValues, Values
from .agent import (
    LEAVES,
    EnvLike,
    SearchAgent,
    believed_table,
    check_simulates,
    checked_depth,
    checked_name,
    gamma_of,
    has_table,
    search_parts,
    steps_ahead,
)
from .monte_carlo_search_kernel import PolicyRule, roll_out
from .monte_carlo_search_worlds import Worlds, make_worlds

POLICIES = ("random", "values")

RolloutPolicy = str | Callable[[Any], FloatArray]
"""One of `POLICIES`, or a function: (batch, ...) encoded observations -> (batch, actions)
probabilities."""


class MonteCarloPlanning(Planning):
    """Simulates each action and then a rollout policy.

    Args:
        simulations: for each decision, shared among the actions in turn.
        depth: steps of a simulation; None for as many as matter at the discount.
        policy: "random"; "values", epsilon-greedy on the learned values; or a function of (batch,)
            rows or (batch, d) vectors that gives (batch, actions) probabilities.
        rollout_epsilon: of the policy "values", in [0, 1].
        leaf: what the state after the last step is worth: "zero", or "values", the best learned
            value there.

    Raises:
        ValueError: for a number outside its range, another policy or another leaf.
        TypeError: for a policy that is neither a name nor a function.
    """

    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        policy: RolloutPolicy = "random",
        rollout_epsilon: float = 0.1,
        leaf: str = "zero",
    ) -> None:
        self.simulations = int(checked_number("simulations", simulations, 1, whole=True))
        self.depth = checked_depth(depth)
        if not isinstance(policy, str) and not callable(policy):
            raise TypeError(
                f"policy={policy!r}; expected one of {list(POLICIES)}, or a function that gives "
                "probabilities of actions"
            )
        if isinstance(policy, str) and policy not in POLICIES:
            raise ValueError(
                f"policy={policy!r}; expected one of {list(POLICIES)} or a function"
                f"{did_you_mean(policy, POLICIES)}"
            )
        self.policy = policy
        self.rollout_epsilon = checked_number("rollout_epsilon", rollout_epsilon, 0, 1)
        self.leaf = checked_name("leaf", leaf, LEAVES)
        self.learns_directly = "values" in (policy, leaf)

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """(batch, actions) mean returns of the simulations.

        Raises:
            ValueError: if there are more actions than simulations.
        """
        depth = steps_ahead(self.depth, gamma_of(values))
        if isinstance(values, TableValues) and has_table(model):
            return self._in_table(values, model, observations, depth, rng)
        worlds = make_worlds(model)
        return np.array(
            [self._in_worlds(values, worlds, np.array([each]), depth, rng) for each in observations]
        )

    # -- in a table ----------------------------------------------------------------------------

    def _in_table(
        self, values: TableValues, model: Any, rows: IntArray, depth: int, rng: np.random.Generator
    ) -> FloatArray:
        num_actions = values.q.shape[1]
        check_enough(self.simulations, num_actions)
        q = values.q.reshape(-1)
        found: FloatArray = roll_out(
            believed_table(model, values.q.shape, rows, depth),
            self._rule(values),
            q,
            q if self.leaf == "values" else np.zeros_like(q),
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

    def _in_worlds(
        self, values: Any, worlds: Worlds, root: Any, depth: int, rng: np.random.Generator
    ) -> FloatArray:
        """(actions,) mean returns; all simulations go on at the same time."""
        num_actions = values.values(root).shape[1]
        check_enough(self.simulations, num_actions)
        first = np.arange(self.simulations) % num_actions
        running = np.arange(self.simulations)
        states = worlds.pick(worlds.begin(root), np.zeros(self.simulations, dtype=np.int64))
        gained, actions, discount = np.zeros(self.simulations), first, 1.0
        for step in range(depth):
            if step > 0:
                seen = worlds.observations(states)
                actions = draw_actions(self._probabilities(values, seen, num_actions), rng)
            states, reward, terminated = worlds.step(states, actions, rng)
            gained[running] += discount * reward
            discount *= values.gamma
            going_on = np.flatnonzero(~terminated)
            running, states = running[going_on], worlds.pick(states, going_on)
            if not running.size:
                break
        if self.leaf == "values" and running.size:
            gained[running] += discount * values.values(worlds.observations(states)).max(axis=1)
        means: FloatArray = np.bincount(first, gained) / np.bincount(first)
        return means

    def _probabilities(self, values: Any, observations: Any, num_actions: int) -> FloatArray:
        """(batch, actions) of the rollout policy."""
        if self.policy == "random":
            return np.full((len(observations), num_actions), 1.0 / num_actions)
        if isinstance(self.policy, str):
            return epsilon_greedy_probabilities(values.values(observations), self.rollout_epsilon)
        given = np.asarray(self.policy(observations), dtype=np.float64)
        wanted = (len(observations), num_actions)
        if given.shape != wanted or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1):
            raise ValueError(
                f"policy gave an array of shape {given.shape}; expected {wanted} probabilities, "
                "each row with sum 1"
            )
        return given


def check_enough(simulations: int, num_actions: int) -> None:
    """Make sure that each action is simulated.

    Raises:
        ValueError: if not.
    """
    if simulations < num_actions:
        raise ValueError(
            f"simulations={simulations} with {num_actions} actions; expected one of each at least"
        )


def draw_actions(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """(batch,) an action of each row."""
    below = np.cumsum(probabilities, axis=1)
    drawn = rng.random(len(below))[:, None] * below[:, -1:]
    actions: IntArray = (below <= drawn).sum(axis=1)
    return actions


class MonteCarloSearch(SearchAgent):
    """Simulates each action before one is taken: a rollout algorithm.

        from dynamaze.agents import MonteCarloSearch

        agent = MonteCarloSearch("CliffWalking-v1", model="true", simulations=400, depth=100)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; "copies", of the environment; a name of
            `dynamaze.agents.MODELS`, which is then learned on the way; or a model.
        simulations: for each decision, at least one for each action.
        depth: steps of a simulation; None for as many as matter at the discount.
        policy: what follows the first action: "random"; "values", epsilon-greedy on the learned
            values; or a function of (batch,) rows or (batch, d) vectors that gives (batch, actions)
            probabilities.
        rollout_epsilon: of the policy "values", in [0, 1].
        leaf: what the state after the last step is worth: "zero", or "values", the best learned
            value there.
        values: "table", "tile_coding", "network", or an object: what is learned in real
            experience by Q-learning, if policy or leaf ask for it.
        learning_rate: of these values, in (0, 1]; None for 0.1, and for 0.001 with a network.
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random, in [0, 1].
        initial_value: what every learned value begins with.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, more actions than simulations,
            no depth and no discount, or a model that cannot be simulated.
        TypeError: for spaces that the values cannot serve.
    """

    def __init__(  # noqa: PLR0913  # what a user may want to say
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        simulations: int = 100,
        depth: int | None = None,
        policy: RolloutPolicy = "random",
        rollout_epsilon: float = 0.1,
        leaf: str = "zero",
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        planning = MonteCarloPlanning(
            simulations, depth=depth, policy=policy, rollout_epsilon=rollout_epsilon, leaf=leaf
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
            leaf=leaf,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
        )
        check_simulates(parts["model"])
        steps_ahead(planning.depth, gamma_of(parts["values"]))
        super().__init__(**parts)
        check_enough(planning.simulations, self.num_actions)

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
        """The agent that `save` wrote.

        Args:
            path: the checkpoint.
            env: where to go on learning; without one the agent only predicts.
            model: a model object like the agent's, if it was an object.
            values: such values, if they were an object.
            policy: the function that the agent was made with, if it was one.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, of another version or another agent's.
        """
        return read_agent(cls, path, env, {"model": model, "values": values, "policy": policy})
