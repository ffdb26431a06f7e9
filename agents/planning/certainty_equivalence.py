"""Dynamic programming as planning: after each real step the model is solved (section 4.4)."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_number

from ..core.kernels import expect, improve, remember, rule, seen_pairs
from ..core.shares import is_trusted
from ..models import Model
from ..values.table import Values
from .table import TablePlanning


class Solving(NamedTuple):
    """The planner's record, for compiled code."""

    residual: FloatArray  # (1,) the largest change of the last sweep, over the largest value
    tolerance: float
    max_sweeps: int


class DynamicProgramming(TablePlanning):
    """Takes the model for the truth and solves it (certainty equivalence).

    Gauss-Seidel value iteration over the pairs that were tried, forward and backward by turns,
    from the values there are until they have settled: a single sweep where nothing has changed.
    The values' learning rate has no part in it.

    Args:
        tolerance: values have settled when no update of a sweep changes one by more, in units of
            the largest value if that is above 1; above 0.
        max_sweeps: most sweeps after each real step.

    Warns:
        RuntimeWarning: with the residual, if the values have not settled after so many sweeps, as
            with gamma = 1 where a policy that never ends pays for ever. The next real step goes on.

    Raises:
        ValueError: for a number outside its range.
    """

    learns_directly = False
    planning_steps = 1
    promises = frozenset({"settles", "expects", "follows_changes"})

    def __init__(self, *, tolerance: float = 1e-8, max_sweeps: int = 10_000) -> None:
        super().__init__()
        self.tolerance = checked_number("tolerance", tolerance, 0, above=True)
        self.max_sweeps = int(checked_number("max_sweeps", max_sweeps, 1, whole=True))

    def _begin(self, num_states: int, num_actions: int) -> Solving:
        return Solving(np.zeros(1), self.tolerance, self.max_sweeps)

    def plan(self, values: Values, model: Model, rng: np.random.Generator) -> None:
        """Solve the model."""
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
        """The largest change in the last sweep, in units of the largest value if above 1."""
        return 0.0 if self.record is None else float(self.record.residual[0])


@rule(remember, Solving)
@compiled
def remember_nothing(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """The model remembers what was seen."""


@rule(improve, Solving)
@compiled
def solve(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Sweep until the values have settled."""
    for number in range(planning.max_sweeps):
        change, largest = sweep_tried(model, q, num_actions, gamma, number % 2 == 1)
        planning.residual[0] = change / max(1.0, largest)
        if planning.residual[0] <= planning.tolerance:
            break
    return rng


@compiled
def sweep_tried(model, q, num_actions, gamma, backwards):
    """Update every trusted pair that may be drawn; the largest change, and the largest value."""
    seen = seen_pairs(model)
    change, largest = 0.0, 0.0
    count = seen.states[0]
    for number in range(count):
        state = seen.states[count - number if backwards else number + 1]
        row = state * (num_actions + 1)
        for place in range(row + 1, row + 1 + seen.pairs[row]):
            pair = seen.pairs[place]
            if is_trusted(model, pair):
                wanted = expect(model, num_actions, pair, q, gamma)
                change = max(change, abs(wanted - q[pair]))
                q[pair] = wanted
            largest = max(largest, abs(q[pair]))
    return change, largest
