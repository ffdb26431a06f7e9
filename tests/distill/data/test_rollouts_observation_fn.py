"""Teachers that observe more than their students."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401
from dynamaze.distill.data.rollouts import Rollouts, collect
from dynamaze.distill.evaluation import evaluate, normalised_return
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation.planes import ShortestPathPolicy

SIDE, SEEN = 7, 3


def window(planes: Any) -> np.ndarray:
    """Return (n, 2, 3, 3) walls and goals around the agent; beyond the edge all is wall."""
    n, (agent, row, col) = len(planes), np.nonzero(planes[:, 1])
    assert (agent == np.arange(n)).all()
    maze = np.pad(planes[:, [0, 2]], ((0, 0), (0, 0), (1, 1), (1, 1)))
    maze[:, 0, [0, -1]] = maze[:, 0, :, [0, -1]] = 1.0
    sides = np.arange(SEEN)
    rows, cols = (row[:, None] + sides)[:, :, None], (col[:, None] + sides)[:, None, :]
    return np.moveaxis(maze[np.arange(n)[:, None, None], :, rows, cols], -1, 1)


def mazes(mode: AutoresetMode = AutoresetMode.NEXT_STEP, **maze: Any) -> Any:
    settings = {"size": SIDE, "levels": 30, "max_episode_steps": 40, **maze}
    return gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=6,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        observation="planes",
        **settings,
    )


class ShapeRecorder:
    """Wrapper that records the shapes of a policy's observations."""

    def __init__(self, policy: Any) -> None:
        self.policy, self.shapes = policy, set[tuple[int, ...]]()

    def action_probabilities(self, observations: Any) -> Any:
        self.shapes.add(np.shape(observations)[1:])
        return self.policy.action_probabilities(observations)

    def state_values(self, observations: Any) -> Any:
        self.shapes.add(np.shape(observations)[1:])
        return np.asarray(observations).sum(axis=(1, 2, 3))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_window_equals_manual_crop() -> None:
    planes, _ = mazes().reset(seed=0)
    for maze, seen in zip(planes, window(planes), strict=True):
        ((row, col),) = np.argwhere(maze[1])
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, col + dc
                inside = 0 <= r < SIDE and 0 <= c < SIDE
                expected = (maze[0, r, c], maze[2, r, c]) if inside else (1, 0)
                assert tuple(seen[:, dr + 1, dc + 1]) == expected


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_teacher_sees_full_observations(mode: AutoresetMode) -> None:
    class Both(ShapeRecorder):
        def __init__(self) -> None:
            super().__init__(ShortestPathPolicy())
            self.whole: list[np.ndarray] = []

        def action_probabilities(self, observations: Any) -> Any:
            self.whole.append(np.array(observations))
            return super().action_probabilities(observations)

    teacher, student = Both(), ShapeRecorder(MLP((2, SEEN, SEEN), 4))
    data = collect(
        teacher, mazes(mode), 100, rng(), student=student, beta=0.5, observation_fn=window
    )
    assert teacher.shapes == {(3, SIDE, SIDE)}
    assert student.shapes == {(2, SEEN, SEEN)}
    whole = np.concatenate(teacher.whole)[:100]
    np.testing.assert_array_equal(data.rows.observations, window(whole))
    np.testing.assert_array_equal(data.rows.values, whole.sum(axis=(1, 2, 3)))
    best = ShortestPathPolicy().action_probabilities(whole)
    np.testing.assert_array_equal(data.rows.logits.argmax(axis=1), best.argmax(axis=1))


def test_identity_observation_fn_changes_nothing() -> None:
    def play(observation_fn: Any) -> Any:
        student = MLP((3, SIDE, SIDE), 4)
        return collect(
            ShortestPathPolicy(),
            mazes(),
            60,
            rng(),
            student=student,
            beta=0.5,
            observation_fn=observation_fn,
        )

    for found, expected in zip(play(None).rows[:3], play(lambda seen: seen).rows[:3], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_recurrent_student_learns_from_window() -> None:
    """The window does not show where the agent came from, so a recurrent state helps."""
    student = GRU((2, SEEN, SEEN), 4, 24)
    source = Rollouts(
        ShortestPathPolicy(),
        mazes(),
        student=student,
        beta=0.5,
        batch_size=32,
        sequence_length=8,
        observation_fn=window,
    )
    batch = source.batch(rng(), 0.0)
    assert batch.observations.shape == (32, 8, 2, SEEN, SEEN)
    losses_seen: list[float] = []
    Distiller(student, source, total_steps=150, learning_rate=0.01).distil(
        callback=lambda step: losses_seen.append(step.losses["student"])
    )
    assert np.mean(losses_seen[-10:]) < 0.7 * losses_seen[0]
    env = mazes(levels=30)
    trained = normalised_return(
        student, ShortestPathPolicy(), env, 60, gamma=0.95, seed=0, observation_fn=window
    )
    untrained = normalised_return(
        GRU((2, SEEN, SEEN), 4, 24),
        ShortestPathPolicy(),
        env,
        60,
        gamma=0.95,
        seed=0,
        observation_fn=window,
    )
    assert trained.low > untrained.high


def test_evaluate_observation_fn_equals_wrapped_policy() -> None:
    student = MLP((2, SEEN, SEEN), 4, seed=3)

    class Wrapped:
        def action_probabilities(self, observations: Any) -> Any:
            return student.action_probabilities(window(observations))

    def play(policy: Any, **more: Any) -> Any:
        return evaluate(policy, mazes(), 12, gamma=0.95, seed=1, deterministic=False, **more)

    np.testing.assert_array_equal(
        play(student, observation_fn=window).lengths, play(Wrapped()).lengths
    )


def test_observation_fn_refuses_wrong_length() -> None:
    for wrong in (lambda seen: seen[:1], lambda seen: 3.0):
        with pytest.raises(ValueError, match=r"observation_fn gave shape .* for 6 obs.*; expected"):
            collect(ShortestPathPolicy(), mazes(), 10, rng(), observation_fn=wrong)
    student = MLP((3, SIDE, SIDE), 4)
    with pytest.raises(ValueError, match=r"observation_fn gave shape \(1, 3, 7, 7\)"):
        evaluate(student, mazes(), 6, gamma=1, seed=0, observation_fn=lambda seen: seen[:1])
