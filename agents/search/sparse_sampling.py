"""Sparse sampling: expectimax to a fixed depth for models that can only be sampled.

Kearns, Mansour and Ng 2002, "A sparse sampling algorithm for near-optimal planning in large Markov
decision processes". Each action of each node is sampled `width` times (C in the paper), for `depth`
steps (H). The cost, at most (actions * C)^H samples, and the error do not depend on the number of
states (theorem 1): if all means of C samples are within lambda of their expectation, the values are
within lambda (1 - gamma^H) / (1 - gamma) of those of exact forward search.

Difference from the paper: equal states with the same number of steps to go share their samples. So
a search of a table takes at most states * actions * C * H samples, and the bound holds.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_choice, checked_count

from ..agent import EnvLike
from ..core.kernels import sample_outcome
from ..core.rng import Seed, load, state_words, store
from ..models.protocol import Model
from ..values.table import Values
from .agent import LEAF_VALUES, Query, SearchAgent, SearchPlanning, search_depth, search_table
from .simulators import BatchSimulator, make_batch_simulator

ENDED = -1
"""Child index of a sample that terminated."""


class SparsePlanning(SearchPlanning):
    """Planner that samples each action of each state a number of times, to a fixed depth.

    Args:
        width: samples of each action of a state, at least 1; 1 suffices in a deterministic
            environment.
        depth: number of steps, at least 1.
        leaf_value: value of the states at the horizon: "zero", or "values", the best learned value.

    Raises:
        ValueError: for a number below 1 or another leaf_value.
    """

    def __init__(self, width: int, depth: int, *, leaf_value: str = "zero") -> None:
        super().__init__(checked_count("depth", depth))
        self.width = checked_count("width", width)
        self.leaf_value = checked_choice("leaf_value", leaf_value, LEAF_VALUES)
        self.learns_directly = leaf_value == "values"

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) estimates of the optimal returns of `depth` steps."""
        values, rng = query.values, query.rng
        depth = search_depth(self.depth, query.gamma)
        expander: Expander
        if query.is_tabular:
            states = np.asarray(query.observations)
            table = search_table(query.model, values.q.shape, states, depth)
            expander, num_actions = TableExpander(table, values.q.shape[0]), values.q.shape[1]
        else:
            simulator = make_batch_simulator(query.model)
            expander, states = SimulatorExpander(simulator), simulator.begin(query.observations)
            num_actions = values.values(query.observations[:1]).shape[1]
        layers, samples = [], 0
        for _ in range(depth):
            samples += len(states) * num_actions * self.width
            self._check_budget(samples, expander.max_samples)
            layer, states = expander.expand(states, num_actions, self.width, rng)
            layers.append(layer)
            if not len(states):
                break
        leaves = np.zeros(len(states))
        if self.leaf_value == "values" and len(states):
            leaves = values.values(expander.observations(states)).max(axis=1)
        return back_up(layers, leaves, query.gamma)

    def _check_budget(self, samples: int, max_samples: int) -> None:
        if samples > max_samples:
            raise ValueError(
                f"width={self.width} and depth={self.depth} take {samples} samples or more; "
                f"expected at most {max_samples} with this kind of model"
            )


def back_up(layers: list[SampledLayer], leaves: FloatArray, gamma: float) -> FloatArray:
    """Return the (states, actions) values of the first layer.

    Args:
        layers: sampled layers; the states of the first are the roots.
        leaves: (states,) values of the states after the last layer.
        gamma: discount factor.
    """
    state_values = leaves
    for layer in reversed(layers):
        following = np.append(state_values, 0.0)[layer.child]  # index ENDED = -1 has value 0
        # Q_h(s, a) = 1/C sum_i (r_i + gamma max_a' Q_{h-1}(s_i', a'))
        values: FloatArray = (layer.reward + gamma * following).mean(axis=2)
        state_values = values.max(axis=1)
    return values


class SampledLayer(NamedTuple):
    """Samples of each action of the states at one depth."""

    reward: FloatArray  # (states, actions, width)
    child: IntArray  # (states, actions, width) index in the next layer, or ENDED


