"""Runs of any agent: interfaces, recording, refusals."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, EpsilonGreedy, LatestOutcome, TreeSearch
from dynamaze.benchmarks.harness.agent_runs import step_runs
from dynamaze.benchmarks.harness.agent_runs.interfaces import AgentError, is_factory
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget, RunRecord
from dynamaze.benchmarks.harness.agent_runs.step_runs import run_agent, run_kind

CHANGING = partial(gym.make, "DynaMazeShortcut-v0", layout="S..#G\n.....\n@ 60\nS...G\n.....")


def record(agent: Any, env: Any = CHANGING, *, steps: int = 0, episodes: int = 0) -> RunRecord:
    make = partial(gym.make, env) if isinstance(env, str) else env
    return run_agent(agent, make, Budget(steps, episodes), seed=3, gamma=0.9)


class Learner:
    """Tabular Q-learning as a user writes it."""

    def __init__(self, env: Any, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.q = np.zeros((env.observation_space.n, env.action_space.n))
        self.calls: list[tuple[Any, ...]] = []

    def act(self, observation: int) -> int:
        noise = self.rng.random(self.q.shape[1])
        return int(np.argmax(self.q[observation] + 1e-9 * noise))

    def update(self, observation: int, action: int, reward: float, *rest: Any) -> None:
        following, terminated, truncated = rest
        self.calls.append((observation, action, reward, following, terminated, truncated))
        target = reward + 0.9 * (not terminated) * self.q[following].max()
        self.q[observation, action] += 0.5 * (target - self.q[observation, action])


@pytest.mark.parametrize("budget", [{"steps": 150}, {"episodes": 9}])
def test_run_same_bits_compiled_or_not(
    budget: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = record(partial(DynaQ, planning_steps=3), **budget)
    monkeypatch.setattr(step_runs, "compiled_obstacle", lambda agent: "for this test")
    stepped = record(partial(DynaQ, planning_steps=3), **budget)
    assert (compiled.kind, stepped.kind) == ("compiled", "step by step: for this test")
    assert compiled.num_episodes == stepped.num_episodes > 0
    assert compiled.regrets.sum() > 0
    for left, right in zip(compiled[:3], stepped[:3], strict=True):
        np.testing.assert_array_equal(left, right)


DRIFT = {"when": "poisson", "rate": 0.05, "what": ["walls"]}


@pytest.mark.parametrize(
    "make",
    [
        CHANGING,
        partial(gym.make, "DynaMazeDrifting-v0", random_changes=DRIFT, max_episode_steps=40),
        partial(gym.make, "DynaMazeGenerated-v0", size=5, observation="index"),
        partial(
            gym.make,
            "DynaMazeLoCA-v0",
            slip_probability=0.0,
            changes={200: {"task": "B"}, 300: {"starts": "T1"}},
        ),
    ],
)
def test_trace_same_compiled_or_not(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimal values, ends of episodes, changes, and the maze that is left."""

    def read(agent: Any, mdp: Any) -> Any:
        return agent.values.q.sum(), mdp.next_state.sum()

    def record_both() -> RunRecord:
        agent = partial(DynaQ, planning_steps=3)
        return run_agent(agent, make, Budget(400, 0), seed=3, gamma=0.9, read=read)

    compiled = record_both()
    monkeypatch.setattr(step_runs, "compiled_obstacle", lambda agent: "for this test")
    stepped = record_both()
    assert (compiled.kind, stepped.kind) == ("compiled", "step by step: for this test")
    for name in ("rewards", "regrets", "optimal_values", "ended"):
        left, right = getattr(compiled, name), getattr(stepped, name)
        assert left.shape == (400,)
        np.testing.assert_array_equal(left, right)
    changes = [each.changes[each.changes < 400].tolist() for each in (compiled, stepped)]
    assert changes[0] == changes[1] != []
    assert compiled.ended.sum() == compiled.num_episodes
    assert compiled.reading == stepped.reading


def test_optimal_values_are_those_of_the_maze() -> None:
    run = record(lambda observation: 1, CHANGING, steps=3)  # S..#G: the way round is 6 long
    np.testing.assert_allclose(run.optimal_values, [0.9**5, 0.9**4, 0.9**3])
    np.testing.assert_allclose(run.regrets, [0.0, 0.0, 0.9**3 - 0.9**4])
    assert run.changes.size == 0


def test_trace_is_empty_where_episodes_count() -> None:
    run = record(partial(DynaQ, planning_steps=3), episodes=2)
    assert run.optimal_values.size == run.ended.size == 0


def test_run_records_each_step() -> None:
    run = record(lambda observation: 1, "CliffWalking-v1", steps=5)  # into the cliff, each time
    np.testing.assert_array_equal(run.rewards, [-100.0] * 5)
    assert (run.num_steps, run.num_episodes) == (5, 0)
    assert run.kind.endswith("is a function of observations")


@pytest.mark.parametrize("env", ["FrozenLake-v1", "Taxi-v4", "DynaMazeLoCA-v0"])
def test_run_own_agent(env: str) -> None:
    run = record(Learner, env, steps=300)
    assert run.rewards.shape == run.regrets.shape == (300,)
    assert (run.regrets >= -1e-12).all()
    np.testing.assert_array_equal(run.rewards, record(Learner, env, steps=300).rewards)


