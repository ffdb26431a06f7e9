"""Forward search: expectimax from where the agent is, to a depth.

Russell and Norvig, "Artificial Intelligence", section 17.2 of the 4th edition (expectimax of an
MDP); Sutton & Barto 2018, section 8.9 (heuristic search). An action is worth
Q_h(s, a) = E[R + gamma max_a' Q_{h-1}(S', a')], and at the leaves max_a Q_0(s, a) is zero or what
the agent has learned. With zero there and rewards of at most r, Q_h is within
gamma^h r / (1 - gamma) of the optimal values.

Difference from a tree: the value of a state with k steps to go is computed once, wherever in the
tree it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.rng import Seed
from ..models import Model
from ..planning.base import Planning
from ..values.table import Values
from .agent import (
    LEAVES,
    EnvLike,
    SearchAgent,
    believed_table,
    checked_depth,
    checked_name,
    checked_table,
    search_parts,
)
from .forward_search_kernel import search_forward


class ForwardPlanning(Planning):
    """Looks `depth` steps ahead in a model that knows the probability of each outcome.

    Before its first try a pair is believed to lead back to its state and to pay nothing; so an
    empty model makes all actions alike.

    Args:
        depth: steps, at least 1.
        leaf: what the states at the end are worth: "zero", or "values", the best learned value.

    Raises:
        ValueError: for a depth below 1 or another leaf.
    """

    needs = frozenset({"distribution"})
    needs_table = True

    def __init__(self, depth: int, *, leaf: str = "zero") -> None:
        checked = checked_depth(depth)
        if checked is None:
            raise ValueError("depth=None; expected how many steps are looked ahead")
        self.depth = checked
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
        """(batch, actions) expected returns of `depth` steps, the first action given.

        Raises:
            TypeError: for values that are no table.
        """
        table, rows = checked_table(values), np.asarray(observations)
        leaves = table.q if self.leaf == "values" else np.zeros_like(table.q)
        found: FloatArray = search_forward(
            believed_table(model, table.q.shape, rows, self.depth),
            rows,
            *table.q.shape,
            self.depth,
            leaves.reshape(-1),
            table.gamma,
        )
        return found


class ForwardSearch(SearchAgent):
    """Looks ahead by expectimax before each action.

        from dynamaze.agents import ForwardSearch

        agent = ForwardSearch("DynaMaze-v0", model="true", depth=20)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: an environment or its id.
        model: "true", the world's own probabilities; a name of `dynamaze.agents.MODELS`, which is
            then learned on the way; or a model. It must know distributions.
        depth: how many steps are looked ahead, at least 1.
        leaf: what the states at the end are worth: "zero", or "values", what Q-learning has found
            in real experience.
        learning_rate: of these values, in (0, 1].
        gamma: discount, in [0, 1].
        epsilon: probability of an action at random, in [0, 1].
        initial_value: what every learned value begins with.
        seed: settles every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, or a model that there is not or that knows no
            distribution.
        TypeError: for spaces that a table cannot serve.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        depth: int = 10,
        leaf: str = "zero",
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        parts = search_parts(
            env,
            ForwardPlanning(depth, leaf=leaf),
            model=model,
            seed=seed,
            depth=depth,
            leaf=leaf,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
        )
        super().__init__(**parts)
