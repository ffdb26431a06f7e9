"""Certainty-equivalence planning: value iteration on the learned model.

Sutton & Barto 2018, section 4.4.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_count, checked_number

from ..core.kernels import (
    planned_backup,
    rules,
    visited_pairs,
)
from ..models.protocol import Model
from ..values.table import Values
from .table import TablePlanning


class ValueIterationRecord(NamedTuple):
    """Record of the planner, for compiled code."""

    residual: FloatArray  # (1,) the largest change of the last sweep, over the largest value
    tolerance: float
    max_sweeps: int


@compiled
def solve(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Sweep until the values converge."""
    for number in range(planning.max_sweeps):
        # Alternate directions carry a change from either end of the state order in one sweep.
        change, largest = sweep_visited(model, q, num_actions, gamma, number % 2 == 1)
        planning.residual[0] = change / max(1.0, largest)
        if planning.residual[0] <= planning.tolerance:
            break
    return rng


@compiled
def sweep_visited(model, q, num_actions, gamma, backwards):
    """Update every confident tried pair; return the largest change and the largest value."""
    seen = visited_pairs(model)
    change, largest = 0.0, 0.0
    count = seen.states[0]
    for number in range(count):
        state = seen.states[count - number if backwards else number + 1]
        row = state * (num_actions + 1)
        for place in range(row + 1, row + 1 + seen.pairs[row]):
            pair = seen.pairs[place]
            # equation 4.10 for action values (equation 4.2), in place:
            # Q(s, a) <- sum_{s', r} p(s', r | s, a) [r + gamma max_a' Q(s', a')]
            target = planned_backup(model, num_actions, pair, q, gamma)
            change = max(change, abs(target - q[pair]))
            q[pair] = target
            largest = max(largest, abs(q[pair]))
    return change, largest


rules(ValueIterationRecord, plan=solve)


class DynamicProgramming(TablePlanning):
    """Value iteration on the learned model, which is taken as exact (certainty equivalence).

    Suited to small tables, whose values it makes exact for the model after each real step.

    Gauss-Seidel value iteration over the tried pairs, alternately forward and backward, from the
    present values until they converge: a single sweep where nothing has changed. The learning rate
    of the values is not used.

    Args:
        tolerance: converged when no update of a sweep changes a value by more, in units of the
            largest value if that is above 1; above 0.
        max_sweeps: maximum number of sweeps after each real step.

    Warns:
        RuntimeWarning: with the residual, if the values have not converged after `max_sweeps`, as
            with gamma = 1 where a policy that never ends accumulates rewards without bound. The
            next real step continues.

    Raises:
        ValueError: for a number outside its range.
    """

    learns_directly = False
    planning_steps = 1
    promises = frozenset({"converges", "converges_in_expectation", "tracks_changes"})

    def __init__(self, *, tolerance: float = 1e-8, max_sweeps: int = 10_000) -> None:
        self.tolerance = checked_number("tolerance", tolerance, 0, above=True)
        self.max_sweeps = checked_count("max_sweeps", max_sweeps)

    def _empty_record(self, num_states: int, num_actions: int) -> ValueIterationRecord:
        return ValueIterationRecord(np.zeros(1), self.tolerance, self.max_sweeps)

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Run value iteration on the model."""
        super().plan(values, model, rng)
        residual = self.residual
        if residual > self.tolerance:
            gamma: Any = getattr(values, "gamma", None)
            warnings.warn(
                f"with gamma={gamma} the residual after {self.max_sweeps} sweeps is "
                f"{residual:.3g}; expected at most {self.tolerance:g}: a smaller gamma, or a "
                "larger max_sweeps",
                RuntimeWarning,
                stacklevel=2,
            )

    @property
    def residual(self) -> float:
        """Return the largest change in the last sweep, in units of the largest value if above 1."""
        return 0.0 if self.record is None else float(self.record.residual[0])
