"""A network that learns mazes by the reward alone, without a teacher: what distillation is beside.

Policy gradients (REINFORCE; Sutton & Barto 2018, section 13.4) from whole mazes at once: an agent
begins in every cell and follows the network's probabilities for a while; what each has earned,
discounted, less the mean of its maze, weighs the logarithms of the probabilities of its actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dynamaze.common.arrays import IntArray
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.value_iteration import ValueIterationNetwork

from .judging import GAMMA
from .mazes import Mazes

MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])

SHARPNESS = 10.0
"""Of a planner's answers; its softmax stays soft."""


@dataclass
class Directly:
    """Trains a network on planes by the reward alone.

    Attributes:
        student: the network; it is changed.
        mazes: where it learns.
        steps: training steps, each of a batch of mazes.
        learning_rate: Adam's.
        lengths: how many steps agents take, in sides of the maze.
        seed: settles every random number.
    """

    student: Student
    mazes: Mazes
    steps: int
    learning_rate: float = 0.01
    lengths: int = 3
    seed: int = 0

    def learn(self) -> Student:
        """Train to the end."""
        if isinstance(self.student, ValueIterationNetwork):
            self.student.scale.fill_(1.0)
            self.student.sharpness.fill_(SHARPNESS)
        rng = np.random.default_rng(self.seed)
        optimizer = torch.optim.Adam(self.student.parameters(), self.learning_rate)
        for step in range(self.steps):
            planes = self.mazes(rng, step / self.steps)
            likely = torch.log_softmax(self.student(torch.from_numpy(planes)), dim=1)
            horizon = self.lengths * max(planes.shape[2:])
            rows, actions, gains = play(planes, likely.detach().exp().numpy(), horizon, rng)
            taken = likely[torch.from_numpy(rows), torch.from_numpy(actions)]
            loss = -(torch.from_numpy(gains) * taken).sum() / len(likely)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            optimizer.step()
        return self.student


def play(
    planes: npt.NDArray[np.float32],
    policy: npt.NDArray[np.float32],
    horizon: int,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, npt.NDArray[np.float32]]:
    """Let an agent begin in every cell asked, and follow a policy.

    Args:
        planes: (mazes, 3, rows, cols).
        policy: (answers, 4) probabilities.
        horizon: the most steps an agent takes.
        rng: draws the actions.

    Returns:
        For each step of each agent the row of the policy, the action, and what the agent earned
        from there on, discounted, less the mean return of the maze's agents from their starts.
    """
    number = np.full(planes[:, 1].shape, -1)
    asked = planes[:, 1] > 0.5
    number[asked] = np.arange(len(policy))
    maze, row, col = np.nonzero(asked)
    size = np.array(planes.shape[2:])
    where = np.stack([row, col], axis=1)
    arrived = np.full(len(policy), np.inf)
    states, actions = [], []
    for step in range(horizon):
        state = number[maze, where[:, 0], where[:, 1]]
        alive = np.isinf(arrived)
        draws = rng.random(len(policy))
        cumulative = policy[np.maximum(state, 0)].cumsum(axis=1)
        action = np.minimum((draws[:, None] > cumulative).sum(axis=1), 3)
        states.append(np.where(alive, state, -1))
        actions.append(action)
        ahead = where + MOVES[action]
        inside = ((ahead >= 0) & (ahead < size)).all(axis=1)
        ahead = np.where(inside[:, None], ahead, where)
        free = planes[maze, 0, ahead[:, 0], ahead[:, 1]] < 0.5
        where = np.where((free & alive)[:, None], ahead, where)
        there = planes[maze, 2, where[:, 0], where[:, 1]] > 0.5
        arrived[there & alive] = step
    steps = np.arange(horizon)[:, None]
    earned = np.where(arrived >= steps, GAMMA ** (arrived - steps), 0.0)
    mean = np.bincount(maze, earned[0]) / np.bincount(maze)
    taken = np.stack(states) >= 0
    gains = (earned - mean[maze])[taken]
    return np.stack(states)[taken], np.stack(actions)[taken], gains.astype(np.float32)
