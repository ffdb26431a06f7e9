"""Conformance suite of agents: `learn`, `predict`, `save` and `load`, as in Stable-Baselines3."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.common.conformance import Check, Report, Suite, collect, needs, require

from .environments import Corridor
from .errors import AgentCheckError
from .learning import equal, require_unused_generators

STEPS = 40
"""Real steps of learning before most checks."""


def check_agent(factory: Callable[..., Any], **options: Any) -> Report:
    """Run every check on agents of a factory, and raise an error if one fails.

    Args:
        factory: called as `factory(env, seed=int)` with a `Corridor`, makes a new agent, for
            example `functools.partial(DynaQ, planning_steps=5)`.
        options: see `agent_report`.

    Returns:
        The report, without failures.

    Raises:
        AgentCheckError: (an AssertionError) with the report, if a check failed.
    """
    return SUITE.passed(agent_report(factory, **options))


def agent_report(
    factory: Callable[..., Any],
    *,
    vectors: bool = False,
    promises: frozenset[str] | None = None,
    steps: int = 300,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Return the results of every check on agents of a factory.

    The environment is a corridor of three states with its goal at the right end (`Corridor`).

    Args:
        factory: see `check_agent`.
        vectors: if True observations are vectors of a `Box`, otherwise numbers of a `Discrete`.
        promises: some of `AGENT_PROMISES`; by default the agent's attribute `promises`.
        steps: real steps after which the agent should have learned the corridor.
        expected_failures: check -> reason of its failure; if it passes, that is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    agent = factory(Corridor(vectors=vectors), seed=0)
    promised = frozenset(getattr(agent, "promises", ())) if promises is None else promises
    has_files = hasattr(agent, "save") and hasattr(agent, "load")
    return SUITE.report(
        AgentCase(factory, vectors, steps),
        frozenset({"files"}) if has_files else frozenset(),
        promised,
        expected_failures,
    )


@dataclass(frozen=True)
class AgentCase:
    """Factory of an agent, and the environment of its checks."""

    factory: Callable[..., Any]
    vectors: bool
    steps: int

    def env(self, **options: Any) -> Corridor:
        """Return a new corridor."""
        return Corridor(vectors=self.vectors, **options)

    def recorded(self) -> RecordedCorridor:
        """Return a new corridor that records the actions."""
        return RecordedCorridor(vectors=self.vectors)

    def make(self, env: Corridor | None = None, seed: int = 0) -> Any:
        """Return a new agent, in a new corridor where none is given."""
        return self.factory(self.env() if env is None else env, seed=seed)

    def learned(self, steps: int = STEPS, seed: int = 0) -> Any:
        """Return a new agent after some real steps."""
        agent = self.make(seed=seed)
        agent.learn(steps)
        return agent

    def observations(self, env: Corridor | None = None) -> Any:
        """Return a batch of the observations of all states but the goal."""
        env = self.env() if env is None else env
        if self.vectors:
            return np.arange(env.length)[:, None] / env.length
        return np.arange(env.length) + env.start

    def actions(self, agent: Any) -> Any:
        """Return the greedy actions in all states but the goal."""
        return copy.deepcopy(agent.predict(self.observations(), deterministic=True)[0])

    def after(self, agent: Any, steps: int = STEPS) -> Any:
        """Return the actions that an agent takes during further learning, and learned greedy ones.

        They show whether two agents are equal, also in their random numbers.
        """
        env = self.recorded()
        agent.set_env(env)
        agent.learn(steps)
        return env.taken, self.actions(agent).tolist()


class RecordedCorridor(Corridor):
    """Corridor that records the actions taken."""

    def __init__(self, length: int = 3, *, start: int = 0, vectors: bool = False) -> None:
        super().__init__(length, start=start, vectors=vectors)
        self.taken: list[int] = []

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Record the action and move."""
        self.taken.append(int(action))
        return super().step(action)


# -- predict -----------------------------------------------------------------------------------


def actions_are_in_space(case: AgentCase) -> None:
    """Actions are members of the action space, greedy or not."""
    agent, space = case.learned(), case.env().action_space
    for deterministic in (True, False):
        for observation in case.observations():
            action = agent.predict(observation, deterministic=deterministic)[0]
            require(
                space.contains(np.int64(action)), f"predict returned {action!r}; not in {space}"
            )


def batch_gives_batch(case: AgentCase) -> None:
    """A batch of observations gives as many actions; one observation gives one without an axis."""
    agent, batch = case.learned(), case.observations()
    shapes = [np.shape(agent.predict(each, deterministic=True)[0]) for each in (batch, batch[0])]
    expected = [(len(batch),), ()]
    require(shapes == expected, f"actions have shapes {shapes}; expected {expected}")


