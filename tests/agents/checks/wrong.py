"""Parts of the tests of conformance suites: registration of wrong implementations, and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from dynamaze.agents import Transitions

STATES, ACTIONS = 5, 3

Class = TypeVar("Class", bound=type)


class WrongImplementations(dict[str, Any]):
    """Check -> the wrong implementation that only this check catches."""

    def __call__(self, check: str) -> Callable[[Class], Class]:
        """Register the decorated class as the one that only this check catches."""

        def register(cls: Class) -> Class:
            self[check] = cls
            return cls

        return register


class CheckedInput:
    """Checks of transitions, one method each, so that a wrong implementation can omit one."""

    def check_transitions(self, transitions: Transitions) -> None:
        self.check_lengths(transitions)
        self.check_nan(transitions)
        self.check_infinite(transitions)
        self.check_actions(transitions.action)
        self.check_observations(transitions.observation)
        self.check_observations(transitions.next_observation)

    def check_lengths(self, transitions: Transitions) -> None:
        if len({len(column) for column in transitions}) > 1:
            raise ValueError("columns of different lengths")

    def check_nan(self, transitions: Transitions) -> None:
        if np.isnan(transitions.reward).any():
            raise ValueError("a reward is NaN")

    def check_infinite(self, transitions: Transitions) -> None:
        if np.isinf(transitions.reward).any():
            raise ValueError("a reward is infinite")

    def check_actions(self, actions: Any) -> None:
        if not all(0 <= action < ACTIONS for action in actions):
            raise ValueError("no such action")

    def check_observations(self, observations: Any) -> None:
        if not all(0 <= state < STATES for state in observations):
            raise ValueError("no such observation")