def test_run_calls_update_and_reset() -> None:
    made: list[Any] = []

    class Watched(Learner):
        resets = 0

        def __init__(self, env: Any, seed: int) -> None:
            super().__init__(env, seed)
            made.append(self)

        def reset(self) -> None:
            self.resets += 1

    run = record(Watched, "CliffWalking-v1", episodes=3)
    (agent,) = made
    assert agent.resets == 3
    assert sum(call[4] or call[5] for call in agent.calls) == 3
    assert len(agent.calls) == run.num_steps == run.lengths.sum()
    assert sum(call[2] for call in agent.calls) == run.rewards.sum()


@pytest.mark.parametrize(("algorithm", "steps"), [("PPO", 70), ("DQN", 60)])
def test_run_stable_baselines(algorithm: str, steps: int) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    small = {"n_steps": 64, "batch_size": 32} if algorithm == "PPO" else {"learning_starts": 20}
    learner = partial(getattr(sb3, algorithm), "MlpPolicy", device="cpu", **small)
    run = record(learner, "CartPole-v1", steps=steps)  # PPO would take 128
    np.testing.assert_array_equal(run.rewards, np.ones(steps))
    assert run.regrets.size == 0
    with pytest.raises(AgentError, match="in a run of 2 episodes; expected a number of steps"):
        record(learner, "CartPole-v1", episodes=2)
    model = learner(gym.make("FrozenLake-v1"))
    policy = record(model, "FrozenLake-v1", steps=30)
    assert policy.kind == f"step by step: {algorithm} is an object with predict"
    assert model.num_timesteps == 0


def test_run_search_in_copies() -> None:
    run = record(partial(TreeSearch, model="simulator", simulations=4, depth=3), steps=6)
    assert run.num_steps == 6  # those of the copies do not count
    assert "EnvCopies does not declare 'compiled'" in run.kind


def test_run_uses_part_afresh() -> None:
    model = LatestOutcome(10, 4)
    factory = partial(DynaQ, model=model)
    first, second = (record(factory, steps=80) for _ in range(2))
    np.testing.assert_array_equal(first.rewards, second.rewards)
    assert not model.table.visits.any()


def test_environment_seed_is_the_run_s() -> None:
    starts: list[int] = []

    class Reseeding:
        def __init__(self, env: Any, seed: int) -> None:
            self.env, self.first = env, True

        def act(self, observation: int) -> int:
            if self.first:
                starts.append(self.env.unwrapped.world_step)
            self.first = False
            return 0

        def reset(self) -> None:
            self.env.reset(seed=99)  # would restart the clock
            self.first = True

    make = partial(gym.make, "DynaMaze-v0", max_episode_steps=4)
    record(Reseeding, make, steps=10)
    assert starts == [0, 4, 8]


class NoAgent:
    def __init__(self, env: Any, seed: int) -> None: ...


class NoSeed:
    def __init__(self, env: Any) -> None: ...


class ShortUpdate(NoAgent):
    def act(self, observation: Any) -> int:
        return 0

    def update(self, observation: Any) -> None: ...


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (lambda observation: 7, r"action 7 at step 1; expected one of Discrete\(4\)"),
        (lambda observation: None, r"no action \(None\) at step 1; expected one of Discrete\(4\)"),
        (lambda observation: 0.5, r"action 0.5 at step 1"),
        (lambda observation: np.array([1]), r"action array\(\[1\]\) at step 1"),
        (NoAgent, "agent of type NoAgent; expected one of: an agent of dynamaze.agents; "),
        (NoSeed, r"NoSeed cannot be called with \(env, seed=...\)"),
        (ShortUpdate, r"ShortUpdate.update cannot be called with \(observation, action, "),
        (lambda env, seed: None, "agent None; expected one of"),
        (lambda env, seed: DynaQ("DynaMaze-v0", seed=seed), "expected the one that its factory"),
    ],
)
def test_run_refuses(agent: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        record(agent, steps=5)


def test_run_raises_agents_own_error() -> None:
    def broken(observation: Any) -> int:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        record(broken, steps=5)


def test_learner_that_stops_early() -> None:
    class Lazy(NoAgent):
        def learn(self, total_timesteps: int) -> None: ...

        def predict(self, observation: Any) -> int:
            return 0

    with pytest.raises(AgentError, match=r"ended after 0 steps .* expected 5 steps"):
        record(Lazy, steps=5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (DynaQ, True),
        (partial(DynaQ, planning_steps=3), True),
        (NoSeed, True),
        (lambda env, seed: None, True),
        (lambda observation: 0, False),
        (lambda observation, scale=2.0: 0, False),
        (ShortUpdate(None, 0), False),
    ],
)
def test_is_factory(given: Any, expected: bool) -> None:
    assert is_factory(given) is expected


class OwnModel(LatestOutcome):
    def update(self, transitions: Any) -> None:
        super().update(transitions)


class OwnExploration(EpsilonGreedy):
    def choose(self, values: Any, observation: Any, rng: Any) -> int:
        return 0


class OwnLoop(DynaQ):
    def steps(self) -> Any:
        yield from super().steps()


def with_own_exploration(env: Any, seed: int) -> DynaQ:
    agent = DynaQ(env, seed=seed)
    agent.exploration = OwnExploration(0.1)
    return agent


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (partial(DynaQ, planning="prioritised_sweeping"), ""),
        (partial(DynaQ, model=OwnModel(10, 4)), "OwnModel overrides update"),
        (with_own_exploration, "OwnExploration overrides choose"),
        (OwnLoop, "OwnLoop overrides steps"),
        (partial(DynaQ, values="tile_coding"), "a compiled run needs TableValues"),
        (Learner, "Learner is an object with act"),
    ],
)
def test_run_kind_tells_reason(agent: Any, reason: str) -> None:
    kind = run_kind(agent, CHANGING)
    assert reason in kind
    assert (kind == "compiled") == (not reason)