@needs("deterministic")
def greedy_batch_equals_rows(case: AgentCase) -> None:
    """The greedy actions of a batch equal those of its rows."""
    agent, batch = case.learned(), case.observations()
    together = np.asarray(agent.predict(batch, deterministic=True)[0]).ravel()
    alone = [int(agent.predict(each, deterministic=True)[0]) for each in batch]
    require(together.tolist() == alone, f"actions {together.tolist()} in a batch and {alone} alone")


def state_is_returned(case: AgentCase) -> None:
    """`predict` returns the action and the state, as Stable-Baselines3's policies do."""
    returned = case.learned().predict(case.observations()[0])
    require(
        isinstance(returned, tuple) and len(returned) == 2,
        f"predict returned {returned!r}; expected (action, state)",
    )


@needs("deterministic")
def greedy_actions_are_reproducible(case: AgentCase) -> None:
    """Equal observations give equal greedy actions."""
    agent = case.learned()
    found = [np.asarray(case.actions(agent)).tolist() for _ in range(10)]
    require(found == found[:1] * 10, "deterministic=True gave different actions")


def predict_keeps_inputs(case: AgentCase) -> None:
    """`predict` does not modify its argument."""
    agent, batch = case.learned(), case.observations()
    before = batch.copy()
    agent.predict(batch)
    require(equal(batch, before), "predict changed the array that it was given")


def predict_does_not_learn(case: AgentCase) -> None:
    """Predictions, greedy or not, do not change what is learned and done afterwards."""
    agents = [case.learned(), case.learned()]
    for deterministic in (True, False):
        for _ in range(5):
            agents[0].predict(case.observations(), deterministic=deterministic)
    require(equal(*[case.after(each) for each in agents]), "learning differs after predictions")


# -- learn -------------------------------------------------------------------------------------


def learn_returns_agent(case: AgentCase) -> None:
    """`learn` returns the agent itself."""
    agent = case.make()
    require(agent.learn(1) is agent, "learn did not return the agent")


@needs("exact_steps")
def learn_takes_exact_steps(case: AgentCase) -> None:
    """`learn(n)` takes exactly n steps of the environment."""
    env = case.env()
    agent = case.make(env)
    for steps in (1, 7, 0):
        before = env.num_steps
        agent.learn(steps)
        taken = env.num_steps - before
        require(taken == steps, f"learn({steps}) took {taken} steps")


