"""A student with a memory, for worlds of which only a part is seen."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from .base import Student
from .inputs import as_floats, checked_shape


class GRU(Student):
    """A gated recurrent unit (Cho et al. 2014) and a linear layer on what it remembers.

    In training it sees whole sequences, (batch, time, ...), each from an empty memory, and answers
    for each moment in the order of batch and time. As a policy it remembers from one call to the
    next: one row of memory for each observation of the batch, until `reset`.

    Args:
        observation_shape: of a single observation; it is flattened.
        num_actions: how many.
        width: numbers that are remembered.
        seed: settles the first weights.

    Attributes:
        memory: (batch, width) what it remembers, None for nothing. What plays with it in between
            keeps it and puts it back.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self, observation_shape: Sequence[int], num_actions: int, width: int = 16, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.observation_shape = checked_shape(observation_shape)
        self.num_actions = int(checked_number("num_actions", num_actions, 1, whole=True))
        self.width = int(checked_number("width", width, 1, whole=True))
        self.config = {
            "kind": "gru",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.num_actions,
            "width": self.width,
        }
        self.memory: Tensor | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.cell = nn.GRU(prod(self.observation_shape), self.width, batch_first=True)
            self.last = nn.Linear(self.width, self.num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        """(batch * time, actions) logits for (batch, time, *observation_shape) sequences.

        A batch of single observations is one of sequences of one moment.
        """
        if observations.ndim == 1 + len(self.observation_shape):
            observations = observations[:, None]
        return self._answers(observations, None)[0]

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of one moment."""
        gates = 3 * self.width * (prod(self.observation_shape) + self.width)
        return gates + self.width * self.num_actions

    def _answers(self, sequences: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        batch, time = sequences.shape[:2]
        moments = as_floats(sequences.flatten(0, 1), self.observation_shape)
        start = None if memory is None else memory[None]
        units, left = self.cell(moments.reshape(batch, time, -1), start)
        return self.last(units.flatten(0, 1)), left[0]

    # -- a policy ------------------------------------------------------------------------------

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) logits for the next observation of each of a batch of episodes.

        Raises:
            ValueError: for another number of observations than the memory is of.
        """
        moment = torch.as_tensor(np.asarray(observations), device=self.last.weight.device)
        if self.memory is not None and len(self.memory) != len(moment):
            raise ValueError(
                f"{len(moment)} observations, and a memory of {len(self.memory)}; expected as "
                "many, or reset() before others"
            )
        with torch.no_grad():
            logits, self.memory = self._answers(moment[:, None], self.memory)
        return logits.double().cpu().numpy()

    def reset(self, began: npt.NDArray[np.bool_] | None = None) -> None:
        """Forget.

        Args:
            began: (batch,) True where an episode begins; None for everywhere.
        """
        if began is None or self.memory is None:
            self.memory = None
            return
        self.memory = self.memory.clone()
        self.memory[torch.as_tensor(began, device=self.memory.device)] = 0.0
