"""Contents of a checkpoint: resumed runs, time limits and environments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import Agent, DynaQ, DynaQPlus, QLearning, Step
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint

SameBits = Callable[[Agent, Agent], None]


def make_env(**arguments: Any) -> gym.Env[Any, Any]:
    return gym.make("DynaMazeBlocking-v0", slip_probability=0.2, **arguments)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.npz"


def test_agent_resumes_across_change(
    make_agent: Callable[..., Agent], same_bits: SameBits, path: Path
) -> None:
    once = make_agent(make_env(), seed=7).learn(2000)
    first = make_agent(make_env(), seed=7).learn(700)
    first.save(path)
    resumed = type(first).load(path, make_env())
    same_bits(once, resumed.learn(1300))


def test_save_leaves_agent_unchanged(
    make_agent: Callable[..., Agent], same_bits: SameBits, path: Path
) -> None:
    quiet, saving = (make_agent(make_env(), seed=1) for _ in range(2))
    quiet.learn(300)
    for _ in range(3):
        saving.learn(100)
        saving.save(path)
    same_bits(quiet, saving)


def test_callback_saves_at_episode_end(same_bits: SameBits, path: Path) -> None:
    agent = DynaQ(make_env(), seed=2)
    saved: list[int] = []

    def save_at_an_end(step: Step) -> None:
        if step.terminated and not saved:
            agent.save(path)
            saved.append(agent.num_timesteps)

    agent.learn(1500, save_at_an_end)
    resumed = DynaQ.load(path, make_env())
    assert resumed.episode_length == 0
    same_bits(agent, resumed.learn(1500 - saved[0]))


def test_coordinates_resume_bit_identically(same_bits: SameBits, path: Path) -> None:
    agent = QLearning(make_env(observation="coordinates"), seed=3).learn(123)
    agent.save(path)
    resumed = QLearning.load(path, make_env(observation="coordinates"))
    assert isinstance(resumed.observation, np.ndarray)
    np.testing.assert_array_equal(resumed.observation, agent.observation)
    same_bits(agent.learn(200), resumed.learn(200))


def test_agent_resumes_before_first_step(same_bits: SameBits, path: Path) -> None:
    agent = DynaQPlus(make_env(), seed=4)
    agent.save(path)
    same_bits(agent.learn(300), DynaQPlus.load(path, make_env()).learn(300))


def test_random_predictions_resume(path: Path) -> None:
    agent = DynaQ("DynaMaze-v0", epsilon=1.0, seed=5)
    agent.predict(np.arange(54))
    agent.save(path)
    loaded = DynaQ.load(path)
    np.testing.assert_array_equal(loaded.predict(np.arange(54))[0], agent.predict(np.arange(54))[0])


ARGUMENTS: dict[str, Any] = {
    "learning_rate": np.float32(0.25),
    "gamma": 0.75,
    "epsilon": 0.5,
    "planning_steps": np.int64(3),
    "kappa": 0.125,
    "initial_value": -1,
    "model": "stored_experience",
}


@pytest.mark.parametrize("bonus", ["planning", "action"])
def test_config_survives_numpy_numbers(bonus: str, path: Path) -> None:
    made = DynaQPlus("DynaMaze-v0", bonus=bonus, seed=6, **ARGUMENTS)
    made.save(path)
    loaded: Any = DynaQPlus.load(path)
    assert loaded.config == {**ARGUMENTS, "bonus": bonus}
    assert (loaded.values.learning_rate, loaded.values.gamma) == (0.25, 0.75)
    assert loaded.exploration.rule.epsilon == 0.5
    assert loaded.planning.planning_steps == 3
    assert (loaded.values.q == -1).all()
    bonus_part = loaded.model if bonus == "planning" else loaded.exploration.rule
    assert bonus_part.kappa == 0.125
    inside = loaded.model.model if bonus == "planning" else loaded.model
    assert type(inside).__name__ == "StoredExperience"


@pytest.mark.parametrize("env", ["FrozenLake-v1", "Blackjack-v1"])
def test_load_without_env_state_is_reproducible(same_bits: SameBits, env: str, path: Path) -> None:
    agent = DynaQ(env, seed=7).learn(101)
    agent.save(path)
    one, other = (DynaQ.load(path, env) for _ in range(2))
    steps: list[Step] = []
    one.learn(50, steps.append)
    assert steps[0].episode_length == 1
    assert steps[0].episode == agent.num_episodes
    assert steps[0].episode_return == steps[0].reward
    same_bits(one, other.learn(50))


def test_load_applies_new_time_limit(path: Path) -> None:
    agent = QLearning(gym.make("DynaMaze-v0", max_episode_steps=-1), seed=8).learn(50)
    agent.save(path)
    limited = QLearning.load(path, gym.make("DynaMaze-v0", max_episode_steps=20))
    steps: list[Step] = []
    limited.learn(20, steps.append)
    assert [step.truncated for step in steps] == [False] * 19 + [True]
    assert steps[0].observation == agent.observation
    assert steps[0].episode_length == 51


def test_load_rejects_other_spaces(path: Path) -> None:
    QLearning("DynaMaze-v0", seed=0).save(path)
    for env in ("FrozenLake-v1", make_env(observation="coordinates")):
        names = r"DynaMaze-v0.* cannot continue in (Frozen|DynaMazeBlocking).*expected Spaces"
        with pytest.raises(CheckpointError, match=names):
            QLearning.load(path, env)


def test_load_elsewhere_names_both(path: Path) -> None:
    agent = DynaQ("DynaMazeBlocking-v0", seed=0).learn(1500)  # after its change at 1000
    agent.save(path)
    names = r"agent\.npz of DynaMazeBlocking-v0.* continues in DynaMazeShortcut-v0.*new episode"
    with pytest.warns(UserWarning, match=names) as caught:
        loaded = DynaQ.load(path, env=gym.make("DynaMazeShortcut-v0"))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(loaded.values.q, agent.values.q)  # type: ignore[attr-defined]
    steps: list[Step] = []
    loaded.learn(1, steps.append)
    assert (steps[0].info, steps[0].episode_length) == ({"world_step": 1, "phase": 0}, 1)
    assert steps[0].episode == agent.num_episodes


def test_load_elsewhere_without_state_warns(path: Path) -> None:
    QLearning("FrozenLake-v1", seed=0).learn(20).save(path)
    with pytest.warns(UserWarning, match=r"FrozenLake-v1.*FrozenLake-v1\(.*is_slippery=False\)"):
        QLearning.load(path, gym.make("FrozenLake-v1", is_slippery=False))
    QLearning.load(path, gym.make("FrozenLake-v1", render_mode="ansi"))  # warnings are errors


@pytest.mark.parametrize("wrap", [gym.wrappers.TransformReward, None])
def test_load_in_wrapped_env(wrap: Any, same_bits: SameBits, path: Path) -> None:
    agent = DynaQ(make_env(), seed=1).learn(60)
    agent.save(path)
    if wrap is not None:  # other rewards
        with pytest.warns(UserWarning, match="TransformReward"):
            loaded = DynaQ.load(path, wrap(make_env(), lambda reward: -reward))
        assert loaded.observation is None
        return
    recording = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(make_env(), 10_000))
    same_bits(agent.learn(100), DynaQ.load(path, recording).learn(100))


def test_load_elsewhere_if_wrapper_remembers(path: Path) -> None:
    def env() -> gym.Env[Any, Any]:
        return gym.wrappers.StickyAction(make_env(), 0.5)

    DynaQ(env(), seed=1).learn(60).save(path)
    with pytest.warns(UserWarning, match="has not the memory of StickyAction in DynaMaze"):
        assert DynaQ.load(path, env()).observation is None


def test_load_sets_every_time_limit(path: Path) -> None:
    agent = QLearning(gym.make("DynaMaze-v0", max_episode_steps=50), seed=8).learn(20)
    agent.save(path)
    env = gym.wrappers.TimeLimit(gym.make("DynaMaze-v0", max_episode_steps=25), 30)
    steps: list[Step] = []
    QLearning.load(path, env).learn(5, steps.append)
    assert [step.truncated for step in steps] == [False] * 4 + [True]


FORGED: list[tuple[tuple[str, ...], Any]] = [
    (("observation",), 54),
    (("observation",), "up"),
    (("environment",), {"name": 3}),
    (("environment",), 7),
    (("world",), 3),
    (("world",), {}),
    (("world", "elapsed_steps"), -1),
    (("world", "elapsed_steps"), "2"),
    (("world", "state"), None),
    (("world", "state", "state"), 7),  # a wall
    (("world", "state", "world_step"), 1e300),
    (("world", "state", "world", "phase"), 2**70),
    (("world", "state", "configuration"), 5),
]


@pytest.mark.parametrize(("place", "value"), FORGED)
def test_forged_env_state_is_refused(place: tuple[str, ...], value: Any, path: Path) -> None:
    DynaQ("DynaMaze-v0", seed=0).learn(30).save(path)
    arrays, document = read_checkpoint(path)
    inside = document
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    write_checkpoint(path, arrays, document)
    env: Any = gym.make("DynaMaze-v0")
    env.reset(seed=5)
    before = env.unwrapped.get_state()
    with pytest.raises(CheckpointError, match=r"checkpoint .*agent\.npz.*") as refusal:
        DynaQ.load(path, env)
    assert "\n" not in str(refusal.value)
    assert env.unwrapped.get_state() == before


def test_old_file_elsewhere_begins_episode(path: Path) -> None:
    DynaQ("DynaMazeBlocking-v0", seed=0).learn(1500).save(path)
    arrays, document = read_checkpoint(path)
    del document["environment"], document["world"]["state"]["configuration"]  # as version 0.1
    write_checkpoint(path, arrays, document)
    with pytest.warns(UserWarning, match="1 scheduled changes at world step 1500; expected 0"):
        loaded = DynaQ.load(path, "DynaMazeShortcut-v0")
    assert loaded.observation is None


def test_failed_load_keeps_file(path: Path) -> None:
    DynaQ("DynaMaze-v0", seed=9).learn(30).save(path)
    whole = path.read_bytes()
    for content in (whole, whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"agent\.npz"):
            DynaQPlus.load(path)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]
