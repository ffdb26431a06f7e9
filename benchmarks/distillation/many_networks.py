"""Value iteration networks that are trained at once, each on mazes of its own.

A training on two mazes is many small tensor operations, which cost about as much for dozens of
networks as for one (`torch.func.vmap`). The rules are those of `ValueIterationNetwork` and the
training loop; only the iterations that enter the loss are drawn for all networks together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional

from dynamaze.common.arrays import FloatArray
from dynamaze.distill.students.value_iteration import (
    ValueIterationNetwork,
    annealed_scales,
    front_weights,
    squashed,
    steps_to_goal,
    trained_iterations,
)
from dynamaze.distill.training.parts import linear_decay
from dynamaze.envs.generation.planes import Planes, ShortestPathPolicy
from dynamaze.envs.generation.planes import steps_to_goal as greedy_steps

SCALE = "network.scale"
"""Name of the buffer with the scale of the softmax."""

CLIP = 1.0
"""Maximum norm of a network's gradient."""


class Training(nn.Module):
    """Part of a training step that is computed for all networks at once."""

    def __init__(self, network: ValueIterationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, maze: Tensor, wanted: tuple[int, ...], progress: float
    ) -> tuple[Tensor, Tensor]:
        """Return the answers after some iterations, and the sparsity penalty.

        Args:
            maze: (mazes, 2, rows, cols) walls and goals.
            wanted: the iterations, counted from 1.
            progress: fraction of the training that is done.

        Returns:
            (iterations, mazes, rows, cols, actions) values, and a number.
        """
        found = self.network.iterate(maze, wanted[-1], wanted)
        return torch.stack([q for _, q in found]).movedim(2, -1), self.network.penalty(progress)


class ManyNetworks:
    """Value iteration networks of 113 parameters, whose weights have a first axis of networks.

    Args:
        seeds: seeds of the initial weights, one a network.

    Attributes:
        weights: name -> (networks, ...) weights.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        networks = [Training(ValueIterationNetwork(seed=int(seed))) for seed in seeds]
        self.weights, self._buffers = stack_module_state(networks)
        self._training = networks[0]

    def train(
        self, planes: Planes, *, steps: int, learning_rate: float, rng: np.random.Generator
    ) -> None:
        """Train each network on all cells of its own mazes, with exact labels.

        Args:
            planes: (networks, mazes, 3, rows, cols), every free cell queried; each network has a
                goal.
            steps: training steps.
            learning_rate: Adam's initial step size; it decreases to 0.
            rng: draws the iterations that enter the loss.
        """
        maze = torch.as_tensor(np.ascontiguousarray(planes[:, :, [0, 2]]))
        queried = torch.as_tensor(planes[:, :, 1] > 0.5)
        labels = torch.zeros(*queried.shape, 4)
        exact = ShortestPathPolicy().action_probabilities(planes.reshape(-1, *planes.shape[2:]))
        labels[queried] = torch.as_tensor(exact, dtype=torch.float32)
        distance = steps_to_goal(maze.flatten(0, 1)).view(queried.shape)
        furthest = int(distance[torch.isfinite(distance)].max())
        adam = torch.optim.Adam(self.weights.values(), lr=learning_rate)
        for step in range(steps):
            progress = step / steps
            softmax_scale, logit_scale = annealed_scales(progress, self._buffers[SCALE])
            self._buffers |= {SCALE: softmax_scale, "network.sharpness": logit_scale}
            wanted = trained_iterations(furthest, progress, rng)
            answers, loss = self._forward(maze, wanted, progress)
            for k, q in zip(wanted, answers.unbind(1), strict=True):
                weights = front_weights(distance, k) * queried
                logits = squashed((logit_scale.view(-1, 1, 1, 1, 1) * q).flatten(0, -2)).view(
                    q.shape
                )
                errors = -(labels * functional.log_softmax(logits, -1)).sum(-1)
                weighted = (errors * weights).flatten(1).sum(1) / weights.flatten(1).sum(1)
                loss = loss + weighted / len(wanted)
            adam.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]
            self._clip()
            adam.param_groups[0]["lr"] = learning_rate * linear_decay(progress)
            adam.step()

    def _forward(
        self, maze: Tensor, wanted: tuple[int, ...], progress: float
    ) -> tuple[Tensor, Tensor]:
        def forward(weights: Any, buffers: Any, own: Tensor) -> tuple[Tensor, Tensor]:
            found: tuple[Tensor, Tensor] = functional_call(
                self._training, (weights, buffers), (own, wanted, progress)
            )
            return found

        return vmap(forward)(self.weights, self._buffers, maze)

    def _clip(self) -> None:
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        norms = torch.stack([each.flatten(1).square().sum(1) for each in gradients]).sum(0).sqrt()
        factor = (CLIP / (norms + 1e-6)).clamp(max=1.0)
        for each in gradients:
            each.mul_(factor.view(-1, *[1] * (each.ndim - 1)))

    @torch.no_grad()
    def success(self, planes: Planes) -> FloatArray:
        """Return each network's success rate in mazes that are the same for all.

        Args:
            planes: (mazes, 3, rows, cols).

        Returns:
            (networks,) fractions of the queried cells from which it reaches a goal.
        """
        maze = torch.as_tensor(np.ascontiguousarray(planes[:, [0, 2]]))
        count = self._training.network.iterations_for(*maze.shape[2:])
        answers, _ = self._forward(maze.expand(len(self), *maze.shape), (count,), 1.0)
        actions = answers[:, 0].argmax(-1).numpy()[:, planes[:, 1] > 0.5]
        return np.array([(greedy_steps(planes, each) >= 0).mean() for each in actions])

    def __len__(self) -> int:
        return len(self._buffers[SCALE])
