"""Base class of model wrappers, which forward what they do not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.deprecation import renamed_method, warn_renamed

from ..core.records import Stateful
from ..core.transitions import Transitions
from .protocol import confidence_in


class ModelWrapper(Stateful):
    """Model wrapper in the manner of `gymnasium.Wrapper`.

    A subclass overrides what it changes; every other attribute is that of the inner model. Where
    it changes simulated transitions it needs a record of its own, a property `table`, for compiled
    code; `rules(Record, inside="model", ...)` forwards the compiled rules in the same way. Without
    one the wrapper does not declare "compiled".

    Args:
        model: the inner model.
    """

    state_fields: ClassVar[Mapping[str, str]] = {"model": "model."}

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        if name == "model":  # not yet set while the object is copied
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def unwrapped(self) -> Any:
        """The model inside all wrappers."""
        return self.model.unwrapped if isinstance(self.model, ModelWrapper) else self.model

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities of the inner model; "compiled" only with a record of its own."""
        lost = set() if hasattr(type(self), "table") else {"compiled"}
        return frozenset(self.model.capabilities - lost)

    @property
    def promises(self) -> frozenset[str]:
        """Promises of the inner model."""
        return getattr(self.model, "promises", frozenset())

    def update(self, transitions: Transitions) -> None:
        """Update the inner model."""
        self.model.update(transitions)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions of the inner model.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        drawn: Transitions = self.model.sample(n, rng)
        return drawn

    def confidence(self, observations: Any = None, actions: Any = None) -> Any:
        """Return the confidence in the inner model, as `confidence_in`."""
        return confidence_in(self.model, observations, actions)

    pair_confidence = renamed_method("pair_confidence", "confidence")

    @property
    def planning_share(self) -> float:
        """Old name of `confidence()`, until 0.3."""
        warn_renamed(f"{type(self).__name__}.planning_share", "confidence()")
        return float(self.confidence())
