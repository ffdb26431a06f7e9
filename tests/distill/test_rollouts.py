"""Batches from play: who drives, what is labelled, and going on to the same bits."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401
from dynamaze.distill.core.dataset import join
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.data.rollouts import Rollouts, collect, decaying
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.table import Table
from dynamaze.distill.teachers import ActionValues, as_teacher
from dynamaze.distill.training.tensors import pack, unpack
from dynamaze.envs.generation.planes import ShortestPathPolicy

from .worlds import MODES, Counting, Fixed, clocks

SAME = AutoresetMode.SAME_STEP


def taught(observations: Any) -> np.ndarray:
    """A teacher whose answers tell what it saw."""
    return np.stack([np.zeros(len(observations)), observations @ np.array([1.0, 0.1])], axis=1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mazes(mode: AutoresetMode = SAME, num_envs: int = 8, **maze: Any) -> Any:
    settings = {"size": 7, "levels": 30, "max_episode_steps": 40, **maze}
    return gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        **settings,
    )


def watch_actions(env: Any) -> list[np.ndarray]:
    """The actions of each step that is taken from now on."""
    taken: list[np.ndarray] = []
    step = env.step

    def watched(actions: Any) -> Any:
        taken.append(np.array(actions))
        return step(actions)

    env.step = watched
    return taken


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_no_observation_of_a_finished_episode_is_labelled(
    mode: AutoresetMode, num_envs: int
) -> None:
    data = collect(taught, clocks(mode, num_envs), 200, rng())
    step, length = data.rows.observations.T
    assert len(data) == 200
    assert (step < length).all()
    np.testing.assert_allclose(data.rows.logits, taught(data.rows.observations), rtol=1e-6)
    # Of each length there are as many first steps as last ones, but for those cut at the end.
    for n in range(1, 6):
        counts = np.bincount(step[length == n].astype(int), minlength=n)
        assert np.ptp(counts) <= num_envs
        assert counts.min() > 0


def test_all_modes_give_the_same_decisions_in_each_world() -> None:
    found = [collect(taught, clocks(mode, 1), 100, rng()).rows.observations for mode in MODES]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_every_decision_is_labelled_once() -> None:
    asked: list[int] = []

    def teacher(observations: Any) -> np.ndarray:
        asked.append(len(observations))
        return taught(observations)

    source, chance = Rollouts(teacher, clocks(SAME), batch_size=8), rng()
    for _ in range(20):
        source.batch(chance, 0.5)
    assert sum(asked) == len(source) == 3 * 20 + 3 * 2  # three steps for the first batch


@pytest.mark.parametrize(("beta", "driver"), [(1.0, 0), (0.0, 1)])
def test_with_beta_1_only_the_teacher_drives_and_with_0_only_the_student(
    beta: float, driver: int
) -> None:
    teacher, student, env = (
        as_teacher(lambda seen: np.tile([99.0, 0], (len(seen), 1))),
        Fixed(0, 1),
        clocks(SAME),
    )
    actions = watch_actions(env)
    collect(teacher, env, 300, rng(), student=student, beta=beta)
    assert set(np.concatenate(actions)) == {driver}


def test_with_beta_1_the_states_are_those_of_the_teacher_alone() -> None:
    teacher = as_teacher(Fixed(0.5, 0.5))
    student = Fixed(0.0, 1.0)
    alone = collect(teacher, clocks(SAME), 100, rng())
    mixed = collect(teacher, clocks(SAME), 100, rng(), student=student, beta=1.0)
    np.testing.assert_array_equal(alone.rows.observations, mixed.rows.observations)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("by", ["step", "episode"])
def test_beta_is_the_share_of_the_teachers_actions(beta: float, by: str) -> None:
    env = clocks(SAME, 8)
    actions = watch_actions(env)
    collect(Fixed(1e-9, 1.0), env, 8000, rng(1), student=Fixed(1.0, 0.0), beta=beta, by=by)
    taken = np.array(actions)
    # 6 standard errors; episodes of 3 steps on average are that many times fewer, and uneven.
    assert taken.mean() == pytest.approx(
        beta, abs=6 * 0.5 / np.sqrt(8000 / (1 if by == "step" else 4))
    )


def test_by_episode_the_driver_stays_to_the_end() -> None:
    env, moments = clocks(AutoresetMode.NEXT_STEP, 8), []
    step = env.step

    def watched(actions: Any) -> Any:
        moments.append((env._observations.copy(), np.array(actions)))
        return step(actions)

    env.step = watched  # type: ignore[method-assign]
    collect(Fixed(1e-9, 1), env, 2000, rng(), student=Fixed(1, 0), beta=0.5, by="episode")
    drivers: set[Any] = set()
    for i in range(8):
        driver = None
        for seen, actions in moments:
            number, length = seen[i]
            if number == 0:
                driver = actions[i]
            elif number < length:
                assert actions[i] == driver
            drivers.add(driver)
    assert {0, 1} <= drivers


def test_beta_falls_with_the_progress() -> None:
    falling = decaying(1.0, 0.2, until=0.5)
    assert [falling(p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    told: list[float] = []
    source = Rollouts(
        taught, clocks(SAME), student=Fixed(1, 0), beta=lambda p: told.append(p) or 0.5
    )
    source.batch(rng(), 0.75)
    assert told == [0.75]


def test_the_memory_forgets_the_oldest() -> None:
    source = Rollouts(taught, clocks(SAME), capacity=50, batch_size=200)
    batch = source.batch(rng(), 0.0)
    assert len(batch.logits) == 200
    assert len(source) == 50
    np.testing.assert_allclose(batch.logits, taught(batch.observations), rtol=1e-6)
    assert (batch.weights == 1).all()
    assert batch.values is None


def test_a_teacher_that_knows_values_teaches_them() -> None:
    teacher = ActionValues(taught, temperature=0.5)
    batch = Rollouts(teacher, clocks(SAME)).batch(rng(), 0.0)
    assert batch.values is not None
    np.testing.assert_allclose(batch.values, taught(batch.observations).max(axis=1), rtol=1e-6)
    assert collect(teacher, clocks(SAME), 20, rng()).rows.values is not None


@pytest.mark.parametrize("mode", MODES)
def test_sequences_are_episodes_padded_with_no_weight(mode: AutoresetMode) -> None:
    source = Rollouts(taught, clocks(mode), batch_size=60, sequence_length=4)
    batch = source.batch(rng(), 0.0)
    seen, weights = batch.observations, batch.weights.reshape(60, 4)
    assert seen.shape == (60, 4, 2)
    assert len(batch.logits) == 240
    np.testing.assert_allclose(
        batch.logits * batch.weights[:, None], taught(seen.reshape(-1, 2)) * batch.weights[:, None]
    )
    for moments, weight in zip(seen, weights, strict=True):
        (_, length), count = moments[0], int(weight.sum())
        first = moments[0, 0]
        assert first in (0, 4)  # an episode's first step, or where the last sequence was full
        assert count == min(4, length - first)
        np.testing.assert_array_equal(moments[:count, 0], first + np.arange(count))
        assert not moments[count:].any()


def test_a_student_with_a_memory_forgets_at_each_start() -> None:
    env, fired = clocks(AutoresetMode.NEXT_STEP), []
    step = env.step

    def watched(actions: Any) -> Any:
        seen = env._observations
        fired.append((seen[:, 0] == 2)[seen[:, 0] < seen[:, 1]].tolist())
        assert (actions == 1)[seen[:, 0] < seen[:, 1]].tolist() == fired[-1]
        return step(actions)

    env.step = watched  # type: ignore[method-assign]
    student = Counting()
    collect(taught, env, 200, rng(), student=student, beta=0.0)
    assert sum(map(sum, fired)) > 10
    assert student.memory is None


def in_training(source: Rollouts, steps: int, chance: np.random.Generator) -> list[Any]:
    return [source.batch(chance, step / 10) for step in range(steps)]


@pytest.mark.parametrize("length", [None, 3])
def test_it_goes_on_to_the_same_bits(length: int | None) -> None:
    def make() -> Rollouts:
        student = MLP((3, 7, 7), 4, 2)
        return Rollouts(
            ShortestPathPolicy(),
            mazes(AutoresetMode.NEXT_STEP),
            student=student,
            beta=0.5,
            batch_size=16,
            sequence_length=length,
        )

    first, chance = make(), rng()
    in_training(first, 5, chance)
    # As a checkpoint holds it.
    state, bits = unpack(*pack(first.get_state())), chance.bit_generator.state
    expected = in_training(first, 5, chance)
    second, chance = make(), rng(99)
    in_training(second, 2, chance)
    second.set_state(state)
    chance.bit_generator.state = bits
    for one, two in zip(expected, in_training(second, 5, chance), strict=True):
        for column, same in zip(one[:3], two[:3], strict=True):
            np.testing.assert_array_equal(column, same)
    assert first.levels == second.levels


def test_the_same_generator_gives_the_same_batches() -> None:
    one, two = (in_training(Rollouts(taught, clocks(SAME)), 4, rng(7)) for _ in range(2))
    other = in_training(Rollouts(taught, clocks(SAME)), 4, rng(8))
    for a, b, c in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(a.observations, b.observations)
        assert not np.array_equal(a.observations, c.observations)


def test_levels_are_those_that_came_or_were_announced() -> None:
    assert collect(taught, clocks(SAME), 100, rng()).levels == (LevelRange(11, 5),)
    announced = (LevelRange(0, 30),)
    source = Rollouts(ShortestPathPolicy(), mazes(), levels=announced)
    assert source.levels == announced
    source.batch(rng(), 0.0)
    assert source.levels == announced
    wrong = Rollouts(ShortestPathPolicy(), mazes(), levels=(LevelRange(0, 10), LevelRange(40, 5)))
    with pytest.raises(ValueError, match=r"plays level \d+; expected levels 0 to 9 or levels 40"):
        wrong.batch(rng(), 0.0)
    assert Rollouts(taught, clocks(SAME)).levels == ()


def test_dagger_teaches_a_table_what_its_own_way_leads_to() -> None:
    def play(student: Any, beta: float, seed: int) -> Any:
        return collect(ShortestPathPolicy(), env, 600, rng(seed), student=student, beta=beta)

    env = mazes(levels=1)
    data = play(None, 1.0, 0)
    table = Table((3, 7, 7), 4).fit(data)
    for round_ in range(1, 4):
        data = join([data, play(table, 0.0, round_)])
        table = Table((3, 7, 7), 4).fit(data)
    seen = data.unique().rows
    assert len(data) == 4 * 600
    np.testing.assert_array_equal(
        table.action_logits(seen.observations).argmax(axis=1), seen.logits.argmax(axis=1)
    )


def test_what_cannot_be_is_refused() -> None:
    env = clocks(SAME)
    with pytest.raises(ValueError, match=r"beta=0.5 without a student"):
        Rollouts(taught, env, beta=0.5)
    with pytest.raises(ValueError, match=r"beta=0.5 without a student"):
        Rollouts(taught, env, beta=lambda progress: 0.5).batch(rng(), 0.0)
    with pytest.raises(ValueError, match=r"beta=0 without a student"):
        collect(taught, env, 10, rng(), beta=0.0)
    with pytest.raises(ValueError, match=r"did you mean 'episode'\?"):
        Rollouts(taught, env, by="episodes")
    with pytest.raises(ValueError, match=r"expected \(3, 2\)"):
        collect(taught, env, 10, rng(), student=Fixed(0.5, 0.2, 0.3), beta=0.5)
    with pytest.raises(ValueError, match=r"expected \(answers, 2\)"):
        collect(Fixed(0.5, 0.2, 0.3), env, 10, rng())
    with pytest.raises(ValueError, match="logit in row 0 for action 0 is nan"):
        Rollouts(lambda seen: np.full((len(seen), 2), np.nan), env).batch(rng(), 0.0)
