"""A linear student: what can be said without hidden units."""

from __future__ import annotations

from collections.abc import Sequence

from .mlp import MLP


class Linear(MLP):
    """Each action's logit is a weighted sum of the observation's numbers.

    Args:
        observation_shape: of a single observation; it is flattened.
        num_actions: how many.
        seed: settles the first weights.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self, observation_shape: Sequence[int], num_actions: int, *, seed: int = 0
    ) -> None:
        super().__init__(observation_shape, num_actions, layers=0, seed=seed)
        self.config = {
            "kind": "linear",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.sizes[-1],
        }
