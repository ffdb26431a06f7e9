"""Sparse sampling: expectimax to a depth where a model can only be sampled.

Kearns, Mansour and Ng 2002, "A sparse sampling algorithm for near-optimal planning in large Markov
decision processes". Each action of each node is sampled `width` times, C in the paper, and so on
for `depth` steps, H. How much that costs does not depend on how many states there are: at most
(actions * C)^H samples. How near the values come does not, either (theorem 1): if all means of C
samples are within lambda of what they estimate, the values are within
lambda (1 - gamma^H) / (1 - gamma) of those of exact forward search.

Difference from the paper: states that are equal and have the same number of steps to go share their
samples. So a search of a table takes at most states * actions * C * H of them, and the bound holds
with as many means or fewer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.rng import Seed
from ..models import Model
from ..planning.base import Planning
from ..values.table import TableValues, Values
from .agent import (
    LEAVES,
    EnvLike,
    SearchAgent,
    believed_table,
    check_positive,
    check_simulates,
    checked_name,
    gamma_of,
    has_table,
    search_parts,
)
from .monte_carlo_search_worlds import make_worlds
from .sparse_sampling_layers import Expander, TableExpander, WorldsExpander, back_up


class SparsePlanning(Planning):
    """Samples each action of each state a number of times, and so on to a depth.

    Args:
        width: samples of each action of a state, at least 1; in a deterministic world 1 is enough.
        depth: steps, at least 1.
        leaf: what the states at the end are worth: "zero", or "values", the best learned value.

    Raises:
        ValueError: for a number below 1 or another leaf.
    """

    def __init__(self, width: int, depth: int, *, leaf: str = "zero") -> None:
        self.width = check_positive("width", width)
        self.depth = int(checked_number("depth", depth, 1, whole=True))
        self.leaf = checked_name("leaf", leaf, LEAVES)
        self.learns_directly = leaf == "values"

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """(batch, actions) estimates of the best returns of `depth` steps, the first action given.

        Raises:
            ValueError: if it would take too many samples.
        """
        gamma = gamma_of(values)
        expander: Expander
        if isinstance(values, TableValues) and has_table(model):
            rows = np.asarray(observations)
            table = believed_table(model, values.q.shape, rows, self.depth)
            expander, num_actions = TableExpander(table, values.q.shape[0]), values.q.shape[1]
            return self._search(values, expander, rows, num_actions, gamma, rng)
        worlds = make_worlds(model)
        num_actions = values.values(observations[:1]).shape[1]
        roots = worlds.begin(observations)
        return self._search(values, WorldsExpander(worlds), roots, num_actions, gamma, rng)

    def _search(
        self,
        values: Values,
        expander: Expander,
        states: Any,
        num_actions: int,
        gamma: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        layers, samples = [], 0
        for _ in range(self.depth):
            samples += len(states) * num_actions * self.width
            self._check_budget(samples, expander.most)
            layer, states = expander.expand(states, num_actions, self.width, rng)
            layers.append(layer)
            if not len(states):
                break
        leaves = np.zeros(len(states))
        if self.leaf == "values" and len(states):
            leaves = values.values(expander.observations(states)).max(axis=1)
        return back_up(layers, leaves, gamma)

    def _check_budget(self, samples: int, most: int) -> None:
        if samples > most:
            raise ValueError(
                f"width={self.width} and depth={self.depth} take {samples} samples or more; "
                f"expected at most {most} in such a model"
            )


class SparseSampling(SearchAgent):
    """Looks ahead by sparse sampling before each action.

        from dynamaze.agents import SparseSampling

        agent = SparseSampling("FrozenLake-v1", model="true", width=8, depth=20)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; "copies", of the environment; a name of
            `dynamaze.agents.MODELS`, which is then learned on the way; or a model.
        width: samples of each action of a state, at least 1.
        depth: how many steps are looked ahead, at least 1. Where states never meet again, as
            vectors do not, the samples are (actions * width)^depth.
        leaf: what the states at the end are worth: "zero", or "values", what Q-learning has found
            in real experience.
        values: "table", "tile_coding", "network", or an object: what that is.
        learning_rate: of these values, in (0, 1]; None for 0.1, and for 0.001 with a network.
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random, in [0, 1].
        initial_value: what every learned value begins with.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown name, or a model that cannot be
            sampled; when it searches, if that would take too many samples.
        TypeError: for spaces that the values cannot serve.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        width: int = 4,
        depth: int = 10,
        leaf: str = "zero",
        values: str | Values = "table",
        learning_rate: float | None = None,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        parts = search_parts(
            env,
            SparsePlanning(width, depth, leaf=leaf),
            model=model,
            values=values,
            seed=seed,
            width=width,
            depth=depth,
            leaf=leaf,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
        )
        check_simulates(parts["model"])
        super().__init__(**parts)
