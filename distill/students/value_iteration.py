"""A student that plans: value iteration as one small convolution, repeated."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dynamaze.common.validation import checked_number

from .base import Answers, Student
from .planes import answers_at, check_planes, split_planes

ACTIONS = 4
KERNEL = 9  # the cells of a 3x3 kernel

SCALES, SHARPNESSES = (1.0, 5.0), (1.0, 1000.0)
"""From where to where training anneals: soft moves and blunt answers first, then hard ones."""

WARM, GROWN = 0.2, 0.5
"""Shares of the training after which annealing begins, and iterations are as many as they get."""

JUDGED = 12
"""How many of the iterations are judged in training, the last always among them."""

FRONT = 5.0
"""Weight of the cells that the goal's wave has just reached; all others behind it weigh 1."""

CAP = 10.0
"""What an answer that differs from the teacher's costs at most, about, in training."""

STEP, ARRIVED = -0.3, 3.0
"""What biases and `top` are at first: a step costs something, and having arrived is worth some."""

SPARSITY, SMALL = 3e-3, 0.1
"""Weight of the penalty, and how large a weight is on which it begins to weigh less."""


class RecurrentPlanner(Student):
    """Value iteration in a maze of any size, with 28 parameters for each of its maps and one more.

    As in a value iteration network (Tamar et al. 2016), maps of rows and columns are iterated:

        r   = convolution of walls and goals, + bias          rewards
        q_m = r_m + sum over a cell's 3x3 of P_m v            one backup
        v   = min(max over actions of q, top)                 the best action

    Beyond the edge all is wall, and as valuable as the cell beside it: only differences between
    values count, however far they have fallen.

    P_m is a softmax of nine numbers: where a step leads, by chance. So its rows sum to one, values
    neither explode nor fade with the iterations, and `top`, the value of having arrived, is all
    that holds them. The iterations grow with the maze; the parameters do not.

    An exact setting exists: each map moves to one side, walls cost much, each step a little, goals
    give `top`. Six things in training find it (each is a constant of this module):

    1. every iteration answers, and is judged on the cells that the goal's wave has reached, most on
       those that it has just reached; before, nothing could have been known;
    2. the number of iterations is drawn at random, and grows;
    3. the softmax hardens from 1 to 5, as in an annealed maximum;
    4. the answers sharpen from 1 to 1000 times q, so that a step may cost little against a wall:
       how long a detour the student prefers to a wall is the ratio of the two;
    5. a penalty that does not hold large weights back, sum of log(1 + |w| / 0.1), takes away what
       is not needed. In mazes larger than those trained on, what remains would add up;
    6. no answer costs more than about 10, however sharp: a teacher that is itself a network is
       wrong now and then, and would otherwise be followed into its errors.

    Args:
        maps: how many maps; with 4 each is an action's, otherwise each action has a weighted mean
            of the maps, again by a softmax, and a bias.
        iterations: how many; None for as many as the maze needs: the cells of the longest way that
            any maze of its size could have, half of all.
        scale: how hard the softmax is; a buffer, training sets it.
        sharpness: of the answers; a buffer, training sets it.
        seed: settles the first weights.

    Raises:
        ValueError: for a number outside its range.
    """

    scale: Tensor
    sharpness: Tensor

    def __init__(
        self,
        maps: int = ACTIONS,
        *,
        iterations: int | None = None,
        scale: float = SCALES[1],
        sharpness: float = SHARPNESSES[1],
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.maps = int(checked_number("maps", maps, 1, whole=True))
        if iterations is not None:
            iterations = int(checked_number("iterations", iterations, 1, whole=True))
        self.iterations = iterations
        self.config = {"kind": "recurrent_planner", "maps": maps, "iterations": iterations}
        self.register_buffer("scale", torch.tensor(checked_number("scale", scale, 0, above=True)))
        self.register_buffer(
            "sharpness", torch.tensor(checked_number("sharpness", sharpness, 0, above=True))
        )
        draw = torch.Generator().manual_seed(seed)
        self.move = nn.Parameter(0.05 * torch.randn(maps, KERNEL, generator=draw))
        self.reward = nn.Parameter(0.1 * torch.randn(maps, 2, 3, 3, generator=draw))
        self.bias = nn.Parameter(torch.full((maps,), STEP))
        self.top = nn.Parameter(torch.full((1,), ARRIVED))
        if maps != ACTIONS:
            self.readout = nn.Parameter(0.5 * torch.randn(ACTIONS, maps, generator=draw))
            self.readout_bias = nn.Parameter(torch.zeros(ACTIONS))

    def iterations_for(self, rows: int, cols: int) -> int:
        """How many iterations a maze of this size gets.

        A way without needless turns takes no more than every other cell, and a row or column for
        its turns.
        """
        return self.iterations or (rows * cols) // 2 + max(rows, cols)

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, 4) logits for (batch, 3, rows, cols) planes."""
        maze, asked = split_planes(observations)
        count = self.iterations_for(*maze.shape[2:])
        ((_, q),) = self._iterate(maze, count, (count,))
        return self._answers(q, asked)

    def _iterate(
        self, maze: Tensor, count: int, wanted: tuple[int, ...]
    ) -> list[tuple[int, Tensor]]:
        """The actions' maps after the iterations that are wanted, counted from 1."""
        moves = torch.softmax(self.scale * self.move, dim=1).view(self.maps, 1, 3, 3)
        rewards = functional.conv2d(walled(maze), self.reward, self.bias)
        read = None
        if self.maps != ACTIONS:
            read = torch.softmax(self.scale * self.readout, dim=1)[:, :, None, None]
        value, top = torch.zeros_like(maze[:, :1]), self.top
        found = []
        for k in range(1, count + 1):
            q = rewards + functional.conv2d(
                functional.pad(value, (1, 1, 1, 1), mode="replicate"), moves
            )
            if read is not None:
                q = functional.conv2d(q, read, self.readout_bias)
            if k in wanted:
                found.append((k, q))
            value = torch.minimum(q.amax(dim=1, keepdim=True), top)
        return found

    def _answers(self, q: Tensor, asked: Tensor) -> Tensor:
        return self.sharpness * answers_at(q, asked)

    # -- training ------------------------------------------------------------------------------

    def training_answers(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[Answers]:
        """The answers after some of the iterations, on the cells that the wave has reached."""
        annealed = _annealed(progress)
        self.scale.fill_(SCALES[0] + (SCALES[1] - SCALES[0]) * annealed)
        self.sharpness.fill_(SHARPNESSES[0] * (SHARPNESSES[1] / SHARPNESSES[0]) ** annealed)
        maze, asked = split_planes(observations)
        steps = steps_to_goal(maze)
        furthest = int(steps[torch.isfinite(steps)].max())
        most = max(2, round(2 + (1.5 * furthest - 2) * min(1.0, progress / GROWN) ** 2))
        count = int(rng.integers(max(2, most // 2), most + 1))
        earlier = rng.permutation(np.arange(1, count))[: JUDGED - 1]
        wanted = (*sorted(earlier.tolist()), count)
        distance = steps[asked]
        answers = []
        for k, q in self._iterate(maze, count, wanted):
            weights = (distance <= k).float() + (FRONT - 1) * (distance == k).float()
            answers.append(Answers(squashed(self._answers(q, asked)), weights))
        return answers

    def penalty(self, progress: float) -> Tensor:
        """Sum of log(1 + |w| / 0.1) over rewards and biases, weighted."""
        penalised = [self.reward, self.bias]
        if self.maps != ACTIONS:
            penalised.append(self.readout_bias)
        size = torch.stack([torch.log1p(weight.abs() / SMALL).sum() for weight in penalised]).sum()
        return SPARSITY * _annealed(progress) * size

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of all iterations, for a maze of this size."""
        rows, cols = check_planes(observation_shape)
        once = self.maps * 2 * KERNEL
        read = 0 if self.maps == ACTIONS else ACTIONS * self.maps
        again = (self.maps * KERNEL + read) * self.iterations_for(rows, cols)
        return rows * cols * (once + again)


def squashed(logits: Tensor) -> Tensor:
    """Logits of which none is much more than `CAP` below the best of its row; their order stays."""
    below = logits.amax(dim=1, keepdim=True) - logits
    return -below / (1 + below / CAP)


def walled(maze: Tensor) -> Tensor:
    """(batch, 2, rows + 2, cols + 2) walls and goals with a wall all round."""
    return torch.cat(
        [
            functional.pad(maze[:, :1], (1, 1, 1, 1), value=1.0),
            functional.pad(maze[:, 1:], (1, 1, 1, 1)),
        ],
        1,
    )


def steps_to_goal(maze: Tensor) -> Tensor:
    """(batch, rows, cols) how many steps the nearest goal is away, inf where no way leads to it.

    A wave through the free cells, for all mazes at once.

    Args:
        maze: (batch, 2, rows, cols) walls and goals.
    """
    free, reached = maze[:, 0] < 0.5, maze[:, 1] > 0.5
    steps = torch.where(reached, 0.0, torch.inf)
    for step in range(1, int(free.sum(dim=(1, 2)).max()) + 1):
        beside = functional.pad(reached, (1, 1, 1, 1))
        wave = (
            beside[:, :-2, 1:-1] | beside[:, 2:, 1:-1] | beside[:, 1:-1, :-2] | beside[:, 1:-1, 2:]
        )
        wave &= free & ~reached
        if not wave.any():
            break
        steps[wave] = step
        reached = reached | wave
    return steps


def _annealed(progress: float) -> float:
    """How far annealing is, in [0, 1]."""
    return max(0.0, (progress - WARM) / (1 - WARM))
