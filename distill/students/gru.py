"""Recurrent student for partially observable environments."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from .base import Student, as_floats, checked_shape
from .shapes import check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402


class GRU(Student):
    """Gated recurrent unit (Cho et al. 2014) with a linear output layer.

    Suited to partially observable environments, where the past tells what is not seen.

    In training it is given whole sequences, (batch, time, ...), each from a zero state, and returns
    an output for each step in the order of batch and time. As a policy it keeps its state from one
    call to the next, one row for each observation of the batch, until `reset`.

    Args:
        observation_shape: shape of a single observation; it is flattened.
        num_actions: number of actions.
        width: size of the recurrent state.
        seed: seed of the initial weights.

    Attributes:
        memory: (batch, width) recurrent state, None for zeros. Code that runs another episode in
            between saves and restores it.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self, observation_shape: Sequence[int], num_actions: int, width: int = 16, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.observation_shape = checked_shape(observation_shape)
        self.num_actions = checked_integer("num_actions", num_actions, 1)
        self.width = checked_integer("width", width, 1)
        self.config = {
            "kind": "gru",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.num_actions,
            "width": self.width,
        }
        check_size(self.config)
        self.memory: Tensor | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.cell = nn.GRU(prod(self.observation_shape), self.width, batch_first=True)
            self.last = nn.Linear(self.width, self.num_actions)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (batch * time, actions) logits for (batch, time, *observation_shape) sequences.

        A batch of single observations is a batch of sequences of one step.
        """
        if observations.ndim == 1 + len(self.observation_shape):
            observations = observations[:, None]
        return self._outputs(observations, None)[0]

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one step."""
        gates = 3 * self.width * (prod(self.observation_shape) + self.width)
        return gates + self.width * self.num_actions

    def _outputs(self, sequences: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        batch, time = sequences.shape[:2]
        steps = as_floats(sequences.flatten(0, 1), self.observation_shape)
        start = None if memory is None else memory[None]
        units, final = self.cell(steps.reshape(batch, time, -1), start)
        return self.last(units.flatten(0, 1)), final[0]

    # -- a policy ------------------------------------------------------------------------------

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) logits for the next observation of each of a batch of episodes.

        Raises:
            ValueError: for another number of observations than the rows of `memory`.
        """
        step = torch.as_tensor(np.asarray(observations), device=self.last.weight.device)
        if self.memory is not None and len(self.memory) != len(step):
            raise ValueError(
                f"{len(step)} observations, and a state of {len(self.memory)} episodes; expected "
                "equal numbers, or reset() before others"
            )
        with torch.no_grad():
            logits, self.memory = self._outputs(step[:, None], self.memory)
        return logits.double().cpu().numpy()

    def reset(self, episode_start: npt.NDArray[np.bool_] | None = None) -> None:
        """Reset the recurrent state.

        Args:
            episode_start: (batch,) True where an episode begins; None for all rows.
        """
        if episode_start is None or self.memory is None:
            self.memory = None
            return
        self.memory = self.memory.clone()
        self.memory[torch.as_tensor(episode_start, device=self.memory.device)] = 0.0
