"""Temporal-difference search and its memories: the planner of `TDSearch` and `Dyna2`.

Silver, Sutton and Mueller 2008, "Sample-based learning and search with permanent and transient
memories"; the same 2012, "Temporal-difference search in computer Go".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.rng import state_words
from ..core.transitions import Transitions
from ..models import Model
from ..planning.base import Planning
from ..values.table import TableValues, Values
from .agent import believed_table, checked_depth, checked_table, steps_ahead
from .td_search_kernel import Search, search_by_td

NOWHERE = -1
"""No row follows: an episode must begin."""


class TDPlanning(Planning):
    """Before each decision, Sarsa(lambda) on simulated episodes that begin where the agent is.

    What is found is kept in a transient memory until the real episode ends. That another one has
    begun is seen by the observation: the last real transition ended, or led elsewhere. (Where a
    time limit ended an episode in the very state in which the next one begins, this is not seen,
    and the memory serves on.)

    Args:
        simulations: episodes for each decision, at least 1, or 0 for no search.
        depth: most steps of an episode; None for as many as matter at the discount.
        search_rate: step size in the transient memory, in (0, 1].
        search_epsilon: of the epsilon-greedy choice in simulated episodes, in [0, 1].
        trace_decay: lambda, in [0, 1].
        permanent: whether the learned values are searched from (Dyna-2); otherwise from zero.

    Attributes:
        transient: (states * actions,) the memory; None before the first decision.
        num_simulated: steps simulated so far in learning.

    Raises:
        ValueError: for a number outside its range.
    """

    needs_table = True

    def __init__(
        self,
        simulations: int,
        *,
        depth: int | None = None,
        search_rate: float = 0.3,
        search_epsilon: float = 0.1,
        trace_decay: float = 0.5,
        permanent: bool = False,
    ) -> None:
        self.simulations = int(checked_number("simulations", simulations, 0, whole=True))
        self.depth = checked_depth(depth)
        self.search_rate = checked_number("search_rate", search_rate, 0, 1, above=True)
        self.search_epsilon = checked_number("search_epsilon", search_epsilon, 0, 1)
        self.trace_decay = checked_number("trace_decay", trace_decay, 0, 1)
        self.permanent = self.learns_directly = permanent
        self.needs = frozenset({"distribution"}) if self.simulations else frozenset()
        self.transient: FloatArray | None = None
        self.num_simulated = 0
        self._following = NOWHERE

    # -- what an agent calls -------------------------------------------------------------------

    def note(self, values: Values, model: Model, transitions: Transitions) -> None:
        """Note where the last real transition led."""
        if len(transitions.action):
            ended = bool(transitions.terminated[-1])
            self._following = NOWHERE if ended else int(transitions.next_observation[-1])

    def action_values(
        self,
        values: Values,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """(batch, actions) permanent and transient values together, after a search from each row.

        Raises:
            TypeError: for values that are no table.
            ValueError: without a depth and without a discount.
        """
        table = checked_table(values)
        if learning:
            memory = self._memory_for(table, int(observations[0]))
            self.num_simulated += self._search(table, memory, model, int(observations[0]), rng)
            both: FloatArray = self._both(table, memory)[observations]
            return both
        found = []
        for row in observations.tolist():
            kept = np.zeros(table.q.size) if self.transient is None else self.transient.copy()
            self._search(table, kept, model, row, rng)
            found.append(self._both(table, kept)[row])
        return np.array(found).reshape(-1, table.q.shape[1])

    def _memory_for(self, table: TableValues, row: int) -> FloatArray:
        """The transient memory, empty where an episode begins."""
        if self.transient is None:
            self.transient = np.zeros(table.q.size)
        elif row != self._following:
            self.transient[:] = 0.0
        self._following = row
        return self.transient

    def _both(self, table: TableValues, memory: FloatArray) -> FloatArray:
        transient = memory.reshape(table.q.shape)
        return table.q + transient if self.permanent else transient.copy()

    def _search(
        self, table: TableValues, memory: FloatArray, model: Any, row: int, rng: np.random.Generator
    ) -> int:
        """Simulate and learn; says how many steps were simulated."""
        if not self.simulations:
            return 0
        depth = steps_ahead(self.depth, table.gamma)
        permanent = table.q if self.permanent else np.zeros_like(table.q)
        search = Search(
            self.simulations, depth, self.search_epsilon, self.search_rate, self.trace_decay
        )
        steps: int = search_by_td(
            believed_table(model, table.q.shape, np.array([row]), depth),
            search,
            permanent.reshape(-1),
            memory,
            row,
            table.q.shape[1],
            table.gamma,
            state_words(rng),
        )
        return steps

    # -- checkpoints ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The transient memory, and which row follows."""
        numbers = {"following": self._following, "num_simulated": self.num_simulated}
        if self.transient is None:
            return numbers
        return {**numbers, "transient": self.transient.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for a memory that is no (n,) array of finite numbers.
        """
        memory = state.get("transient")
        if memory is not None and (
            memory.dtype != np.float64 or memory.ndim != 1 or not np.isfinite(memory).all()
        ):
            raise ValueError(f"transient memory {memory!r}; expected (n,) finite numbers")
        self._following = int(state["following"])
        self.num_simulated = int(state["num_simulated"])
        self.transient = None if memory is None else memory.copy()
