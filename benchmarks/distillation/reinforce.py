"""Policy-gradient baseline: a network trained in mazes by the reward alone, without a teacher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dynamaze.benchmarks.distillation.mazes import GAMMA, MazeSampler
from dynamaze.common.arrays import IntArray
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.value_iteration import ValueIterationNetwork

MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])

SHARPNESS = 10.0
"""Inverse temperature of a value iteration network, so that its softmax stays soft."""


@dataclass
class PolicyGradientBaseline:
    """REINFORCE with a baseline (Sutton & Barto 2018, section 13.4) in whole mazes at once.

    An agent begins in every cell and follows the network's policy; the baseline is the mean return
    of its maze. Unlike the book's box, updates are not multiplied by gamma^t.

    Attributes:
        student: the network; it is changed.
        mazes: sampler of the mazes.
        steps: training steps, each with a batch of mazes.
        learning_rate: Adam's.
        horizon_factor: steps of an agent, in sides of the maze.
        seed: of all random numbers.
    """

    student: Student
    mazes: MazeSampler
    steps: int
    learning_rate: float = 0.01
    horizon_factor: int = 3
    seed: int = 0

    def learn(self) -> Student:
        """Train the network and return it."""
        if isinstance(self.student, ValueIterationNetwork):
            self.student.scale.fill_(1.0)
            self.student.sharpness.fill_(SHARPNESS)
        rng = np.random.default_rng(self.seed)
        optimizer = torch.optim.Adam(self.student.parameters(), self.learning_rate)
        for step in range(self.steps):
            planes = self.mazes(rng, step / self.steps)
            log_policy = torch.log_softmax(self.student(torch.from_numpy(planes)), dim=1)
            horizon = self.horizon_factor * max(planes.shape[2:])
            rows, actions, gains = sample_returns(
                planes, log_policy.detach().exp().numpy(), horizon, rng
            )
            taken = log_policy[torch.from_numpy(rows), torch.from_numpy(actions)]
            # Equation 13.11: (G - b) grad ln pi(A | S), averaged over the starts.
            loss = -(torch.from_numpy(gains) * taken).sum() / len(log_policy)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            optimizer.step()
        return self.student


def sample_returns(
    planes: npt.NDArray[np.float32],
    policy: npt.NDArray[np.float32],
    horizon: int,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, npt.NDArray[np.float32]]:
    """Follow a policy with an agent from every queried cell.

    Args:
        planes: (mazes, 3, rows, cols).
        policy: (queries, 4) probabilities.
        horizon: time limit.
        rng: draws the actions.

    Returns:
        For each step of each agent the row of the policy, the action, and the discounted return
        from there on minus the mean return of the maze's agents from their starts.
    """
    number = np.full(planes[:, 1].shape, -1)
    queried = planes[:, 1] > 0.5
    number[queried] = np.arange(len(policy))
    maze, row, col = np.nonzero(queried)
    size = np.array(planes.shape[2:])
    where = np.stack([row, col], axis=1)
    arrived = np.full(len(policy), np.inf)
    states, actions = [], []
    for step in range(horizon):
        state = number[maze, where[:, 0], where[:, 1]]
        running = np.isinf(arrived)
        draws = rng.random(len(policy))
        cumulative = policy[np.maximum(state, 0)].cumsum(axis=1)
        action = np.minimum((draws[:, None] > cumulative).sum(axis=1), 3)
        states.append(np.where(running, state, -1))
        actions.append(action)
        ahead = where + MOVES[action]
        inside = ((ahead >= 0) & (ahead < size)).all(axis=1)
        ahead = np.where(inside[:, None], ahead, where)
        free = planes[maze, 0, ahead[:, 0], ahead[:, 1]] < 0.5
        where = np.where((free & running)[:, None], ahead, where)
        there = planes[maze, 2, where[:, 0], where[:, 1]] > 0.5
        arrived[there & running] = step
    steps = np.arange(horizon)[:, None]
    # The reward is 1 at the goal: a return is gamma to the power of the steps before it.
    earned = np.where(arrived >= steps, GAMMA ** (arrived - steps), 0.0)
    mean = np.bincount(maze, earned[0]) / np.bincount(maze)
    taken = np.stack(states) >= 0
    gains = (earned - mean[maze])[taken]
    return np.stack(states)[taken], np.stack(actions)[taken], gains.astype(np.float32)
