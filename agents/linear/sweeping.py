"""Search control among features: at random, or by prioritised sweeping.

Compiled rules on the arrays of a `LinearExpectation`. With one action they evaluate a policy, with
several they maximise over actions. `priorities` (n,) is the queue: 0 for a feature that is not in
it; the highest is popped first, of equal ones the lowest number. Numbers of algorithms are those of
Sutton, Szepesvári, Geramifard and Bowling 2008, "Dyna-style planning with linear function
approximation and prioritized sweeping".
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.common.validation import checked_choice, checked_number

from ..core.records import Stateful
from .expectation_model import LinearExpectation

SWEEPS = ("random", "pwma", "mg")
"""Orders of updates: uniformly random, or by prioritised sweeping after Peng and Williams (1993)
and Moore and Atkeson (1993) ("pwma"), or after McMahan and Gordon (2005) ("mg")."""

COUNTS = ("updates", "pops")
"""Units of planning steps of "mg"."""


@compiled
def sweep_queue(
    theta, leads, rewards, priorities, steps, gamma, step_size, threshold, to_predecessors, by_pops
):
    """Make at most `steps` updates by priority, fewer if the queue is empty; return their number.

    With `to_predecessors` ("pwma", algorithm 2) the popped feature is updated, and its predecessors
    are queued by its change; without ("mg", algorithm 3) the predecessors of the popped feature are
    updated, and queued by their errors. Each update is a step, or with `by_pops` each pop.
    """
    done = 0
    while done < steps:
        feature = priorities.argmax()
        if priorities[feature] == 0.0:
            break
        priorities[feature] = 0.0
        if to_predecessors:
            error = back_up(theta, leads, rewards, feature, gamma, step_size)
            queue_leading_features(leads, priorities, feature, error, threshold)
            done += 1
            continue
        updates = 0
        for before in range(len(priorities)):
            if link_strength(leads, before, feature) > 0.0:
                error = back_up(theta, leads, rewards, before, gamma, step_size)
                raise_priority(priorities, before, abs(error), threshold)
                updates += 1
        done += 1 if by_pops else updates
    return done


@compiled
def back_up(theta, leads, rewards, feature, gamma, step_size):
    """Update theta at a unit basis vector by the model; return the error."""
    # max_a b_a[i] + gamma theta . F_a e_i
    best = -np.inf
    for action in range(len(rewards)):
        following = 0.0
        for after in range(len(theta)):
            following += leads[action, feature, after] * theta[after]
        best = max(best, rewards[action, feature] + gamma * following)
    error = best - theta[feature]
    theta[feature] += step_size * error
    return error


@compiled
def back_up_all(theta, leads, rewards, features, gamma, step_size):
    """Update theta at each of several unit basis vectors, in their order."""
    for place in range(len(features)):
        back_up(theta, leads, rewards, features[place], gamma, step_size)


@compiled
def link_strength(leads, before, after):
    """Return the largest |F| entry over the actions, from one feature to another."""
    most = 0.0
    for action in range(len(leads)):
        most = max(most, abs(leads[action, before, after]))
    return most


@compiled
def raise_priority(priorities, feature, priority, threshold):
    """Queue a feature; if it is in the queue, keep the higher priority."""
    if priority >= threshold and priority > priorities[feature]:
        priorities[feature] = priority


@compiled
def queue_leading_features(leads, priorities, feature, change, threshold):
    """Queue the features that lead to one whose value has changed."""
    for before in range(len(priorities)):
        # priority |F_ij delta_i| of feature j, which leads to the changed feature i
        priority = link_strength(leads, before, feature) * abs(change)
        raise_priority(priorities, before, priority, threshold)


@compiled
def queue_changes(leads, priorities, changes, threshold, to_predecessors):
    """Queue the features of (n,) value changes, or the features that lead to them."""
    for feature in range(len(changes)):
        if changes[feature] != 0.0:
            if to_predecessors:
                queue_leading_features(leads, priorities, feature, changes[feature], threshold)
            else:
                raise_priority(priorities, feature, abs(changes[feature]), threshold)


class FeatureSweeping(Stateful):
    """Planning updates of linear state values on a linear model, feature by feature.

    Args:
        num_features: n.
        sweep: one of `SWEEPS`.
        threshold: lowest priority that is queued.
        count: unit of planning steps of "mg": an update ("updates"), or as in the paper a pop with
            all its updates ("pops").

    Attributes:
        priorities: (n,) of the queue; 0 for a feature that is not in it.
        owed: (1,) updates made beyond the budget, subtracted from the next one.

    Raises:
        ValueError: for an unknown sweep or count, or a threshold that is not above 0.
    """

    state_fields: ClassVar = {"priorities": "priorities", "owed": "owed"}

    def __init__(
        self, num_features: int, sweep: str, threshold: float = 1e-8, *, count: str = "updates"
    ) -> None:
        self.sweep = checked_choice("sweep", sweep, SWEEPS)
        self.count = checked_choice("count", count, COUNTS)
        self.threshold = checked_number("threshold", threshold, 0, above=True)
        self.priorities = np.zeros(num_features)
        self.owed = np.zeros(1)

    def queue_errors(self, model: LinearExpectation, changes: FloatArray) -> None:
        """Queue the features of (n,) errors of real experience."""
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
        """Make at most `steps` updates, fewer if the queue is empty; return their number.

        "mg" completes the updates of a pop; if they count, the next budget is smaller by the
        excess.

        Args:
            theta: (n,) weights of the values, changed in place.
            model: the linear model.
            steps: number of updates.
            gamma: discount factor.
            step_size: of the updates.
            among: the features among which "random" samples.
            rng: random number generator.
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
