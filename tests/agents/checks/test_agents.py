"""Conformance suite of agents: built-in and correct ones, and a wrong one for each check."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from dynamaze.agents import (
    Agent,
    Dyna2,
    DynaQ,
    DynaQPlus,
    ForwardSearch,
    MapExplorer,
    MonteCarloSearch,
    QLearning,
    SparseSampling,
    TDSearch,
    TreeSearch,
)
from dynamaze.agents.checks import (
    AGENT_CHECKS,
    AGENT_PROMISES,
    AgentCheckError,
    agent_report,
    check_agent,
)

from .wrong import WrongImplementations

EVERYTHING = frozenset(AGENT_PROMISES)


AGENTS: dict[str, partial[Agent]] = {
    "QLearning": partial(QLearning, learning_rate=0.5),
    "DynaQ": partial(DynaQ, planning_steps=5),
    "prioritised_sweeping": partial(DynaQ, planning_steps=5, planning="prioritised_sweeping"),
    "DynaQPlus": partial(DynaQPlus, planning_steps=5),
    "action bonus": partial(DynaQPlus, planning_steps=5, bonus="action"),
    "MapExplorer": partial(MapExplorer, shape=(1, 4), displacements=((0, -1), (0, 1)), epsilon=0.2),
    "ForwardSearch": partial(ForwardSearch, depth=4, epsilon=0.2),
    "SparseSampling": partial(SparseSampling, width=2, depth=3, epsilon=0.2),
    "MonteCarloSearch": partial(MonteCarloSearch, simulations=40, epsilon=0.2),
    "TreeSearch": partial(TreeSearch, simulations=40, epsilon=0.2),
    "TDSearch": partial(TDSearch, simulations=40, epsilon=0.2),
    "Dyna2": partial(Dyna2, simulations=40, epsilon=0.2),
}


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_agents_pass(name: str) -> None:
    promises = AGENTS[name].func.promises | {"learns"}
    report = check_agent(AGENTS[name], promises=promises, steps=100)
    unpromised = 0 if "deterministic" in promises else 2
    assert len(report.named("passed")) == len(AGENT_CHECKS) - unpromised


def test_agent_promises_are_known() -> None:
    assert Agent.promises | {"learns"} == EVERYTHING


def test_agent_of_vectors_passes() -> None:
    report = check_agent(
        partial(DynaQ, values="tile_coding", planning_steps=5, learning_rate=0.5),
        vectors=True,
        promises=EVERYTHING - {"any_start"},
    )
    assert len(report.named("passed")) == len(AGENT_CHECKS) - 1


def test_sb3_agent_passes() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    report = check_agent(
        lambda env, seed: sb3.DQN(
            "MlpPolicy", env, seed=seed, learning_starts=8, buffer_size=500, batch_size=8
        ),
        promises=frozenset({"callbacks", "deterministic"}),
        expected_failures={
            "predict_does_not_learn": "its exploration draws from NumPy's global generator",
            "saving_changes_nothing": "two agents share the global generators",
        },
    )
    assert len(report.named("passed")) >= 12


# -- a correct agent, and wrong ones -----------------------------------------------------------


class Correct:
    """Q-learning with random exploration, in plain Python."""

    promises = EVERYTHING
    epsilon = 0.3

    def __init__(self, env: Any, seed: int) -> None:
        self.env = env
        self.rng = self.make_rng(seed)
        self.play = np.random.default_rng(seed + 1)
        self.q = np.zeros((env.observation_space.n, 2))
        self.observation: Any = None
        self.num_steps = 0

    def make_rng(self, seed: int) -> Any:
        return np.random.default_rng(seed)

    def learn(self, steps: int, callback: Any = None) -> Any:
        for _ in range(steps):
            if self.observation is None:
                self.observation, _ = self.env.reset()
            s = self.row(self.observation)
            action = int(self.q[s].argmax()) if self.q[s].any() else int(self.rng.integers(2))
            if self.rng.random() < self.epsilon:
                action = int(self.rng.integers(2))
            following, reward, terminated, _, _ = self.env.step(action + self.first())
            self.improve(s, action, reward, self.row(following), terminated)
            self.observation = None if terminated else following
            self.num_steps += 1
            if callback is not None and callback(self.num_steps) is False:
                break
        return self

    def improve(self, s: int, action: int, reward: float, following: int, end: bool) -> None:
        target = reward + 0.9 * (not end) * self.q[following].max()
        self.q[s, action] += 0.5 * (target - self.q[s, action])

    def row(self, observation: Any) -> Any:
        return observation - self.env.observation_space.start

    def first(self) -> int:
        return int(self.env.action_space.start)

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        rows = np.atleast_1d(self.row(observation))
        actions = self.q[rows].argmax(axis=1)
        if not deterministic:
            random = self.play.integers(2, size=len(rows))
            actions = np.where(self.play.random(len(rows)) < self.epsilon, random, actions)
        actions = actions + self.first()
        return (actions if np.ndim(observation) else actions[0]), None

    def set_env(self, env: Any) -> None:
        if env.observation_space != self.env.observation_space:
            raise ValueError("another observation space")
        self.env, self.observation = env, None

    def save(self, path: str) -> None:
        state = {"q": self.q.tolist(), "rng": self.rng.bit_generator.state}
        Path(path).write_text(json.dumps(state), encoding="utf-8")

    @classmethod
    def load(cls, path: str, env: Any) -> Any:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
        agent = cls(env, 0)
        agent.q = np.array(state["q"])
        agent.rng.bit_generator.state = state["rng"]
        return agent


wrong = WrongImplementations()


@wrong("actions_are_in_space")
class Bold(Correct):
    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        return (actions + 2 if not np.ndim(observation) and not deterministic else actions), state


@wrong("batch_gives_batch")
class Vectorised(Correct):
    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        return (actions[:, None] if np.ndim(observation) else actions), state


@wrong("greedy_batch_equals_rows")
class Sorted(Correct):
    """A batch is answered from the back, unless all actions are alike."""

    def learn(self, steps: int, callback: Any = None) -> Any:
        super().learn(steps, callback)
        if steps == 40:
            self.q[0] = [1e-9, 0.0]
        return self

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        return (actions[::-1] if np.ndim(observation) else actions), state


@wrong("state_is_returned")
class Terse(Correct):
    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        answer = super().predict(observation, deterministic)
        return answer if np.ndim(observation) or deterministic else Single(answer[0])


class Single(int):
    """Action that can be indexed, but is no tuple."""

    def __getitem__(self, place: int) -> int:
        return int(self)


@wrong("greedy_actions_are_reproducible")
class Moody(Correct):
    """Every ninth greedy batch is answered with other actions."""

    num_batches = 0

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        self.num_batches += np.ndim(observation) and deterministic
        return (1 - actions if self.num_batches == 9 else actions), state


@wrong("predict_keeps_inputs")
class Eater(Correct):
    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        answer = super().predict(observation, deterministic)
        if np.ndim(observation) and not deterministic and self.num_steps == 40:
            observation[:] = 0
        return answer


@wrong("predict_does_not_learn")
class OneStream(Correct):
    """Predictions and learning draw from one generator."""

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        if not deterministic:
            self.rng.random()
        return super().predict(observation, deterministic)


@wrong("learn_returns_agent")
class Mute(Correct):
    def learn(self, steps: int, callback: Any = None) -> Any:
        super().learn(steps, callback)


@wrong("learn_takes_exact_steps")
class Eager(Correct):
    """The seventh step of a call that wants seven is taken twice."""

    def learn(self, steps: int, callback: Any = None) -> Any:
        return super().learn(8 if steps == 7 else steps, callback)


@wrong("two_calls_equal_one")
class Forgetful(Correct):
    """A call of 13 steps, a third of 40, ends the episode."""

    def learn(self, steps: int, callback: Any = None) -> Any:
        super().learn(steps, callback)
        if steps == 13:
            self.rng.random()
        return self


@wrong("learning_is_reproducible")
class Unseeded(Correct):
    """The 40th step of one call takes a different action in each second agent."""

    count = np.zeros(1, dtype=int)

    def learn(self, steps: int, callback: Any = None) -> Any:
        if steps == 40 and self.num_steps == 0 and type(self.env).__name__ == "RecordedCorridor":
            self.count += 1
            if self.count[0] == 3:
                self.rng.random()
        return super().learn(steps, callback)


@wrong("seeds_differ")
class Seedless(Correct):
    def make_rng(self, seed: int) -> Any:
        return np.random.default_rng(0)


@wrong("global_generators_are_unused")
class Careless(Correct):
    def learn(self, steps: int, callback: Any = None) -> Any:
        np.random.random()  # noqa: NPY002
        return super().learn(steps, callback)


@wrong("agents_share_no_state")
class Shared(Correct):
    """An agent of seed 1 that takes a single step disturbs one of seed 0."""

    others: ClassVar[list[Any]] = []

    def __init__(self, env: Any, seed: int) -> None:
        super().__init__(env, seed)
        self.seed = seed
        if seed == 0:
            self.others[:] = [self]

    def learn(self, steps: int, callback: Any = None) -> Any:
        if self.seed == 1 and steps == 1 and self.others:
            self.others[0].rng.random()
        return super().learn(steps, callback)


@wrong("callback_stops_learning")
class Deaf(Correct):
    def learn(self, steps: int, callback: Any = None) -> Any:
        return super().learn(steps, callback and (lambda *given: callback(*given) or None))


@wrong("corridor_is_learned")
class Lazy(Correct):
    """It likes to stay where it is after a long time."""

    def learn(self, steps: int, callback: Any = None) -> Any:
        super().learn(steps, callback)
        if steps >= 300:
            self.q[0, 0] = 2.0
        return self


@wrong("first_numbers_are_respected")
class FromZero(Correct):
    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        return actions - self.first(), state


@wrong("other_spaces_are_rejected")
class Trusting(Correct):
    def set_env(self, env: Any) -> None:
        self.env, self.observation = env, None


@wrong("file_restores_policy")
class Blank(Correct):
    """The loaded agent gives other greedy actions until it learns."""

    is_loaded = False

    @classmethod
    def load(cls, path: str, env: Any) -> Any:
        agent = super().load(path, env)
        agent.is_loaded = True
        return agent

    def learn(self, steps: int, callback: Any = None) -> Any:
        self.is_loaded = False
        return super().learn(steps, callback)

    def predict(self, observation: Any, deterministic: bool = False) -> Any:
        actions, state = super().predict(observation, deterministic)
        return (1 - actions if self.is_loaded else actions), state


@wrong("file_continues_learning")
class Reseeded(Correct):
    @classmethod
    def load(cls, path: str, env: Any) -> Any:
        agent = super().load(path, env)
        agent.rng = np.random.default_rng(7)
        return agent


@wrong("saving_changes_nothing")
class Draining(Correct):
    def save(self, path: str) -> None:
        self.rng.random()
        super().save(path)


def test_correct_agent_passes() -> None:
    report = check_agent(Correct)
    assert len(report.named("passed")) == len(AGENT_CHECKS)


def test_every_check_has_wrong_agent() -> None:
    assert set(wrong) == set(AGENT_CHECKS)


@pytest.mark.parametrize("check", sorted(AGENT_CHECKS))
def test_wrong_agent_fails_own_check(check: str) -> None:
    Unseeded.count[:] = 0
    assert agent_report(wrong[check]).failures == [check]


def test_check_agent_raises_with_report() -> None:
    with pytest.raises(
        AgentCheckError, match=r"1 checks failed\n(.|\n)*learn_returns_agent +FAILED"
    ):
        check_agent(Mute)
