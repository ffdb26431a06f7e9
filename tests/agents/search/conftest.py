"""Models for searches that have learned from random transitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents.core.transitions import Transitions


def uniform_rewards(rng: np.random.Generator, n: int) -> Any:
    return rng.random(n)


@pytest.fixture
def learned() -> Callable[..., Any]:
    """Function that updates a model with n random transitions, and returns it."""

    def learn(model: Any, n: int = 100, rewards: Callable[..., Any] = uniform_rewards) -> Any:
        rng = np.random.default_rng(1)
        model.update(
            Transitions(
                rng.integers(model.num_states, size=n),
                rng.integers(model.num_actions, size=n),
                rewards(rng, n),
                rng.integers(model.num_states, size=n),
                rng.random(n) < 0.1,
            )
        )
        return model

    return learn