class Expander(Protocol):
    """Protocol: samples the next layer.

    Attributes:
        max_samples: limit on the samples of one search, for time and memory.
    """

    max_samples: int

    def expand(
        self, states: Any, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[SampledLayer, Any]:
        """Return the samples of (n,) states, and the states of the next layer."""

    def observations(self, states: Any) -> Any:
        """Return the observations of states, for the values."""


class TableExpander:
    """Compiled expander on the record of a table.

    Args:
        table: the record.
        num_states: number of states.
    """

    max_samples = 20_000_000

    def __init__(self, table: Any, num_states: int) -> None:
        self._table, self._num_states = table, num_states

    def expand(
        self, states: IntArray, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[SampledLayer, IntArray]:
        """Return the samples of (n,) rows, and the next rows."""
        reward, child, following = expand_rows(
            self._table, states, self._num_states, num_actions, width, state_words(rng)
        )
        return SampledLayer(reward, child), following

    def observations(self, states: IntArray) -> IntArray:
        """Return the rows unchanged."""
        return states


@compiled_with_arrays
def expand_rows(model, rows, num_states, num_actions, width, words):
    """Sample `width` outcomes of each action of each row.

    Returns:
        (n, actions, width) rewards and child indices, and the (children,) rows of the children.
    """
    shape = (rows.size, num_actions, width)
    reward, child = np.empty(shape), np.empty(shape, dtype=np.int64)
    place = np.full(num_states, ENDED)  # index of each state in the next layer
    following = np.empty(min(num_states, rows.size * num_actions * width), dtype=np.int64)
    count = sample_layer(model, rows, num_actions, width, words, reward, child, place, following)
    return reward, child, following[:count]


@compiled
def sample_layer(model, rows, num_actions, width, words, reward, child, place, following):
    """Fill the arrays of a layer, and return the number of its children.

    Apart from `expand_rows`, as code that creates arrays counts references at each sample.
    """
    count, columns, rng = 0, np.uint64(num_actions), load(words)
    for i in range(rows.size):
        for action in range(num_actions):
            pair = np.uint64(rows[i]) * columns + np.uint64(action)
            for sample in range(width):
                sampled_reward, state, terminated, rng = sample_outcome(model, columns, pair, rng)
                reward[i, action, sample] = sampled_reward
                if not terminated and place[state] == ENDED:
                    place[state], following[count], count = count, state, count + 1
                child[i, action, sample] = ENDED if terminated else place[state]
    store(words, rng)
    return count


class SimulatorExpander:
    """Expander that steps a batch simulator."""

    max_samples = 50_000

    def __init__(self, simulator: BatchSimulator) -> None:
        self._simulator = simulator

    def expand(
        self, states: Any, num_actions: int, width: int, rng: np.random.Generator
    ) -> tuple[SampledLayer, Any]:
        """Return the samples of (n,) states, and the next states."""
        shape = (len(states), num_actions, width)
        place, action, _ = (each.ravel() for each in np.indices(shape))
        after, reward, terminated = self._simulator.step(
            self._simulator.pick(states, place), action, rng
        )
        continues = np.flatnonzero(~terminated)
        following, which = self._simulator.merge(self._simulator.pick(after, continues))
        child = np.full(len(action), ENDED)
        child[continues] = which
        return SampledLayer(reward.reshape(shape), child.reshape(shape)), following

    def observations(self, states: Any) -> Any:
        """Return the observations of states, for the values."""
        return self._simulator.observations(states)


class SparseSampling(SearchAgent):
    """Agent that acts by sparse sampling.

    Suited to models that can only be sampled, with a short horizon and any number of states.

        from dynamaze.agents import SparseSampling

        agent = SparseSampling("FrozenLake-v1", model="true", width=8, depth=20)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; "simulator", copies of the
            environment; a name of `dynamaze.agents.MODELS`, learned online; or a model.
        width: samples of each action of a state, at least 1.
        depth: number of steps that are looked ahead, at least 1. Where states never repeat, as with
            vectors, a search takes (actions * width)^depth samples.
        leaf_value: value of the states at the horizon: "zero", or "values", those that Q-learning
            has learned from real experience.
        values: "table", "tile_coding", "network", or an object: these learned values.
        learning_rate: step size of these values, in (0, 1]; None: 0.1, or 0.001 with a network.
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range or an unknown name; during a search, if it would
            take too many samples.
        TypeError: for spaces that the values do not support, or a model that cannot be simulated.
    """

    @renamed_arguments(leaf="leaf_value")
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        width: int = 4,
        depth: int = 10,
        leaf_value: str = "zero",
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__(
            env,
            SparsePlanning(width, depth, leaf_value=leaf_value),
            model=model,
            values=values,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            seed=seed,
        )
