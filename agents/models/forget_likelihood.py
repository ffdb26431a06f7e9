"""The maximum-likelihood model whose counts fade."""

from __future__ import annotations

from dynamaze.common.validation import checked_number

from .latest import LatestOutcome
from .likelihood import LikelihoodTable, MaximumLikelihood


class ForgettingLikelihood(MaximumLikelihood):
    """Counts outcomes; with each visit of a pair its earlier counts are multiplied by a factor.

    The frequencies are exponentially recency-weighted averages (Sutton & Barto 2018, equation 2.6,
    with the step size 1 - decay once counts are many); discounted counts of a world that changes
    are those of Garivier and Moulines (2011), section 2.

    Args:
        num_states: how many states.
        num_actions: how many actions in each.
        include_untried: whether untried actions of visited states may be drawn.
        decay: the factor, in (0, 1]; 1 forgets nothing. It remembers 1 / (1 - decay) visits.

    Raises:
        ValueError: for a factor outside its range.
    """

    promises = LatestOutcome.promises
    adapts_within = 7  # 0.9 ** 7 < 1/2: the new outcome outweighs all that was before

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        *,
        include_untried: bool = False,
        decay: float = 0.9,
    ) -> None:
        self.decay = checked_number("decay", decay, 0, 1, above=True)
        super().__init__(num_states, num_actions, include_untried=include_untried)

    def _begin(self, include_untried: bool) -> LikelihoodTable:
        return super()._begin(include_untried)._replace(decay=self.decay)
