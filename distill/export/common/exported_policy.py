"""A policy that was written to a file, of Discrete or of continuous actions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from dynamaze.common.arrays import FloatArray

from ...core.distributions import Bounds, split
from ...core.gaussian_actions import refuse_logits
from ...core.logits import LogitPolicy
from .remembering import Remembering


class Written(Remembering, LogitPolicy):
    """Answers with what the file gives; what asks finds only what is there of its actions.

    It sets `_bounds` when it is made: those of continuous actions, None for Discrete ones.
    """

    _bounds: Bounds | None

    @abstractmethod
    def _rows(self, observations: Any) -> FloatArray:
        """(answers, columns) logits, or means and then logarithms of standard deviations."""

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch of observations.

        Raises:
            ValueError: for observations of another shape or kind.
            TypeError: of continuous actions, which have none.
        """
        if self._bounds is not None:
            refuse_logits()
        return self._rows(observations)

    @property
    def action_gaussian(self) -> Callable[[Any], tuple[FloatArray, FloatArray]]:
        """Gives (answers, dimensions) means, and as many logarithms of standard deviations.

        Raises:
            AttributeError: of Discrete actions, which have none.
        """
        self._only_of_continuous_actions("action_gaussian")
        return lambda observations: split(self._rows(observations))

    @property
    def bounds(self) -> Bounds:
        """What makes actions of samples.

        Raises:
            AttributeError: of Discrete actions, which have none.
        """
        return self._only_of_continuous_actions("bounds")

    def _only_of_continuous_actions(self, name: str) -> Bounds:
        if self._bounds is None:
            raise AttributeError(f"a policy of Discrete actions has no {name}")
        return self._bounds
