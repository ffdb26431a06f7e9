"""Runs in unseen mazes that change: policies that keep a map, and the expert that teaches them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.mapping.paths import (
    PathPlanner,
    best_actions_at,
    best_actions_everywhere,
    path_lengths,
)
from dynamaze.common.arrays import BoolArray, Float32Array, FloatArray, IntArray
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.core.map_state import MapKeeper, grid_targets, known_grid, map_of
from dynamaze.distill.data.playing import sample_actions, select_actions
from dynamaze.distill.data.rollouts import linear_schedule
from dynamaze.envs.generation import MazeGenerator

ENVIRONMENT = "DynaMazeAdaptation-v0"
TRAINING, HELD_OUT = LevelRange(0, 10**6), LevelRange(10**6, 10**6)
"""Levels for training, and held out."""

RUN_STEPS = 400
"""World steps of a run."""

TRAINING_SIZES = (5, 7, 9)
"""Sides of the mazes for training."""

ROUNDS, RUNS = 25, 32
"""Rounds of DAgger, spread over the training, and runs of each in mazes of one size."""

EXPERT_SHARE = linear_schedule(1.0, 0.1, until=1.0)
"""Probability that the expert acts at a step, by the progress."""

RANDOM_SHARE = 0.02
"""Probability of a random action."""


def run_generator(size: int) -> MazeGenerator:
    """Return the generator of the mazes of the benchmark."""
    return MazeGenerator(size, "wilson", loops=0.15)


class Runs(NamedTuple):
    """Rewards of some runs."""

    reward: FloatArray  # (runs,)
    after: FloatArray  # (runs,) of these, after the change


def adaptation_envs(
    generator: MazeGenerator, runs: int, levels: LevelRange = HELD_OUT
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make the environments of runs in mazes of a generator."""
    options = {name: value for name, value in asdict(generator).items() if value is not None}
    return gym.make_vec(
        ENVIRONMENT,
        num_envs=runs,
        vectorization_mode="vector_entry_point",
        **options,
        first_level=levels.first,
        levels=levels.levels,
        run_steps=RUN_STEPS,
        max_episode_steps=-1,
        observation="index",
    )


class RunStepper:
    """Runs in a vector environment.

    An observation is that of `map_state`: cell, last action, last reward. The last observation of
    an episode is among them; the action that follows it only resets. Runs that are over go on, and
    do not count.

    Args:
        envs: a vector environment of mazes whose observation is the number of the cell.
        steps: world steps of a run.
        seed: of the environment.

    Attributes:
        observations: (runs, 3) float32.
        episode_start: (runs,) True where the observation is the first of an episode.
        acts: (runs,) True where an action is needed, in a run that is not over.
        rewards: rewards of the runs so far.
    """

    def __init__(
        self, envs: gym.vector.VectorEnv[Any, Any, Any], steps: int = RUN_STEPS, *, seed: int
    ) -> None:
        self._envs, runs = envs, envs.num_envs
        self.rewards = Runs(np.zeros(runs), np.zeros(runs))
        self._left = np.full(runs, steps)
        self.acts = self._decides = np.ones(runs, dtype=np.bool_)
        self.episode_start = np.ones(runs, dtype=np.bool_)
        cells, _ = envs.reset(seed=seed)
        self.observations = _experience(cells, np.zeros(runs), np.zeros(runs))

    @property
    def is_over(self) -> bool:
        """True when all runs are over."""
        return not (self._left > 0).any()

    def step(self, actions: IntArray) -> None:
        """Take a step in all runs."""
        cells, reward, terminated, truncated, infos = self._envs.step(actions)
        self.rewards.reward[self.acts] += reward[self.acts]
        late = self.acts & (infos["phase"] > 0)
        self.rewards.after[late] += reward[late]
        self._left[self.acts] -= 1
        self.observations = _experience(cells, actions, reward)
        self.episode_start = ~self._decides  # the step only reset
        self._decides = ~(self._decides & (terminated | truncated))
        self.acts = self._decides & (self._left > 0)


def _experience(cells: IntArray, actions: Any, rewards: Any) -> Float32Array:
    return np.stack([cells, actions, rewards], axis=1).astype(np.float32)


def play(policy: Any, stepper: RunStepper, rng: np.random.Generator | None = None) -> Runs:
    """Play runs to their end with a policy that keeps a map, and return their rewards.

    Args:
        policy: a recurrent policy whose `grid` is set.
        stepper: the runs, not begun.
        rng: samples the actions; None for the best ones, the first of equal ones.
    """
    policy.memory = None
    while not stepper.is_over:
        policy.reset(stepper.episode_start)
        probabilities = policy.action_probabilities(stepper.observations)
        stepper.step(select_actions(probabilities, None, rng))
    return stepper.rewards


class Labels(NamedTuple):
    """Labels of all cells of some maps."""

    best: BoolArray  # (maps, cells, actions) True for the best actions; none without a label
    length: IntArray  # (maps, cells) moves of the path that they begin; 0 without a label


class MapTeacher(MapKeeper):
    """Base class of teachers of a batch of runs, which keep the student's map beside."""

    @abstractmethod
    def best_actions(self, observations: Any) -> BoolArray:
        """Record the observations, and return (runs, actions) True for the best actions."""

    @abstractmethod
    def labels(self, states: Float32Array, chosen: BoolArray) -> Labels:
        """Return the labels of maps.

        Args:
            states: (maps, numbers), see `map_state`: those of some runs, or older ones.
            chosen: (runs,) True for these runs.
        """

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (runs, actions): the best actions, with equal probabilities."""
        return uniform(self.best_actions(observations))


class MapExpert(MapTeacher):
    """Expert that explores optimistically on its own map (`MapExplorer`), for a batch of runs."""

    def best_actions(self, observations: Any) -> BoolArray:
        """Record the observations, and return (runs, actions) True for the best actions."""
        states = self.record(observations)
        return best_actions_at(self._planner, map_of(states), states[:, -1].astype(np.int64) - 1)

    def labels(self, states: Float32Array, chosen: BoolArray) -> Labels:
        """Return the labels of maps, which have all that the expert knows."""
        memory = map_of(states)
        best = best_actions_everywhere(self._planner, memory)
        return Labels(best, path_lengths(self._planner, memory, best))

    @property
    def _planner(self) -> PathPlanner:
        return PathPlanner.of(grid_targets(known_grid(self.grid)))


def uniform(best: BoolArray) -> FloatArray:
    """Return equal probabilities of the actions in each row that are True."""
    return best / best.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def mixed_steps(
    policy: Any, teacher: MapTeacher, stepper: RunStepper, share: float, rng: np.random.Generator
) -> Iterator[BoolArray]:
    """Play runs to their end by a policy, a teacher and a few random actions (DAgger).

    Args:
        policy: a policy with a memory of the maze.
        teacher: the teacher, which observes the same.
        stepper: the runs, not begun.
        share: probability that the teacher acts at a step.
        rng: source of randomness.

    Yields:
        (runs, actions) True for the teacher's best actions, before each step. Its memory is that of
        the maps which have them.
    """
    runs = len(stepper.acts)
    while not stepper.is_over:
        for each in (policy, teacher):
            each.reset(stepper.episode_start)
        actions = policy.action_logits(stepper.observations).argmax(axis=1)
        best = teacher.best_actions(stepper.observations)
        by_teacher = rng.random(runs) < share
        actions[by_teacher] = sample_actions(uniform(best[by_teacher]), rng)
        at_random = rng.random(runs) < RANDOM_SHARE
        actions[at_random] = rng.integers(4, size=int(at_random.sum()))
        yield best
        stepper.step(actions)
