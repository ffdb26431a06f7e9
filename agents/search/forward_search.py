"""Forward search: expectimax to a fixed depth from the present state.

Russell and Norvig, "Artificial Intelligence", section 17.2 of the 4th edition (expectimax of an
MDP); Sutton & Barto 2018, section 8.9 (heuristic search).
Q_h(s, a) = E[R + gamma max_a' Q_{h-1}(S', a')], and at the leaves max_a Q_0(s, a) is zero or the
learned value. With zero leaves and rewards of at most r, Q_h is within gamma^h r / (1 - gamma) of
the optimal values.

Difference from a tree: the value of a state with k steps to go is computed once, wherever in the
tree it occurs, so there are at most states * depth nodes.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, compiled_with_arrays
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_choice

from ..agent import EnvLike
from ..core.kernels import append_next_states, expected_backup
from ..core.rng import Seed
from ..models.protocol import Model
from .agent import (
    LEAF_VALUES,
    Query,
    SearchAgent,
    SearchPlanning,
    checked_table,
    search_depth,
    search_table,
)


@compiled_with_arrays
def search_forward(model, rows, num_states, num_actions, depth, leaves, gamma):
    """Return action values of rows with `depth` steps to go.

    Args:
        model: record of a table.
        rows: (batch,) roots.
        num_states: number of states.
        num_actions: number of actions.
        depth: at least 1.
        leaves: (states * actions,) table whose row-wise maxima are the leaf values.
        gamma: discount factor.

    Returns:
        (batch, actions) values.
    """
    steps = np.full(num_states, -1, dtype=np.int32)
    order = np.empty(num_states, dtype=np.int64)
    count = 0
    for row in rows:
        if steps[row] < 0:
            steps[row], order[count], count = 0, row, count + 1
    count = reach_all(model, num_actions, depth, steps, order, count)
    # Zeros and not `empty`: values of terminal states are multiplied by 0, and 0 * NaN is NaN.
    before, after = leaves, np.zeros(num_states * num_actions)
    spare = np.zeros(num_states * num_actions)
    for to_go in range(1, depth + 1):  # h: `before` is Q_{h-1}, `after` is Q_h
        back_up_within(
            model, num_actions, depth - to_go, steps, order[:count], before, after, gamma
        )
        before, after, spare = after, spare, after
    return _rows_of(before, rows, num_actions)


@compiled
def back_up_within(model, num_actions, limit, steps, order, before, after, gamma):
    """Back up the pairs of the states that are reached within a number of steps.

    Apart from `search_forward`, as code that creates arrays counts references at each backup.
    """
    for place in range(order.size):
        state = order[place]
        if steps[state] > limit:
            break  # states are in the order of their steps: none of the rest is needed
        for action in range(num_actions):
            pair = state * num_actions + action
            after[pair] = expected_backup(model, num_actions, pair, before, gamma)


@compiled
def reach_all(model, num_actions, depth, steps, order, count):
    """Extend a list of states by all that are reachable within `depth` steps (breadth-first)."""
    columns, place = np.int64(num_actions), 0
    while place < count and steps[order[place]] < depth:
        for action in range(columns):
            pair = order[place] * columns + action
            count = append_next_states(model, columns, pair, steps, order, count)
        place += 1
    return count


@compiled_with_arrays
def _rows_of(q, rows, num_actions):
    found = np.empty((rows.size, num_actions))
    for i in range(rows.size):
        for action in range(num_actions):
            found[i, action] = q[rows[i] * num_actions + action]
    return found


class ForwardPlanning(SearchPlanning):
    """Planner that looks `depth` steps ahead in a model that knows distributions.

    Untried pairs are predicted to stay in their state with reward 0, so that all actions of an
    empty model are equal.

    Args:
        depth: number of steps, at least 1.
        leaf_value: value of the states at the horizon: "zero", or "values", the best learned value.

    Raises:
        ValueError: for a depth below 1 or another leaf_value.
    """

    needs = frozenset({"distribution"})
    needs_table = True

    def __init__(self, depth: int, *, leaf_value: str = "zero") -> None:
        if depth is None:
            raise ValueError("depth=None; expected a number of steps")
        super().__init__(depth)
        self.leaf_value = checked_choice("leaf_value", leaf_value, LEAF_VALUES)
        self.learns_directly = leaf_value == "values"

    def root_values(self, query: Query) -> FloatArray:
        """Return the (batch, actions) expected returns of `depth` steps."""
        table, rows = checked_table(query.values), np.asarray(query.observations)
        depth = search_depth(self.depth, table.gamma)
        leaves = table.q if self.leaf_value == "values" else np.zeros_like(table.q)
        found: FloatArray = search_forward(
            search_table(query.model, table.q.shape, rows, depth),
            rows,
            *table.q.shape,
            depth,
            leaves.reshape(-1),
            table.gamma,
        )
        return found


class ForwardSearch(SearchAgent):
    """Agent that acts by expectimax to a fixed depth.

    Suited to short horizons and models that know their distributions: its result is exact.

        from dynamaze.agents import ForwardSearch

        agent = ForwardSearch("DynaMaze-v0", model="true", depth=20)
        action, _ = agent.predict(observation, deterministic=True)

    Args:
        env: environment or its id.
        model: "true", the environment's own transition probabilities; a name of
            `dynamaze.agents.MODELS`, learned online; or a model. It must know distributions.
        depth: number of steps that are looked ahead, at least 1.
        leaf_value: value of the states at the horizon: "zero", or "values", those that Q-learning
            has learned from real experience.
        learning_rate: step size of these values, in (0, 1].
        gamma: discount factor, in [0, 1].
        epsilon: probability of a random action, in [0, 1].
        initial_value: initial action value.
        seed: determines every random number; see `Agent`.

    Raises:
        ValueError: for a number outside its range, an unknown model, or a model without
            distributions.
        TypeError: for spaces that a table does not support.
    """

    promises = SearchAgent.promises | {"deterministic"}

    @renamed_arguments(leaf="leaf_value")
    def __init__(
        self,
        env: EnvLike,
        *,
        model: str | Model = "true",
        depth: int = 10,
        leaf_value: str = "zero",
        learning_rate: float = 0.1,
        gamma: float = 0.95,
        epsilon: float = 0.0,
        initial_value: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__(
            env,
            ForwardPlanning(depth, leaf_value=leaf_value),
            model=model,
            learning_rate=learning_rate,
            gamma=gamma,
            epsilon=epsilon,
            initial_value=initial_value,
            seed=seed,
        )
