"""What a pair's own outcomes say of a model that judges it by those of others, too.

A model that generalises, or has too little room to tell pairs apart, may be vague of a pair instead
of surprised by it: it claims no more than comes true, so its excess is nothing, and still it is
wrong of each single pair. Found out it is by comparison. Beside the model stand the counts of the
pair's own outcomes, and of an outcome that happened n' times of n

    (n' + 2 p) / (n + 2)

is the probability by these counts, with what the model says, p, as worth two outcomes. A model that
is right loses on average no more than any other, so no more than this one (Gibbs' inequality). By
how much more it did lose, in nats, has a moving average, never below 0: the pair's regret R. The
pair deserves a share of at most max(0, 2 exp(-R) - 1), as by its excess (`scores`). It begins with
the moving average over all steps: until it is tested itself, a pair is trusted as the model is.

What was impossible to the model is left to the excess, unless it still is when the model has
learned from it. No model that is right denies what it has just been shown: the pair then deserves
nothing, and R is at least log 2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled

from ..core.kernels import believe
from ..core.records import flatten, restore
from ..core.state import part_of, prefixed
from ..core.transitions import Transitions
from .likelihood import LikelihoodTable, MaximumLikelihood
from .scores import Scores

WORTH = 2.0
"""So many outcomes the model's prediction is worth beside those that happened."""


class Opinion(NamedTuple):
    """Changed in place."""

    counts: LikelihoodTable  # of each pair's own outcomes
    regret: FloatArray  # (states * actions,) moving average R; empty where no opinion is asked
    overall: FloatArray  # (1,) moving average over all steps


class SecondOpinion:
    """The counts of each pair's own outcomes, and what they say of a model.

    Args:
        num_states: how many states; 0 where no opinion is asked.
        num_actions: how many actions in each.
    """

    def __init__(self, num_states: int, num_actions: int) -> None:
        self.counts = MaximumLikelihood(num_states, num_actions)
        self.regret, self.overall = np.zeros(num_states * num_actions), np.zeros(1)

    @property
    def is_asked(self) -> bool:
        """Whether there is one."""
        return bool(self.regret.size)

    @property
    def record(self) -> Opinion:
        """For compiled code."""
        return Opinion(self.counts.table, self.regret, self.overall)

    def note(
        self, row: Transitions, scores: Scores, pair: int, probability: float, after: float
    ) -> None:
        """Compare and count a real transition that the model held, and now holds, so likely."""
        note_opinion(
            self.record,
            scores,
            self.counts.num_actions,
            pair,
            row.next_observation[0],
            row.terminated[0],
            probability,
            after,
        )
        self.counts.update(row)

    def get_state(self) -> dict[str, Any]:
        """Arrays that `set_state` takes back; nothing where no opinion is asked."""
        if not self.is_asked:
            return {}
        kept = flatten(_Kept(self.regret, self.overall))
        return {**prefixed("counts", self.counts.get_state()), **kept}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if something is missing or does not fit.
        """
        if self.is_asked:
            kept = restore(_Kept(self.regret, self.overall), state)
            self.counts.set_state(part_of("counts", state))
            self.regret, self.overall = kept


class _Kept(NamedTuple):
    """What is kept beside the counts."""

    regret: FloatArray
    overall: FloatArray


@compiled
def note_opinion(
    opinion: Opinion,
    scores: Scores,
    num_actions: int,
    pair: int,
    next_state: int,
    terminated: bool,
    probability: float,
    after: float,
) -> None:
    """Compare a model with a pair's own outcomes, of which this one is not yet counted.

    Args:
        opinion: changed in place.
        scores: in which the share of the pair is lowered.
        num_actions: how many actions in each state.
        pair: number of the pair.
        next_state: where it led.
        terminated: whether it ended there.
        probability: how likely the model held that.
        after: how likely it holds that when it has learned from it.
    """
    frequency, _, count = believe(opinion.counts, num_actions, pair, next_state, terminated)
    if count == 0.0:
        opinion.regret[pair] = opinion.overall[0]
    elif probability > 0.0:
        counted = (count * frequency + WORTH * probability) / (count + WORTH)
        more = np.log(counted / probability)
        lean(opinion.regret, pair, more, scores.pair_rate)
        lean(opinion.overall, 0, more, scores.rate)
    if after <= 0.0:
        opinion.regret[pair] = max(opinion.regret[pair], np.log(2.0))
    deserved = max(0.0, 2.0 * np.exp(-opinion.regret[pair]) - 1.0)
    scores.pair_share[pair] = min(scores.pair_share[pair], deserved)


@compiled
def lean(averages: FloatArray, place: int, new: float, rate: float) -> None:
    """Go on with a moving average that is never below 0."""
    averages[place] = max(0.0, averages[place] + rate * (new - averages[place]))
