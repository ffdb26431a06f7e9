"""Search control among features: at random, or by prioritised sweeping."""

from __future__ import annotations

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.validation import checked_number

from .expectation_model import LinearExpectation, known_name
from .sweeping import SWEEPS, back_up_all, queue_changes, sweep_queue

COUNTS = ("updates", "pops")


class FeatureSweeping:
    """Planning updates of linear state values on a linear model, feature by feature.

    Args:
        num_features: n.
        sweep: one of `SWEEPS`.
        threshold: priorities below it are not queued.
        count: what a planning step of "mg" is, an update ("updates") or as in the paper a pop with
            all its updates ("pops").

    Attributes:
        priorities: (n,) of the queue; 0 for a feature that is not in it.
        owed: (1,) updates that were done beyond those that were asked for.

    Raises:
        ValueError: for an unknown sweep or count, or a threshold that is not above 0.
    """

    def __init__(
        self, num_features: int, sweep: str, threshold: float = 1e-8, *, count: str = "updates"
    ) -> None:
        self.sweep = known_name("sweep", sweep, SWEEPS)
        self.count = known_name("count", count, COUNTS)
        self.threshold = checked_number("threshold", threshold, 0, above=True)
        self.priorities = np.zeros(num_features)
        self.owed = np.zeros(1)

    @property
    def parts(self) -> dict[str, FloatArray]:
        """What has to be kept besides values and model, by name."""
        return {"priorities": self.priorities, "owed": self.owed}

    def note(self, model: LinearExpectation, changes: FloatArray) -> None:
        """Queue what the errors (n,) of real experience concern."""
        if self.sweep != "random":
            queue_changes(
                model.leads, self.priorities, changes, self.threshold, self.sweep == "pwma"
            )

    def plan(
        self,
        theta: FloatArray,
        model: LinearExpectation,
        steps: int,
        *,
        gamma: float,
        step_size: float,
        among: IntArray,
        rng: np.random.Generator,
    ) -> int:
        """Do so many steps, or as many as the queue has; says how many.

        "mg" does the updates of a whole pop, and if they count, the fewer the next time.

        Args:
            theta: (n,) weights of the values, which it changes.
            model: what it plans on.
            steps: how many updates.
            gamma: discount.
            step_size: of the updates.
            among: the features of which "random" draws.
            rng: from which it draws.
        """
        parts = (theta, model.leads, model.rewards)
        if self.sweep != "random":
            left = steps - int(self.owed[0])
            limits = (left, gamma, step_size, self.threshold)
            kind = (self.sweep == "pwma", self.count == "pops")
            done = int(sweep_queue(*parts, self.priorities, *limits, *kind))
            self.owed[0] = max(done - left, 0)
            return done
        if not among.size:
            return 0
        back_up_all(*parts, among[rng.integers(among.size, size=steps)], gamma, step_size)
        return steps
