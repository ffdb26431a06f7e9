"""Stable-Baselines3's algorithms with a model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("stable_baselines3")
import torch
from stable_baselines3 import DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common import callbacks
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.save_util import load_from_pkl
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import dynamaze  # noqa: F401
from dynamaze.agents import TabularAdapter, Transitions, Vectors
from dynamaze.agents.models import LEARNED_MODELS
from dynamaze.agents.sb3.buffer import AlgorithmAdapter, MixedReplayBuffer
from dynamaze.agents.sb3.callback import DynaCallback
from dynamaze.common.storage import CheckpointError

BOX_ACTIONS = spaces.Box(-2, np.array([2, 6], np.float32), dtype=np.float32)


def small() -> dict[str, Any]:
    """Return settings of a small algorithm; new ones each time, since SB3 changes them."""
    sizes = {"buffer_size": 1000, "batch_size": 8, "policy_kwargs": {"net_arch": [8]}}
    return {**sizes, "learning_starts": 20, "train_freq": 1, "device": "cpu", "seed": 3}


class Line(gym.Env[Any, Any]):
    """Point on a line that terminates after four steps, or is truncated after three."""

    def __init__(self, kind: str = "box", *, cut: bool = False) -> None:
        self.observation_space: Any = {
            "box": spaces.Box(-50, 50, (2,), np.float32),
            "picture": spaces.Box(0, 50, (2, 1), np.int16),
            "discrete": spaces.Discrete(9),
            "multi": spaces.MultiDiscrete([9, 5]),
        }[kind]
        self.action_space: Any = BOX_ACTIONS if kind == "picture" else spaces.Discrete(3)
        self.kind, self.cut, self.at = kind, cut, 0
        self.history: list[Any] = []

    def seen(self) -> Any:
        if self.kind == "discrete":
            return self.at
        space = self.observation_space
        return np.array([self.at, self.at // 2]).astype(space.dtype).reshape(space.shape)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.at = 0
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        before, self.at = self.seen(), self.at + 1
        end, cut = self.at == 4, self.cut and self.at == 3
        self.history.append((before, action, self.at / 4, self.seen(), end))
        return self.seen(), self.at / 4, end, cut, {}


class RecordingModel:
    """Model that records its inputs, and predicts that 1 is added to each observation."""

    observes = "vectors"

    def __init__(self, ends_at: float = 1e9) -> None:
        self.learned: list[Transitions] = []
        self.queried: list[Any] = []
        self.ends_at = ends_at

    def update(self, transitions: Transitions) -> None:
        self.learned.append(transitions)

    def sample_transitions(
        self, observations: Any, actions: Any, rng: np.random.Generator
    ) -> Transitions:
        self.queried.append((observations.copy(), actions.copy()))
        following = observations + 1.0
        ends = following[:, 0] >= self.ends_at
        return Transitions(
            observations, actions, actions.reshape(len(ends), -1)[:, 0] * 1.0, following, ends
        )

    @property
    def all_learned(self) -> Transitions:
        return Transitions(*(np.concatenate(c) for c in zip(*self.learned, strict=True)))  # type: ignore[arg-type]


def make(kind: str, num_envs: int = 1, *, cut: bool = False, **more: Any) -> tuple[Any, list[Line]]:
    """Return an algorithm in some lines, and the lines."""
    lines = [Line(kind, cut=cut) for _ in range(num_envs)]
    env = DummyVecEnv([lambda line=line: Monitor(line) for line in lines])  # type: ignore[misc]
    algorithm = TD3 if kind == "picture" else DQN
    return algorithm("MlpPolicy", env, **{**small(), **more}), lines


SAVING = {
    "optimize_memory_usage": True,
    "replay_buffer_kwargs": {"handle_timeout_termination": False},
}


@pytest.mark.parametrize("more", [{}, SAVING], ids=["plain", "saving"])
@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("kind", ["box", "picture", "discrete", "multi"])
def test_model_learns_real_transitions(
    kind: str, cut: bool, num_envs: int, more: dict[str, Any]
) -> None:
    algorithm, lines = make(kind, num_envs, cut=cut, **more)
    model = RecordingModel()
    algorithm.learn(60, callback=DynaCallback(model, train_every=6, rollouts=4))
    received = model.all_learned
    assert len(received.reward) == 60
    vectors, space = Vectors(algorithm.observation_space), algorithm.action_space
    for number, line in enumerate(lines):
        happened = list(zip(*line.history, strict=True))
        before, after = (vectors.many(np.array(happened[column]))[0] for column in (0, 3))
        actions = np.array(happened[1])
        if isinstance(space, spaces.Box):
            actions = 2 * (actions - space.low) / (space.high - space.low) - 1
        mine = slice(number, None, num_envs)
        for column, expected in zip(
            received, (before, actions, happened[2], after, happened[4]), strict=True
        ):
            np.testing.assert_allclose(column[mine], expected, atol=1e-6)
    assert received.terminated.any() == (not cut)


@pytest.mark.parametrize("kind", ["box", "picture", "discrete", "multi"])
def test_branches_start_at_real_states(kind: str) -> None:
    algorithm, _ = make(kind)
    model = RecordingModel(ends_at=2.0)
    callback = DynaCallback(
        model, train_every=30, rollouts=40, rollout_length=3, retained_rounds=2, seed=0
    )
    algorithm.learn(60, callback=callback)
    held = callback._simulated
    assert held is not None
    assert len(model.queried) == 6  # two rounds of three steps
    assert callback.num_simulated == 240
    assert held.size() * held.n_envs == 240
    vectors = Vectors(algorithm.observation_space)
    going_on = 0
    for place, (queried, actions) in enumerate(model.queried):
        shape = algorithm.observation_space.shape
        started = vectors.many(held.observations[place].reshape(40, *shape))[0]
        np.testing.assert_array_equal(started, queried)
        np.testing.assert_allclose(held.actions[place].reshape(actions.shape), actions, atol=1e-6)
        np.testing.assert_allclose(held.rewards[place], actions.reshape(40, -1)[:, 0], atol=1e-6)
        ended = queried[:, 0] + 1 >= 2.0
        np.testing.assert_array_equal(held.dones[place], ended)
        if place % 3 and kind in ("box", "picture"):
            before = model.queried[place - 1][0] + 1
            same = (before == queried).all(axis=1)
            assert same[before[:, 0] < 2.0].all()
            going_on += int(same.sum())
            assert queried[before[:, 0] >= 2.0, 0].max() < 5  # replaced by a new branch
    assert going_on or kind not in ("box", "picture")


def test_callback_logs_errors_and_shares() -> None:
    algorithm, _ = make("multi")
    callback = DynaCallback("linear", train_every=4, rollouts=8, rollout_length=2, seed=0)
    algorithm.learn(200, callback=callback)
    logged = {
        name[5:]: value
        for name, value in algorithm.logger.name_to_value.items()
        if name.startswith("dyna/")
    }
    assert logged["simulated_share"] == 0.75
    assert logged["real_transitions"] == callback.num_real == 200
    assert logged["simulated_transitions"] == callback.num_simulated > 500
    assert 1 <= logged["branch_length"] <= 2
    for what in ("observation", "reward", "end"):
        assert logged[f"{what}_error"] < 0.02  # the line is simple


def test_dqn_branches_explore_independently() -> None:
    algorithm, _ = make("box")
    algorithm.exploration_rate = 0.5
    adapter, rng = AlgorithmAdapter(algorithm), np.random.default_rng(0)
    same = np.zeros((3000, 2), np.float32)
    actions = adapter.exploring_actions(same, rng)
    greedy = algorithm.predict(same[:1], deterministic=True)[0][0]
    # 2000 +- 26 of 3000; 6 standard deviations are exceeded once in 5e8.
    assert abs((actions == greedy).sum() - 2000) < 6 * 26
    assert set(actions) == {0, 1, 2}


def test_branches_use_action_noise() -> None:
    noise = NormalActionNoise(np.zeros(2), np.array([0.1, 0.2]))
    algorithm, _ = make("picture", action_noise=noise)
    same = np.zeros((4000, 2, 1), np.int16)
    adapter = AlgorithmAdapter(algorithm)
    spread = adapter.exploring_actions(same, np.random.default_rng(0)).std(axis=0)
    # The standard error is spread / sqrt(8000); six of them are 7%. The policy's mean is near 0.
    np.testing.assert_allclose(spread, [0.1, 0.2], rtol=0.07)
    algorithm.action_noise = None
    assert adapter.exploring_actions(same, np.random.default_rng(0)).std(axis=0).max() < 1e-4


def test_branches_resample_sde_noise() -> None:
    algorithm = SAC("MlpPolicy", "DynaMazeContinuous-v0", use_sde=True, **small())
    algorithm.learn(30, callback=DynaCallback(RecordingModel(), train_every=5, rollouts=4))
    same = np.ones((50, 2), np.float32)
    assert (
        len(
            np.unique(
                AlgorithmAdapter(algorithm).exploring_actions(same, np.random.default_rng(0)),
                axis=0,
            )
        )
        == 50
    )


def test_model_sees_unnormalised_observations() -> None:
    env = VecNormalize(DummyVecEnv([lambda: Monitor(Line())]))
    algorithm = DQN("MlpPolicy", env, **small())
    model = RecordingModel()
    callback = DynaCallback(model, train_every=10, rollouts=4)
    seen: list[Any] = []
    predict = algorithm.predict
    algorithm.predict = lambda observation, **more: (  # type: ignore[method-assign]
        seen.append(observation) or predict(observation, **more)
    )
    algorithm.learn(40, callback=callback)
    assert set(model.all_learned.observation[:, 0]) == {0, 1, 2, 3}
    imagined = [batch for batch in seen if len(batch) == 4]
    assert len(imagined) == len(model.queried)
    for batch in imagined:
        assert not np.isin(batch[:, 0], (1.0, 2.0, 3.0)).any()  # normalised


# -- with other callbacks and buffers -------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:rich is experimental")
def test_callback_combines_with_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    algorithm, _ = make("box")
    beside = [
        DynaCallback("bayesian_linear", train_every=8, rollouts=8, seed=0),
        callbacks.CheckpointCallback(50, str(tmp_path), "dqn", save_replay_buffer=True),
        callbacks.EvalCallback(
            Monitor(Line()),
            eval_freq=50,
            n_eval_episodes=1,
            verbose=0,
            best_model_save_path=str(tmp_path),
        ),
    ]
    algorithm.learn(100, callback=beside, progress_bar=True)
    assert "100/100" in capsys.readouterr().out
    held = load_from_pkl(tmp_path / "dqn_replay_buffer_50_steps.pkl")
    assert type(held) is ReplayBuffer
    assert held.size() == 49  # callbacks run before the step is stored
    assert (tmp_path / "best_model.zip").exists()


def test_learn_restores_real_buffer(tmp_path: Path) -> None:
    algorithm, _ = make("discrete")
    buffer = algorithm.replay_buffer
    callback = DynaCallback("linear", train_every=8, rollouts=8, seed=0)
    algorithm.learn(50, callback=callback)
    assert algorithm.replay_buffer is buffer
    stop = callbacks.StopTrainingOnMaxEpisodes(2)
    algorithm.learn(50, callback=[callback, stop], reset_num_timesteps=False)
    assert algorithm.num_timesteps < 100
    assert algorithm.replay_buffer is buffer
    algorithm.save(tmp_path / "dqn")
    loaded = DQN.load(tmp_path / "dqn", algorithm.get_env())
    real = callback.num_real
    loaded.learn(60, callback=callback, reset_num_timesteps=False)
    assert callback.num_real > real
    assert type(loaded.replay_buffer) is ReplayBuffer


def test_exception_ends_simulated_share() -> None:
    algorithm, _ = make("box")
    callback = DynaCallback("linear", train_every=8, rollouts=8, seed=0)
    train = algorithm.train

    def break_off(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    algorithm.train = break_off
    with pytest.raises(KeyboardInterrupt):
        algorithm.learn(50, callback=callback)
    mixed = algorithm.replay_buffer
    assert type(mixed) is MixedReplayBuffer
    algorithm.train = train
    algorithm.learn(50, reset_num_timesteps=False)
    assert (mixed.num_drawn > 0, mixed.num_simulated) == (True, 0)
    algorithm.learn(50, callback=callback, reset_num_timesteps=False)
    assert algorithm.replay_buffer is mixed.real


@pytest.mark.parametrize("full", [False, True])
def test_late_model_learns_from_buffer(full: bool) -> None:
    algorithm, (line,) = make("box", buffer_size=20 if full else 100)
    algorithm.learn(50)
    model = RecordingModel()
    algorithm.learn(10, callback=DynaCallback(model, train_every=4), reset_num_timesteps=False)
    rewards = [each[2] for each in line.history]
    assert model.all_learned.reward.tolist() == (rewards[-30:] if full else rewards)
    later = DynaCallback(model, train_every=4)
    later.num_real = 1  # the model has learned before
    algorithm.learn(10, callback=later, reset_num_timesteps=False)
    assert model.all_learned.reward.tolist()[-10:] == [each[2] for each in line.history][-10:]


def test_share_follows_model_confidence() -> None:
    algorithm, _ = make("box")
    model = RecordingModel()
    model.confidence = lambda *_: 0.5  # type: ignore[attr-defined]
    algorithm.learn(60, callback=DynaCallback(model, real_ratio=0, train_every=5, rollouts=8))
    assert algorithm.logger.name_to_value["dyna/simulated_share"] == 0.5


@pytest.mark.parametrize("name", ["linear", "ensemble"])
def test_callback_is_reproducible(name: str) -> None:
    results = []
    for _ in range(2):
        algorithm = SAC("MlpPolicy", "DynaMazeContinuous-v0", **small())
        algorithm.learn(60, callback=DynaCallback(name, train_every=10, rollouts=8, seed=1))
        results.append(torch.cat([each.flatten() for each in algorithm.policy.parameters()]))
    assert torch.equal(*results)


def test_simulated_experience_solves_corridor() -> None:
    env = gym.make("DynaMaze-v0", layout="S.G")
    settings = {**small(), "learning_rate": 0.01, "gamma": 0.5, "target_update_interval": 10}
    algorithm = DQN("MlpPolicy", env, **settings, gradient_steps=2, exploration_final_eps=0.5)
    callback = DynaCallback("linear", real_ratio=0, train_every=8, rollouts=32, seed=0)
    algorithm.learn(500, callback=callback)
    with torch.no_grad():
        values = algorithm.q_net(torch.arange(2)).numpy()
    expected = [[0.25, 0.5, 0.25, 0.25], [0.5, 1.0, 0.5, 0.25]]  # exact
    np.testing.assert_allclose(values, expected, atol=0.1)


# -- files and rejected arguments ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["bayesian_linear", "ensemble"])
def test_model_saves_without_pickle(name: str, tmp_path: Path) -> None:
    algorithm = SAC("MlpPolicy", "DynaMazeContinuous-v0", **small())
    saved = DynaCallback(name, train_every=10, rollouts=8, seed=1)
    with pytest.raises(RuntimeError, match="before learning begins"):
        saved.save(tmp_path / "model")
    algorithm.learn(60, callback=saved)
    saved.save(tmp_path / "model")
    fresh = DynaCallback(name, train_every=1000, seed=2)
    fresh.load(tmp_path / "model")
    algorithm.learn(0, callback=fresh, reset_num_timesteps=False)
    assert fresh.num_real == saved.num_real == 60
    np.testing.assert_equal(fresh.world_model.get_state(), saved.world_model.get_state())
    saved.load(tmp_path / "model")
    with pytest.raises(CheckpointError, match="expected deep_belief"):
        DynaCallback("deep_belief").load(tmp_path / "model")
    other = DQN("MlpPolicy", "DynaMaze-v0", **small())
    with pytest.raises(ValueError, match="expected the same spaces"):
        other.learn(30, callback=fresh)
    elsewhere = DynaCallback(name, train_every=1000)
    other.learn(1, callback=elsewhere)
    before = elsewhere.world_model.get_state()
    with pytest.raises(CheckpointError, match=r"of Box.*; expected .* of Discrete"):
        elsewhere.load(tmp_path / "model")
    np.testing.assert_equal(elsewhere.world_model.get_state(), before)
    noted = DynaCallback(RecordingModel())
    other.learn(1, callback=noted)
    with pytest.raises(TypeError, match="get_state"):
        noted.save(tmp_path / "note")


def test_model_names_its_environment(tmp_path: Path) -> None:
    first, fresh = (DynaCallback("bayesian_linear", train_every=1000) for _ in range(2))
    SAC("MlpPolicy", "DynaMazeContinuous-v0", **small()).learn(1, callback=first)
    first.save(tmp_path / "model")
    fresh.load(tmp_path / "model")
    noisy = gym.make("DynaMazeContinuous-v0", noise=0.2)
    with pytest.warns(UserWarning, match=r"a model of DynaMazeCon.* continues in .*noise=0\.2"):
        SAC("MlpPolicy", noisy, **small()).learn(0, callback=fresh)
    with pytest.warns(UserWarning, match=r"a model of DynaMazeCon.* continues in .*noise=0\.2"):
        fresh.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "ensembel"}, "did you mean 'ensemble'"),
        ({"model": "latest_outcome"}, "expected one of"),
        ({"model": object()}, "has no update and no sample_transitions"),
        ({"model": RecordingModel}, "is a class"),
        ({"real_ratio": 1.5}, r"real_ratio=1.5; expected a number in \[0, 1\]"),
        ({"rollouts": 0}, "rollouts=0"),
        ({"rollout_length": 1.5}, "rollout_length=1.5"),
        ({"train_every": -1}, "train_every=-1"),
        ({"retained_rounds": "x"}, "retained_rounds='x'"),
        ({"warm_up": -1}, "warm_up=-1"),
    ],
)
def test_callback_rejects_invalid_argument(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        DynaCallback(**given)


class Goals(Line):
    """Line with goal observations, for hindsight replay."""

    names = ("observation", "achieved_goal", "desired_goal")

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Dict(dict.fromkeys(self.names, self.observation_space))

    def seen(self) -> Any:
        return dict.fromkeys(self.names, np.zeros(2, np.float32))


def her() -> Any:
    return DQN("MultiInputPolicy", Goals(), replay_buffer_class=HerReplayBuffer, **small())


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        (lambda: PPO("MlpPolicy", "DynaMaze-v0", device="cpu"), "PPO has no replay buffer"),
        (her, "HerReplayBuffer.*expected one that is not a Dict"),
        (lambda: make("box", n_steps=3)[0], "n_steps=3.*expected n_steps=1"),
    ],
)
def test_callback_rejects_unsupported_algorithm(algorithm: Any, message: str) -> None:
    made = algorithm()
    buffer = getattr(made, "replay_buffer", None)
    with pytest.raises((TypeError, ValueError), match=message):
        made.learn(30, callback=DynaCallback(RecordingModel()))
    assert getattr(made, "replay_buffer", None) is buffer


def test_callback_rejects_other_spaces() -> None:
    algorithm, _ = make("multi")
    other = LEARNED_MODELS["linear"].on_vectors(Vectors(spaces.Discrete(5)), 3)
    with pytest.raises(ValueError, match="size=5; expected 2"):
        algorithm.learn(30, callback=DynaCallback(other))
    other = LEARNED_MODELS["linear"].on_vectors(Vectors(algorithm.observation_space), 4)
    with pytest.raises(ValueError, match="num_actions=4; expected 3"):
        algorithm.learn(30, callback=DynaCallback(other))
    rows = TabularAdapter(other, Vectors(algorithm.observation_space))
    with pytest.raises(TypeError, match="no sample_transitions"):
        DynaCallback(rows)


def test_callback_rejects_nan_prediction() -> None:
    class Wrong(RecordingModel):
        def sample_transitions(self, *given: Any) -> Transitions:
            right = super().sample_transitions(*given)
            return right._replace(reward=right.reward * np.nan)

    algorithm, _ = make("box")
    with pytest.raises(ValueError, match=r"rewards row 0: nan; expected finite"):
        algorithm.learn(30, callback=DynaCallback(Wrong(), train_every=5))


def test_missing_sb3_names_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "dynamaze.agents.sb3.callback")
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[distill\]"'):
        importlib.import_module("dynamaze.agents.sb3.callback")


def test_kept_is_retained_rounds() -> None:
    with pytest.warns(DeprecationWarning, match="kept= is now called retained_rounds="):
        callback = DynaCallback("linear", kept=3)  # type: ignore[call-arg]
    assert callback.retained_rounds == 3
