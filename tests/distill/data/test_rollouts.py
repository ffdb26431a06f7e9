"""Rollouts: the acting policy, the labels, and resumption."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401
from dynamaze.distill.core.dataset import join
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.data.rollouts import PerEpisode, Rollouts, collect, linear_schedule
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.teachers import ActionValues, as_teacher
from dynamaze.distill.training.state import pack_state, unpack_state
from dynamaze.envs.generation.planes import ShortestPathPolicy

from ..small_envs import MODES, Counting, Fixed, clocks

SAME = AutoresetMode.SAME_STEP


def label(observations: Any) -> np.ndarray:
    """Teacher whose labels encode its observations."""
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


def record_actions(env: Any) -> list[np.ndarray]:
    """Record the actions of each following step."""
    taken: list[np.ndarray] = []
    step = env.step

    def watched(actions: Any) -> Any:
        taken.append(np.array(actions))
        return step(actions)

    env.step = watched
    return taken


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_rollouts_never_label_final_observations(mode: AutoresetMode, num_envs: int) -> None:
    data = collect(label, clocks(mode, num_envs), 200, rng())
    step, length = data.rows.observations.T
    assert len(data) == 200
    assert (step < length).all()
    np.testing.assert_allclose(data.rows.logits, label(data.rows.observations), rtol=1e-6)
    # For each length there are equally many first and last steps, except for truncated ones.
    for n in range(1, 6):
        counts = np.bincount(step[length == n].astype(int), minlength=n)
        assert np.ptp(counts) <= num_envs
        assert counts.min() > 0


def test_rollouts_equal_in_all_autoreset_modes() -> None:
    found = [collect(label, clocks(mode, 1), 100, rng()).rows.observations for mode in MODES]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_rollouts_label_each_step_once() -> None:
    queried: list[int] = []

    def teacher(observations: Any) -> np.ndarray:
        queried.append(len(observations))
        return label(observations)

    source, generator = Rollouts(teacher, clocks(SAME), batch_size=8), rng()
    for _ in range(20):
        source.batch(generator, 0.5)
    assert sum(queried) == len(source) == 3 * 20 + 3 * 2  # three steps for the first batch


@pytest.mark.parametrize(("beta", "acting"), [(1.0, 0), (0.0, 1)])
def test_rollouts_beta_selects_acting_policy(beta: float, acting: int) -> None:
    teacher, student, env = (
        as_teacher(lambda seen: np.tile([99.0, 0], (len(seen), 1))),
        Fixed(0, 1),
        clocks(SAME),
    )
    actions = record_actions(env)
    collect(teacher, env, 300, rng(), student=student, beta=beta)
    assert set(np.concatenate(actions)) == {acting}


def test_rollouts_beta_1_matches_teacher_states() -> None:
    teacher = as_teacher(Fixed(0.5, 0.5))
    student = Fixed(0.0, 1.0)
    alone = collect(teacher, clocks(SAME), 100, rng())
    mixed = collect(teacher, clocks(SAME), 100, rng(), student=student, beta=1.0)
    np.testing.assert_array_equal(alone.rows.observations, mixed.rows.observations)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("is_per_episode", [False, True])
def test_rollouts_beta_is_teacher_fraction(beta: float, is_per_episode: bool) -> None:
    env = clocks(SAME, 8)
    actions = record_actions(env)
    given = PerEpisode(beta) if is_per_episode else beta
    collect(Fixed(1e-9, 1.0), env, 8000, rng(1), student=Fixed(1.0, 0.0), beta=given)
    taken = np.array(actions)
    # 6 standard errors; episodes have 3 steps on average, so there are fewer independent draws.
    assert taken.mean() == pytest.approx(
        beta, abs=6 * 0.5 / np.sqrt(8000 / (4 if is_per_episode else 1))
    )


def test_rollouts_old_keyword_by_warns() -> None:
    played = []
    for given in ({"by": "episode", "beta": 0.5}, {"beta": PerEpisode(0.5)}):
        options: dict[str, Any] = {"student": Fixed(1.0, 0.0), **given}
        if "by" in given:
            with pytest.warns(DeprecationWarning, match="PerEpisode"):
                played.append(collect(Fixed(1e-9, 1.0), clocks(SAME), 50, rng(1), **options))
        else:
            played.append(collect(Fixed(1e-9, 1.0), clocks(SAME), 50, rng(1), **options))
    np.testing.assert_array_equal(played[0].rows.observations, played[1].rows.observations)


def test_rollouts_by_episode_keep_policy_to_end() -> None:
    env, taken_steps = clocks(AutoresetMode.NEXT_STEP, 8), []
    step = env.step

    def watched(actions: Any) -> Any:
        taken_steps.append((env._observations.copy(), np.array(actions)))
        return step(actions)

    env.step = watched  # type: ignore[method-assign]
    collect(Fixed(1e-9, 1), env, 2000, rng(), student=Fixed(1, 0), beta=PerEpisode(0.5))
    acted: set[Any] = set()
    for i in range(8):
        acting = None
        for seen, actions in taken_steps:
            number, length = seen[i]
            if number == 0:
                acting = actions[i]
            elif number < length:
                assert actions[i] == acting
            acted.add(acting)
    assert {0, 1} <= acted


def test_rollouts_beta_follows_progress() -> None:
    falling = linear_schedule(1.0, 0.2, until=0.5)
    assert [falling(p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    progresses: list[float] = []
    source = Rollouts(
        label, clocks(SAME), student=Fixed(1, 0), beta=lambda p: progresses.append(p) or 0.5
    )
    source.batch(rng(), 0.75)
    assert progresses == [0.75]


def test_rollouts_buffer_drops_oldest() -> None:
    source = Rollouts(label, clocks(SAME), capacity=50, batch_size=200)
    batch = source.batch(rng(), 0.0)
    assert len(batch.logits) == 200
    assert len(source) == 50
    np.testing.assert_allclose(batch.logits, label(batch.observations), rtol=1e-6)
    assert (batch.weights == 1).all()
    assert batch.values is None


def test_rollouts_label_state_values() -> None:
    teacher = ActionValues(label, temperature=0.5)
    batch = Rollouts(teacher, clocks(SAME)).batch(rng(), 0.0)
    assert batch.values is not None
    np.testing.assert_allclose(batch.values, label(batch.observations).max(axis=1), rtol=1e-6)
    assert collect(teacher, clocks(SAME), 20, rng()).rows.values is not None


@pytest.mark.parametrize("mode", MODES)
def test_rollouts_pad_sequences_with_zero_weight(mode: AutoresetMode) -> None:
    source = Rollouts(label, clocks(mode), batch_size=60, sequence_length=4)
    batch = source.batch(rng(), 0.0)
    seen, weights = batch.observations, batch.weights.reshape(60, 4)
    assert seen.shape == (60, 4, 2)
    assert len(batch.logits) == 240
    np.testing.assert_allclose(
        batch.logits * batch.weights[:, None], label(seen.reshape(-1, 2)) * batch.weights[:, None]
    )
    for taken_steps, weight in zip(seen, weights, strict=True):
        (_, length), count = taken_steps[0], int(weight.sum())
        first = taken_steps[0, 0]
        assert first in (0, 4)  # an episode's first step, or where the last sequence was full
        assert count == min(4, length - first)
        np.testing.assert_array_equal(taken_steps[:count, 0], first + np.arange(count))
        assert not taken_steps[count:].any()


def test_rollouts_reset_recurrent_student_at_start() -> None:
    env, fired = clocks(AutoresetMode.NEXT_STEP), []
    step = env.step

    def watched(actions: Any) -> Any:
        seen = env._observations
        fired.append((seen[:, 0] == 2)[seen[:, 0] < seen[:, 1]].tolist())
        assert (actions == 1)[seen[:, 0] < seen[:, 1]].tolist() == fired[-1]
        return step(actions)

    env.step = watched  # type: ignore[method-assign]
    student = Counting()
    collect(label, env, 200, rng(), student=student, beta=0.0)
    assert sum(map(sum, fired)) > 10
    assert student.memory is None


def in_training(source: Rollouts, steps: int, generator: np.random.Generator) -> list[Any]:
    return [source.batch(generator, step / 10) for step in range(steps)]


@pytest.mark.parametrize("length", [None, 3])
def test_rollouts_resume_bit_identical(length: int | None) -> None:
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

    first, generator = make(), rng()
    in_training(first, 5, generator)
    # As in a checkpoint.
    state, bits = unpack_state(*pack_state(first.get_state())), generator.bit_generator.state
    expected = in_training(first, 5, generator)
    second, generator = make(), rng(99)
    in_training(second, 2, generator)
    second.set_state(state)
    generator.bit_generator.state = bits
    for one, two in zip(expected, in_training(second, 5, generator), strict=True):
        for column, same in zip(one[:3], two[:3], strict=True):
            np.testing.assert_array_equal(column, same)
    assert first.levels == second.levels


def test_rollouts_name_their_environment() -> None:
    source = Rollouts(label, clocks(SAME), batch_size=8)
    source.batch(rng(), 0.0)
    state = source.get_state()
    Rollouts(label, clocks(SAME)).set_state(state)  # warnings are errors
    known = {**state, "environment": {"name": "Maze-v0", "digest": "5" * 64, "spec": None}}
    other = Rollouts(label, clocks(SAME))
    with pytest.warns(UserWarning, match=r"Maze-v0 with configuration 5{12} continues in"):
        other.set_state(known)
    assert len(other) == len(source)
    wide = mazes(observation="planes")
    with pytest.raises(ValueError, match=r"of Maze-v0.* cannot continue in .*DynaMaze"):
        Rollouts(label, wide).set_state(known)


def test_rollouts_deterministic_for_equal_generator() -> None:
    one, two = (in_training(Rollouts(label, clocks(SAME)), 4, rng(7)) for _ in range(2))
    other = in_training(Rollouts(label, clocks(SAME)), 4, rng(8))
    for a, b, c in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(a.observations, b.observations)
        assert not np.array_equal(a.observations, c.observations)


def test_rollouts_levels_visited_or_announced() -> None:
    assert collect(label, clocks(SAME), 100, rng()).levels == (LevelRange(11, 5),)
    announced = (LevelRange(0, 30),)
    source = Rollouts(ShortestPathPolicy(), mazes(), levels=announced)
    assert source.levels == announced
    source.batch(rng(), 0.0)
    assert source.levels == announced
    wrong = Rollouts(ShortestPathPolicy(), mazes(), levels=(LevelRange(0, 10), LevelRange(40, 5)))
    with pytest.raises(ValueError, match=r"plays level \d+; expected levels 0 to 9 or levels 40"):
        wrong.batch(rng(), 0.0)
    assert Rollouts(label, clocks(SAME)).levels == ()


def test_dagger_covers_student_states_of_table() -> None:
    def play(student: Any, beta: float, seed: int) -> Any:
        return collect(ShortestPathPolicy(), env, 600, rng(seed), student=student, beta=beta)

    env = mazes(levels=1)
    data = play(None, 1.0, 0)
    table = TableStudent((3, 7, 7), 4).fit(data)
    for round_ in range(1, 4):
        data = join([data, play(table, 0.0, round_)])
        table = TableStudent((3, 7, 7), 4).fit(data)
    seen = data.unique().rows
    assert len(data) == 4 * 600
    np.testing.assert_array_equal(
        table.action_logits(seen.observations).argmax(axis=1), seen.logits.argmax(axis=1)
    )


def test_rollouts_refuse_bad_input() -> None:
    env = clocks(SAME)
    with pytest.raises(ValueError, match=r"beta=0.5 without a student"):
        Rollouts(label, env, beta=0.5)
    with pytest.raises(ValueError, match=r"beta=0.5 without a student"):
        Rollouts(label, env, beta=lambda progress: 0.5).batch(rng(), 0.0)
    with pytest.raises(ValueError, match=r"beta=0 without a student"):
        collect(label, env, 10, rng(), beta=0.0)
    with pytest.raises(ValueError, match=r"did you mean 'episode'\?"):
        Rollouts(label, env, by="episodes")
    with pytest.raises(TypeError, match=r"by=.* and beta=PerEpisode"):
        Rollouts(label, env, by="step", beta=PerEpisode(0.5))
    with pytest.raises(ValueError, match=r"expected \(3, 2\)"):
        collect(label, env, 10, rng(), student=Fixed(0.5, 0.2, 0.3), beta=0.5)
    with pytest.raises(ValueError, match=r"expected \(queries, 2\)"):
        collect(Fixed(0.5, 0.2, 0.3), env, 10, rng())
    with pytest.raises(ValueError, match="logit of <lambda> in row 0 for action 0 is nan"):
        Rollouts(lambda seen: np.full((len(seen), 2), np.nan), env).batch(rng(), 0.0)


def test_several_students_act_in_their_own_environments() -> None:
    students = {"a": Fixed(1.0, 0.0), "b": Fixed(0.0, 1.0)}
    env = clocks(SAME, 5)
    taken = record_actions(env)
    source = Rollouts(label, env, student=students, beta=0.0, batch_size=30)
    source.batch(rng(), 0.0)
    for actions in taken:
        np.testing.assert_array_equal(actions, [0, 1, 0, 1, 0])
    with pytest.raises(ValueError, match="2 students in 1 environments; expected at least one"):
        Rollouts(label, clocks(SAME, 1), student=students)
    with pytest.raises(ValueError, match="0 students in 5 environments"):
        Rollouts(label, env, student={})
