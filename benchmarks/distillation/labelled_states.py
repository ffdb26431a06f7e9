"""All states of some mazes as a set of questions, and what a policy keeps there, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.distill.teachers import ActionValues, teacher_labels
from dynamaze.envs.generation import GeneratedMaze
from dynamaze.envs.mazes.dynamics import Dynamics
from dynamaze.envs.mazes.layout import Layout, Rewards
from dynamaze.envs.mazes.mdp import FiniteMDP
from dynamaze.envs.mazes.optimal_values import optimal_action_values
from dynamaze.envs.observations import ObservationLike, make_encoder

from .judging import GAMMA


class Ground:
    """All states of some mazes: what is seen in them, and what is best.

    Args:
        mazes: the mazes.
        observation: what is seen, as in `DynaMazeGenerated-v0`.
        slip_probability: how often a step slips.

    Attributes:
        observations: (states, ...) of every free cell but the goal, maze by maze.
        values: (states, 4) what each action is worth, discounted by `GAMMA`.
    """

    def __init__(
        self,
        mazes: Iterable[GeneratedMaze],
        observation: ObservationLike,
        slip_probability: float,
    ) -> None:
        seen, values = [], []
        self._mazes: list[tuple[FiniteMDP, npt.NDArray[np.int64]]] = []
        for maze in mazes:
            layout = Layout(
                maze.walls, (maze.start,), (maze.goal,), Rewards.of(1, 0, None), slip_probability
            )
            states = np.flatnonzero(layout.distances.ravel() > 0)
            form = make_encoder(observation, layout)
            form.load(0, layout)
            seen.append(form.encode_batch(states, np.zeros_like(states)))
            values.append(optimal_action_values(layout, GAMMA)[states])
            self._mazes.append((Dynamics(layout).mdp, states))
        self.observations = np.concatenate(seen)
        self.values = np.concatenate(values)

    def labelled_by(self, temperature: float) -> Any:
        """(states, 4) logits of the teacher, which is asked about every state."""
        teacher = ActionValues(lambda _: self.values, temperature)
        return teacher_labels(teacher, self.observations, 4)

    def kept(self, logits: Any) -> float:
        """The share of the best return that the best actions keep from all states.

        Args:
            logits: (states, 4); of equal ones the first counts.

        Returns:
            The mean over mazes of the return summed over its states, against the best.
        """
        actions, shares, at = np.asarray(logits).argmax(axis=1), [], 0
        for mdp, states in self._mazes:
            here = slice(at, at + len(states))
            policy = np.zeros(mdp.next_state.shape[:2])
            policy[:, 0] = 1.0  # in walls and at the goal nothing is decided
            policy[states] = np.eye(4)[actions[here]]
            returns = mdp.policy_values(policy, GAMMA)[states]
            shares.append(returns.sum() / self.values[here].max(axis=1).sum())
            at = here.stop
        return float(np.mean(shares))


def crossings(side: int) -> list[GeneratedMaze]:
    """Every square maze with one wall across and one gap in it, from corner to corner.

    The walls are on odd rows or columns. With a side of 7 these are the 42 mazes of MiniGrid's
    SimpleCrossingS9N1 (Chevalier-Boisvert et al. 2023), whose side counts its border.
    """
    mazes = []
    for at in range(1, side - 1, 2):
        for gap in range(side):
            walls = np.zeros((side, side), dtype=np.bool_)
            walls[at] = True
            walls[at, gap] = False
            ends = ((0, 0), (side - 1, side - 1))
            mazes += [GeneratedMaze(walls, *ends), GeneratedMaze(walls.T, *ends)]
    return mazes
