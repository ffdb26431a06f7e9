"""Rollouts with continuous actions: the acting policy, sampling, and all autoreset modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from dynamaze.distill.core.distributions import Bounds
from dynamaze.distill.data.playing import EnvStepper
from dynamaze.distill.data.rollouts import PerEpisode, Rollouts, collect
from dynamaze.distill.evaluation import evaluate, normalised_return
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP

from ..small_envs import MODES, BoxClock, Fixed, Gaussian, clocks

SAME = AutoresetMode.SAME_STEP
LOW, HIGH = np.array([-1.0, -2.0]), np.array([1.0, 4.0])


def box_clocks(mode: AutoresetMode = SAME, num_envs: int = 3) -> SyncVectorEnv:
    return clocks(mode, num_envs, BoxClock)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def record_actions(env: Any) -> list[np.ndarray]:
    """Record the actions of each following step."""
    taken: list[np.ndarray] = []
    step = env.step
    env.step = lambda actions: (taken.append(np.array(actions)), step(actions))[1]
    return taken


class EncodingTeacher:
    """Teacher whose means encode its observations."""

    def action_gaussian(self, observations: Any) -> Any:
        seen = np.asarray(observations, dtype=np.float64)
        return np.stack([seen[:, 0] / 10, seen[:, 1] / 2], 1), np.full((len(seen), 2), -20.0)


@pytest.mark.parametrize("mode", MODES)
def test_collect_labels_and_takes_each_action(mode: AutoresetMode) -> None:
    data = collect(EncodingTeacher(), box_clocks(mode), 90, rng())
    seen = data.rows.observations
    assert len(data) == 90
    assert data.distribution == "gaussian"
    assert (seen[:, 0] < seen[:, 1]).all()
    expected = np.hstack(EncodingTeacher().action_gaussian(seen)).astype(np.float32)
    np.testing.assert_array_equal(data.rows.logits, expected)


@pytest.mark.parametrize("mode", MODES)
def test_evaluate_takes_means(mode: AutoresetMode) -> None:
    found = evaluate(EncodingTeacher(), box_clocks(mode), 12, gamma=1, seed=4)
    n = found.lengths
    np.testing.assert_allclose(found.undiscounted, (n - 1) * n / 20 + n * n / 2, rtol=1e-6)
    assert normalised_return(
        EncodingTeacher(), EncodingTeacher(), box_clocks(mode), 6, gamma=0.9, seed=0
    ) == (1, 1, 1)


@pytest.mark.parametrize(("beta", "mean"), [(1.0, (0.5, -1.0)), (0.0, (-0.25, 3.0))])
def test_rollouts_beta_selects_acting_policy(beta: float, mean: Any) -> None:
    env = box_clocks()
    taken = record_actions(env)
    student: Any = Gaussian((-0.25, 3.0))
    collect(Gaussian((0.5, -1.0)), env, 60, rng(), student=student, beta=beta, deterministic=True)
    np.testing.assert_array_equal(np.unique(np.concatenate(taken), axis=0), np.float32([mean]))


@pytest.mark.parametrize("beta", [0.3, PerEpisode(0.3)])
def test_rollouts_mix_whole_actions(beta: Any) -> None:
    env = box_clocks()
    taken = record_actions(env)
    student: Any = Gaussian((-0.25, 3.0))
    collect(Gaussian((0.5, -1.0)), env, 3000, rng(), student=student, beta=beta)
    first, second = np.concatenate(taken).T
    of_teacher = first > 0
    np.testing.assert_array_equal(of_teacher, second < 0)
    # Six standard errors, for episodes of three steps on average.
    assert of_teacher.mean() == pytest.approx(0.3, abs=6 * 0.46 * np.sqrt(3 / 3000))


def test_select_actions_samples_mean_and_deviation() -> None:
    env = box_clocks(num_envs=20)
    taken = record_actions(env)
    collect(Gaussian((0.1, 1.0), np.log([0.1, 0.4])), env, 20_000, rng())
    actions = np.concatenate(taken)
    spread = np.array([0.1, 0.4])
    np.testing.assert_allclose(actions.mean(0), [0.1, 1.0], atol=6 * 0.4 / np.sqrt(20_000))
    np.testing.assert_allclose(actions.std(0), spread, rtol=6 / np.sqrt(2 * 20_000))
    found = [
        evaluate(Gaussian((0, 0), (0, 0)), box_clocks(), 4, gamma=1, seed=s, deterministic=False)
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(found[0].undiscounted, found[1].undiscounted)
    assert not np.array_equal(found[0].undiscounted, found[2].undiscounted)


def test_select_actions_squashes_with_policy_bounds() -> None:
    env = box_clocks()
    taken = record_actions(env)
    teacher: Any = Gaussian((0.5, -9.0), bounds=Bounds(LOW, HIGH, squashed=True))
    student = GaussianStudent(MLP((2,), 4), LOW, HIGH, squashed=True)
    source = Rollouts(teacher, env, student=student, beta=1.0)
    batch = source.batch(rng(), 0.0)
    assert source.distribution == "squashed_gaussian"
    np.testing.assert_array_equal(batch.logits[0], [0.5, -9, -20, -20])
    np.testing.assert_allclose(np.concatenate(taken)[:, 0], np.tanh(0.5), rtol=1e-5)
    np.testing.assert_allclose(np.concatenate(taken)[:, 1], -2, rtol=1e-5)


@pytest.mark.parametrize("length", [None, 3])
def test_rollouts_resume_bit_identical(length: int | None) -> None:
    inner = MLP((2,), 4, 3) if length is None else GRU((2,), 4, 3)
    student = GaussianStudent(inner, LOW, HIGH)

    def make() -> Rollouts:
        return Rollouts(
            EncodingTeacher(),
            box_clocks(AutoresetMode.NEXT_STEP),
            student=student,
            beta=0.5,
            batch_size=8,
            sequence_length=length,
        )

    first, generator = make(), rng()
    for _ in range(4):
        first.batch(generator, 0.0)
    state, bits = first.get_state(), generator.bit_generator.state
    expected = [first.batch(generator, 0.0) for _ in range(4)]
    second, generator = make(), rng(9)
    second.set_state(state)
    generator.bit_generator.state = bits
    for one in expected:
        for column, resumed in zip(one[:3], second.batch(generator, 0.0)[:3], strict=True):
            np.testing.assert_array_equal(column, resumed)


def test_stepper_default_actions_within_bounds() -> None:
    class High(BoxClock):
        def __init__(self, first_action: int = 0) -> None:
            super().__init__()
            self.action_space = type(self.action_space)(np.float32([2, 3]), np.float32([4, 5]))  # type: ignore[call-arg,arg-type]

    stepper = EnvStepper(clocks(AutoresetMode.NEXT_STEP, 3, High), 0)
    np.testing.assert_array_equal(stepper.default_actions(), np.float32([[2, 3]] * 3))
    assert stepper.columns == 4
    assert evaluate(Gaussian((3, 4)), stepper.env, 5, gamma=1, seed=0).undiscounted.min() >= 7


def test_rollouts_refuse_mismatched_actions() -> None:
    env, teacher = box_clocks(), Gaussian((0, 0))
    with pytest.raises(TypeError, match=r"Fixed of categorical actions where they are Box.*gauss"):
        evaluate(Fixed(0.5, 0.5), env, 2, gamma=1, seed=0)
    with pytest.raises(TypeError, match=r"Gaussian of gaussian actions where they are Discrete"):
        evaluate(teacher, clocks(SAME), 2, gamma=1, seed=0)
    with pytest.raises(TypeError, match="Fixed of categorical actions where they are Box"):
        collect(teacher, env, 5, rng(), student=Fixed(0.5, 0.5), beta=0.5)
    with pytest.raises(TypeError, match="categorical actions where they are Box"):
        collect(lambda seen: seen, env, 5, rng())
    wrong = GaussianStudent(MLP((2,), 4), LOW, HIGH + 1)
    with pytest.raises(ValueError, match=r"actions from \[-1.0, -2.0\] to \[2.0, 5.0\]; expected"):
        collect(teacher, env, 5, rng(), student=wrong, beta=0.5)
    squashed = GaussianStudent(MLP((2,), 4), LOW, HIGH, squashed=True)
    with pytest.raises(TypeError, match="a student of squashed_gaussian actions and a teacher of"):
        collect(teacher, env, 5, rng(), student=squashed, beta=0.5)
    with pytest.raises(ValueError, match=r"shape \(3, 6\); expected \(queries, 4\)"):
        collect(Gaussian((0, 0, 0), (0, 0, 0)), env, 5, rng())
    with pytest.raises(ValueError, match=r"of Gaussian have shape \(3, 6\); expected \(3, 4\)"):
        collect(teacher, env, 5, rng(), student=Gaussian((0,) * 3, (0,) * 3), beta=0.5)  # type: ignore[arg-type]
