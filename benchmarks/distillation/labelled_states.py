"""All states of some mazes with exact action values, and exact normalised returns there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.distill.core.distances import DistanceRange, success_by_distance
from dynamaze.distill.teachers import ActionValues, teacher_labels
from dynamaze.envs.generation import GeneratedMaze
from dynamaze.envs.generation.planes import steps_to_goal
from dynamaze.envs.mazes.dynamics import Dynamics
from dynamaze.envs.mazes.layout import Layout, Rewards
from dynamaze.envs.mazes.mdp import FiniteMDP
from dynamaze.envs.mazes.optimal_values import optimal_action_values
from dynamaze.envs.observations import ObservationLike, make_encoder


class Success(NamedTuple):
    """Success rate of a policy from every state, as means over mazes."""

    rate: float
    by_distance: tuple[DistanceRange, ...]


class LabelledStates:
    """All states of some mazes, with observations and optimal action values.

    Args:
        mazes: the mazes.
        observation: the observation, as in `DynaMazeGenerated-v0`.
        slip_probability: of a step.

    Attributes:
        observations: (states, ...) of every free cell but the goal, maze by maze.
        values: (states, 4) optimal action values with the discount `GAMMA`.
    """

    def __init__(
        self,
        mazes: Iterable[GeneratedMaze],
        observation: ObservationLike,
        slip_probability: float,
    ) -> None:
        seen, values, planes, distances = [], [], [], []
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
            planes.append([layout.walls, layout.distances > 0, layout.distances == 0])
            distances.append(layout.distances.ravel()[states])
            self._mazes.append((Dynamics(layout).mdp, states))
        self.observations = np.concatenate(seen)
        self.values = np.concatenate(values)
        self._planes = np.array(planes, dtype=np.float32)
        self._distances = np.concatenate(distances)

    def teacher_logits(self, temperature: float) -> Any:
        """Return the teacher's logits in all states, (states, 4): values over the temperature."""
        teacher = ActionValues(lambda _: self.values, temperature)
        return teacher_labels(teacher, self.observations, 4)

    def normalised_return(self, logits: Any) -> float:
        """Return the greedy policy's return as a fraction of the optimal return.

        Args:
            logits: (states, 4); of equal ones the first counts.

        Returns:
            The mean over mazes of the return summed over a maze's states, relative to the optimum.
        """
        actions, fractions, at = np.asarray(logits).argmax(axis=1), [], 0
        for mdp, states in self._mazes:
            here = slice(at, at + len(states))
            policy = np.zeros(mdp.next_state.shape[:2])
            policy[:, 0] = 1.0  # in walls and at the goal the action has no effect
            policy[states] = np.eye(4)[actions[here]]
            returns = mdp.policy_values(policy, GAMMA)[states]  # the exact Bellman solution
            fractions.append(returns.sum() / self.values[here].max(axis=1).sum())
            at = here.stop
        return float(np.mean(fractions))

    def success(self, logits: Any) -> Success:
        """Return the greedy policy's success rates, by distance to the goal.

        A state is a success if the greedy actions lead from it to the goal where no step slips: on
        a slippery floor chance leads any policy there in the end.

        Args:
            logits: as above.
        """
        reached = steps_to_goal(self._planes, np.asarray(logits).argmax(axis=1)) >= 0
        maze = np.nonzero(self._planes[:, 1] > 0.5)[0]
        rate = np.bincount(maze, reached) / np.bincount(maze)
        ranges = success_by_distance(self._distances, reached, maze, gamma=GAMMA)
        return Success(float(rate.mean()), ranges)


def crossings(side: int) -> list[GeneratedMaze]:
    """Return every square maze with one wall across and one gap in it, from corner to corner.

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
