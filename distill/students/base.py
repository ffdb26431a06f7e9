"""What every student is: a torch module that gives logits, and so a policy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dynamaze.common.arrays import FloatArray

from ..core.logits import softmax


class Answers(NamedTuple):
    """What training judges of a student, a row for each of the batch's answers."""

    logits: Tensor  # (answers, actions), or as `forward`
    weights: Tensor | None = None  # (answers,) how much each counts beside the batch's own weights
    values: Tensor | None = None  # (answers,) of states, where the student knows them


class Student(nn.Module):
    """A network from a batch of observations to the logits of actions.

    One with continuous actions gives means and then logarithms of standard deviations instead,
    (answers, 2 * dimensions), and has `action_gaussian` (see `GaussianStudent`).

    A student of your own needs `forward` and, to be stored, `config`. What it may add are the
    hooks that training asks: `training_answers` and `penalty`.

    Attributes:
        config: what makes the same student again, by `make_student(**config)`; JSON.
    """

    config: dict[str, Any]

    def training_answers(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[Answers]:
        """The answers that training judges; their losses are averaged.

        Networks that answer once give one; those that answer after each of many iterations may
        give several, and so be taught how to go on.

        Args:
            observations: a batch.
            progress: how much of the training is over, in [0, 1].
            rng: settles what is random.
        """
        return [Answers(self(observations))]

    def penalty(self, progress: float) -> Tensor:
        """What is added to the loss for the weights themselves; nothing by default."""
        return torch.zeros(())

    @property
    def num_parameters(self) -> int:
        """How many numbers training may change."""
        return sum(weight.numel() for weight in self.parameters())

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Multiplications with a following addition for one decision.

        Args:
            observation_shape: of a single observation.
        """
        raise NotImplementedError(f"{type(self).__name__} does not count its multiply-adds")

    # -- a policy ------------------------------------------------------------------------------

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch of observations."""
        device = next((weight.device for weight in self.parameters()), torch.device("cpu"))
        with torch.no_grad():
            logits = self(torch.as_tensor(np.asarray(observations), device=device))
        return logits.double().cpu().numpy()  # type: ignore[no-any-return]

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(answers, actions) probabilities for a batch of observations."""
        return softmax(self.action_logits(observations))

    def act(self, observation: Any) -> Any:
        """The best action for one observation, the first of equal ones."""
        return int(self.action_logits(np.asarray(observation)[None])[0].argmax())