@needs("exact_steps")
def two_calls_equal_one(case: AgentCase) -> None:
    """Two calls of `learn` equal one long call."""
    at_once, in_parts = (
        case.recorded(),
        case.recorded(),
    )
    case.make(at_once).learn(STEPS)
    agent = case.make(in_parts)
    for steps in (STEPS // 3, STEPS - STEPS // 3):
        agent.learn(steps)
    require(at_once.taken == in_parts.taken, "two calls of learn differ from one of as many steps")


def learning_is_reproducible(case: AgentCase) -> None:
    """Agents of equal seeds act and learn equally."""
    envs = [case.recorded() for _ in range(2)]
    for env in envs:
        case.make(env).learn(STEPS)
    require(envs[0].taken == envs[1].taken, "equal seeds gave different actions")


def seeds_differ(case: AgentCase) -> None:
    """Agents of different seeds act differently."""
    taken = []
    for seed in range(4):
        env = case.recorded()
        case.make(env, seed).learn(STEPS)
        taken.append(env.taken)
    require(any(each != taken[0] for each in taken[1:]), "four seeds gave equal actions")


@needs("own_generators")
def global_generators_are_unused(case: AgentCase) -> None:
    """Neither NumPy's nor Python's global generator is used."""
    require_unused_generators(lambda: case.actions(case.learned()))


@needs("own_generators")
def agents_share_no_state(case: AgentCase) -> None:
    """Two agents that learn in turns act as each does alone."""
    alone = case.recorded()
    case.make(alone).learn(STEPS)
    env = case.recorded()
    agent, other = case.make(env), case.make(seed=1)
    for _ in range(STEPS):
        agent.learn(1)
        other.learn(1)
    require(env.taken == alone.taken, "an agent acts differently when another one learns, too")


@needs("callbacks")
def callback_stops_learning(case: AgentCase) -> None:
    """A callback is called at each step, and stops learning by returning False."""
    env, calls = case.env(), []

    def callback(*given: Any) -> bool:
        calls.append(given)
        return len(calls) < 5

    case.make(env).learn(STEPS, callback=callback)
    require(len(calls) == 5, f"the callback was called {len(calls)} times; expected 5")
    require(env.num_steps == 5, f"took {env.num_steps} steps; expected the callback to stop at 5")


@needs("learns")
def corridor_is_learned(case: AgentCase) -> None:
    """The greedy policy leads straight to the goal."""
    actions = np.asarray(case.actions(case.learned(case.steps))).ravel().tolist()
    require(
        actions == [Corridor.RIGHT] * len(actions),
        f"greedy actions {actions} after {case.steps} steps; expected {Corridor.RIGHT} everywhere",
    )


@needs("any_start")
def first_numbers_are_respected(case: AgentCase) -> None:
    """Observations and actions may begin at a number other than 0."""
    env = case.env(start=2)
    agent = case.make(env)
    agent.learn(STEPS)
    for action in np.asarray(agent.predict(case.observations(env))[0]).ravel():
        require(
            env.action_space.contains(action),
            f"action {action}; expected one of {env.action_space}",
        )


# -- another environment, and files ------------------------------------------------------------


def other_spaces_are_rejected(case: AgentCase) -> None:
    """`set_env` rejects an environment of other spaces and keeps the one it has."""
    env = case.env()
    agent = case.make(env)
    try:
        agent.set_env(case.env(start=3))
    except (ValueError, TypeError, AssertionError):
        agent.learn(1)
        require(env.num_steps > 0, "the agent left its environment after set_env had failed")
        return
    raise AssertionError("set_env accepted an environment of other spaces; expected a ValueError")


@needs("files")
def file_restores_policy(case: AgentCase) -> None:
    """A loaded agent has the greedy actions of the saved one."""
    agent = case.learned()
    with _saved(agent) as path:
        loaded = type(agent).load(path, env=case.env())
    require(
        equal(np.asarray(case.actions(agent)), np.asarray(case.actions(loaded))),
        "the loaded agent has other greedy actions than the saved one",
    )


@needs("files", "exact_resume")
def file_continues_learning(case: AgentCase) -> None:
    """A loaded agent goes on learning as the saved one would have."""
    agent = case.learned()
    with _saved(agent) as path:
        loaded = type(agent).load(path, env=case.env())
    require(equal(case.after(loaded), case.after(agent)), "the loaded agent learns differently")


@needs("files")
def saving_changes_nothing(case: AgentCase) -> None:
    """Saving does not change what the agent does afterwards."""
    agents = [case.learned(), case.learned()]
    with _saved(agents[0]):
        pass
    require(equal(*[case.after(each) for each in agents]), "learning differs after saving")


@contextmanager
def _saved(agent: Any) -> Iterator[str]:
    """Save an agent in a temporary folder, and give the path of its file."""
    with tempfile.TemporaryDirectory() as folder:
        agent.save(str(Path(folder) / "agent"))
        (path,) = Path(folder).iterdir()  # Stable-Baselines3 appends ".zip"
        yield str(path)


AGENT_CHECKS: dict[str, Check] = collect(
    actions_are_in_space,
    batch_gives_batch,
    greedy_batch_equals_rows,
    state_is_returned,
    greedy_actions_are_reproducible,
    predict_keeps_inputs,
    predict_does_not_learn,
    learn_returns_agent,
    learn_takes_exact_steps,
    two_calls_equal_one,
    learning_is_reproducible,
    seeds_differ,
    global_generators_are_unused,
    agents_share_no_state,
    callback_stops_learning,
    corridor_is_learned,
    first_numbers_are_respected,
    other_spaces_are_rejected,
    file_restores_policy,
    file_continues_learning,
    saving_changes_nothing,
)
"""Name -> check, in the order of execution; each docstring states the promise."""

AGENT_PROMISES = {
    "learns": "the greedy policy solves the corridor after the given number of steps",
    "deterministic": "greedy actions depend on the observation alone; a random search's need not",
    "exact_steps": "`learn(n)` takes exactly n steps, and continues where the last call ended",
    "own_generators": "all randomness comes from the agent's own seed",
    "callbacks": "`learn(callback=function)` calls the function at each step; False stops learning",
    "any_start": "spaces `Discrete(n, start=k)` are supported",
    "exact_resume": "a loaded agent continues bit-identically",
}
"""Promises that an agent may declare by its attribute `promises`."""

SUITE = Suite("agent", AGENT_PROMISES, AGENT_CHECKS, AgentCheckError)
