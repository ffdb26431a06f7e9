"""Golden cases of agents: all pairs of agent and model, agent and planner, model and planner.

How the list was made: the axes stand in `agent_parts`. Each agent that plans in the background
meets each model, and the one whose planner is chosen (Dyna-Q) meets each model with each planner;
each agent that plans at decision time, whose planner is its own, meets each model. What does not
fit together stands in UNFIT. `test_agent_pairs.py` asks the code what fits, and whether every
public agent, model, planner and kind of values has a word here.

Where log, exp or BLAS are computed, numbers are stored, and agents act at random, so that a last
digit does not change what happens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    Agent,
    DynaQ,
    DynaQPlus,
    LinearDyna,
    LinearEvaluation,
    MapExplorer,
    MonteCarloSearch,
    MonteCarloSettings,
    QLearning,
    ScoredModel,
    SparseSampling,
    TrajectoryOptimisation,
    TrajectorySettings,
    TreeSearch,
    TreeSettings,
    UncertaintyBonus,
    Vectors,
)
from dynamaze.agents.linear.evaluation import FeatureTransitions
from dynamaze.agents.models import LEARNED_MODELS
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many
from dynamaze.benchmarks.studies.linear_dyna import chain_episode, chain_features
from dynamaze.common.storage import read_checkpoint

from .agent_parts import (
    ACTIONS,
    LEARN_TOO,
    LEARNED,
    LEARNERS,
    NAMED,
    NEEDS,
    OBJECTS,
    PLANNERS,
    SEARCHERS,
    STATES,
    WORLDS,
    maze,
    model_of,
    point,
)
from .golden import Record, close, combine, exact, needs, summary

Case = Callable[[], Record]

NUMERIC = {*LEARNED, "scored", "checked", "both", "scored_bayes"}
"""Models that compute with log, exp or BLAS."""

NUMERIC_AGENTS = {"tree", "tree_values"}
"""Agents that do."""

UNFIT = {(agent, "copies") for agent in ("forward", "forward_values", "td", "dyna2")}
"""Pairs of agent and model, or of model and planner, that the code refuses."""

RTOL = 1e-5

VALUES = {"table": "table", "tiles": "tile_coding", "network": "network"}
"""Word -> name of action values."""

SWEEPS = {"any": "random", "pushed": "pwma", "popped": "mg"}
"""Word -> which features linear planning updates."""


# -- records ---------------------------------------------------------------------------------------


def played(agent: Agent, steps: int) -> tuple[list[Any], list[float]]:
    """Let an agent learn; return its actions and rewards."""
    actions: list[Any] = []
    rewards: list[float] = []

    def note(step: Any) -> None:
        actions.append(np.array(step.action))
        rewards.append(step.reward)

    agent.learn(steps, note)
    return actions, rewards


def numbers_of(state: Any) -> np.ndarray:
    """Return all numbers of the arrays in the state of a part, in their order."""
    arrays = [np.ravel(part) for part in state.get_state().values() if isinstance(part, np.ndarray)]
    return np.concatenate([np.zeros(0), *(each for each in arrays if each.dtype.kind in "fiub")])


def background(agent: Agent, steps: int, *, bitwise: bool) -> Record:
    """Record a life of an agent and the action values in the end."""
    path = exact(*played(agent, steps), agent.num_episodes, agent.rng.random())
    learned = numbers_of(agent.values)
    return combine(
        path=path, values=exact(learned) if bitwise else close(summary(learned, 4), rtol=RTOL)
    )


def pair(agent: str, model: str, planner: str) -> Record:
    """Record an agent with a model and a planner."""
    needs(*NEEDS.get(model, ()))
    bitwise = model not in NUMERIC
    env = maze()
    cls, arguments = LEARNERS[agent]
    more: dict[str, Any] = {} if planner == "own" else {"planning": PLANNERS[planner]}
    if not bitwise:
        more["epsilon"] = 1.0
    steps = {"dbn": 20}.get(model, 40) if model in LEARNED else 120
    learner = cls(env, model=model_of(model, env), seed=7, **arguments, **more)
    return background(learner, steps, bitwise=bitwise)


def search(agent: str, model: str) -> Record:
    """Record an agent that plans at decision time, and its values of actions in the end."""
    needs(*NEEDS.get(model, ()))
    bitwise = model not in NUMERIC and agent not in NUMERIC_AGENTS
    env = maze()
    cls, arguments = SEARCHERS[agent]
    steps = 15 if model in LEARNED or model == "copies" else 70
    if model in NUMERIC:
        arguments = {**arguments, "epsilon": 1.0}
    searcher = cls(env, model=model_of(model, env), seed=7, **arguments)
    path = exact(*played(searcher, steps), searcher.num_episodes, searcher.rng.random())
    here = env.unwrapped.layout.index(env.unwrapped.agent)
    rows = np.array([here] if model == "copies" else [here, 0])  # the start is row 0
    rng = np.random.default_rng(5)
    found = searcher.planning.action_values(searcher.values, searcher.model, rows, rng)
    parts = {"path": path, "found": exact(found) if bitwise else close(found.ravel(), rtol=RTOL)}
    if agent in LEARN_TOO:
        learned = numbers_of(searcher.values)
        parts["values"] = exact(learned) if bitwise else close(summary(learned, 4), rtol=RTOL)
    return combine(**parts)


TREES: dict[str, dict[str, Any]] = {
    "shared": {"settings": TreeSettings(transpositions=True)},
    "fresh": {"settings": TreeSettings(reuse=False, max_nodes=40)},
    "curious": {
        "settings": TreeSettings(first_play_urgency=1.0),
        "model": "maximum_likelihood",
    },
    "greedy": {"settings": TreeSettings(exploration_constant=0.1), "gamma": 0.8},
}
"""Word -> arguments of a tree search."""


def tree(word: str) -> Record:
    """Record tree search with other arguments, and the shares of the root's visits."""
    env = maze()
    agent = TreeSearch(env, simulations=24, depth=8, seed=7, **TREES[word])
    path = exact(*played(agent, 60))
    shares = agent.action_probabilities(np.array([env.unwrapped.layout.index(env.unwrapped.agent)]))
    return combine(path=path, shares=close(shares.ravel(), rtol=RTOL))


VECTOR_SEARCHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tree": (
        TreeSearch,
        {"simulations": 12, "depth": 5, "settings": TreeSettings(outcome_widening=(1.0, 0.5))},
    ),
    "sparse": (SparseSampling, {"width": 1, "depth": 2, "leaf_value": "values"}),
    "rollouts": (
        MonteCarloSearch,
        {"simulations": 12, "depth": 5, "settings": MonteCarloSettings(leaf_value="values")},
    ),
}
"""Word -> agent that searches among vectors, and its arguments."""


def search_vectors(agent: str, model: str) -> Record:
    """Record an agent that plans at decision time in a continuous maze."""
    needs(*NEEDS.get(model, ()))
    env = point()
    cls, arguments = VECTOR_SEARCHERS[agent]
    searcher = cls(
        env, model=model_of(model, env), values="tile_coding", epsilon=1.0, seed=7, **arguments
    )
    path = exact(*played(searcher, 12))
    here = env.unwrapped.position
    rows = np.array([here] if model == "copies" else [here, (0.5, 0.5)])  # the start
    rng = np.random.default_rng(5)
    found = searcher.planning.action_values(searcher.values, searcher.model, rows, rng)
    return combine(path=path, found=close(found.ravel(), rtol=1e-4, atol=1e-6))


def predictions() -> Record:
    """Record what a trained agent would do, and with which probabilities."""
    agent = DynaQ(maze(), planning_steps=5, epsilon=0.3, seed=7).learn(200)
    states = np.arange(STATES)
    return exact(
        agent.predict(states)[0],
        agent.predict(states, deterministic=True)[0],
        agent.predict(3)[0],
        agent.action_probabilities(states),
    )


def values(kind: str, model: str) -> Record:
    """Record Dyna-Q with action values beyond a table, in a continuous maze."""
    needs(*NEEDS.get(kind, ()), *NEEDS.get(model, ()))
    env = point()
    given: Any = NAMED.get(model, model)
    if model == "scored_bayes":
        vectors = Vectors(env.observation_space)
        inside = LEARNED_MODELS["bayesian_linear"].on_vectors(
            vectors, ACTIONS, np.random.SeedSequence(3)
        )
        given = UncertaintyBonus(ScoredModel(inside), weight=0.04)
    agent = DynaQ(env, values=VALUES[kind], model=given, planning_steps=3, epsilon=1.0, seed=7)
    actions, rewards = played(agent, 40)
    states = np.array([[0.5, 0.5], [1.5, 0.7], [2.9, 2.1]])
    found = agent.values.values(states)
    return combine(path=exact(actions, rewards), found=close(found, rtol=1e-4, atol=1e-6))


def explorer() -> Record:
    """Record the agent that plans on a map."""
    agent = MapExplorer(maze(), seed=7)
    return exact(*played(agent, 120), agent.num_episodes, agent.rng.random())


def model_free(kind: str) -> Record:
    """Record Q-learning with each kind of values."""
    needs(*NEEDS.get(kind, ()))
    if kind == "table":
        return background(QLearning(maze(), learning_rate=0.5, seed=7), 500, bitwise=True)
    agent = QLearning(point(), values=VALUES[kind], epsilon=1.0, seed=7)
    actions, rewards = played(agent, 100)
    found = agent.values.values(np.array([[0.5, 0.5], [1.5, 0.7], [2.9, 2.1]]))
    return combine(path=exact(actions, rewards), found=close(found, rtol=1e-4, atol=1e-6))


def model_alone(word: str) -> Record:
    """Record what a model predicts and draws after a life at random."""
    needs(*NEEDS.get(word, ()))
    env = maze()
    agent = DynaQ(env, model=model_of(word, env), planning_steps=0, epsilon=1.0, seed=7)
    agent.learn(80)
    model: Any = agent.model
    pairs = np.divmod(np.arange(STATES * ACTIONS), ACTIONS)
    parts = [np.ravel(column) for column in model.sample(30, np.random.default_rng(1))]
    if "predict" in model.capabilities:
        parts += [np.ravel(part) for part in model.predict(*pairs) if part is not None]
    for state in range(STATES):
        parts += [np.ravel(part) for part in model.distribution(state, 1)]
    if word not in NUMERIC:
        return exact(parts)
    found = np.concatenate(parts).astype(np.float64)
    return close(summary(found, 15), rtol=1e-4, atol=1e-6)


def continuous(method: str, model: str) -> Record:
    """Record search among continuous actions."""
    needs(*NEEDS.get(model, ()))
    learning: dict[str, Any] = {"planning_steps": 3}
    if model == "copies":  # they only stand where the environment stands
        learning = {"planning_steps": 0, "values": lambda states: states.sum(axis=1)}
    agent = TrajectoryOptimisation(
        point("continuous"),
        model=model_of(model, None),
        method=method,
        horizon=3,
        settings=TrajectorySettings(num_candidates=8, iterations=2, elites=3, particles=1),
        seed=7,
        **learning,
    )
    actions, rewards = played(agent, 12)
    return combine(
        actions=close(np.array(actions).ravel(), rtol=1e-4, atol=1e-5),
        rewards=close(rewards),
        values=close(summary(numbers_of(agent.values)), rtol=1e-4, atol=1e-6),
    )


def continuous_values(kind: Any) -> Record:
    """Record search among continuous actions with other values at the plans' ends."""
    agent = TrajectoryOptimisation(
        point("continuous"),
        model="true",
        values=kind,
        horizon=3,
        settings=TrajectorySettings(num_candidates=8, elites=3),
        seed=7,
    )
    return close(np.array(played(agent, 10)[0]).ravel(), rtol=1e-4, atol=1e-5)


def linear(sweep: str | None, is_point: bool) -> Record:
    """Record linear Dyna."""
    agent = LinearDyna(
        point() if is_point else maze(), sweep=sweep, planning_steps=5, epsilon=1.0, seed=7
    )
    path = exact(*played(agent, 100))
    numbers = np.concatenate([numbers_of(agent.values), numbers_of(agent.model)])
    return combine(path=path, values=close(summary(numbers, 15), rtol=RTOL))


def evaluation(sweep: str, model: str) -> Record:
    """Record linear policy evaluation in Boyan's chain."""
    features, rng = chain_features(4), np.random.default_rng(0)
    parts = [chain_episode(features, rng) for _ in range(4)]
    batch = FeatureTransitions(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    found = LinearEvaluation(4, sweep=sweep, model=model, planning_steps=5, gamma=0.9)
    found.update(batch, np.random.default_rng(1))
    return combine(
        theta=close(found.theta, rtol=RTOL), matrix=close(found.matrix.ravel(), rtol=RTOL)
    )


# -- whole runs ------------------------------------------------------------------------------------


def doubtful(env: gym.Env[Any, Any], seed: Any) -> DynaQ:
    """Make Dyna-Q with a model that is scored, and a bonus for uncertainty."""
    return DynaQ(env, model=OBJECTS["both"](env), learning_rate=1.0, planning_steps=5, seed=seed)


RUNS: dict[str, Any] = {
    "free": partial(QLearning, learning_rate=0.5),
    "dyna": partial(DynaQ, planning_steps=5),
    "dyna_counts": partial(DynaQ, planning_steps=5, model="maximum_likelihood"),
    "dyna_memory": partial(DynaQ, planning_steps=5, model="stored_experience"),
    "dyna_forgets": partial(DynaQ, planning_steps=5, model="forgetting_maximum_likelihood"),
    "plus": partial(DynaQPlus, planning_steps=5, kappa=0.01),
    "plus_counts": partial(DynaQPlus, planning_steps=5, model="maximum_likelihood"),
    "plus_action": partial(DynaQPlus, planning_steps=5, kappa=0.01, bonus="action"),
    "expected": partial(
        DynaQ, planning_steps=5, planning="uniform_expected", model="maximum_likelihood"
    ),
    "backward": partial(DynaQ, planning_steps=5, planning="backward"),
    "sweeping": partial(DynaQ, planning_steps=5, planning="prioritised_sweeping"),
    "trajectories": partial(
        DynaQ, planning_steps=5, planning="trajectory_sampling", model="maximum_likelihood"
    ),
    "solve": partial(DynaQ, planning="dynamic_programming"),
    "doubtful": doubtful,
}
"""Word -> what makes an agent for compiled runs."""


def whole_runs(word: str) -> Record:
    """Record compiled runs; the agent step by step must give the same bits."""
    env, make, steps = maze(), RUNS[word], 300
    runs = run_many(partial(make, env), runs=3, steps=steps, seed=11, workers=1)
    agent = make(env, seed=np.random.SeedSequence(11).spawn(3)[0])
    _, rewards = played(agent, steps)
    if not (np.array_equal(runs.rewards[0], rewards) and np.array_equal(runs.q[0], agent.values.q)):
        raise AssertionError(f"run {word!r} differs from the agent step by step")
    if word == "doubtful":
        return combine(rewards=exact(runs.rewards), q=close(summary(runs.q, 15), rtol=RTOL))
    return exact(runs.rewards, runs.q)


def whole_episodes() -> Record:
    """Record compiled runs that count episodes."""
    make = partial(DynaQPlus, maze(), planning_steps=5)
    runs = run_many(make, runs=4, episodes=20, seed=3, workers=2)
    return exact(runs.episode_steps, runs.q)


def changing_runs(name: str, arguments: dict[str, Any]) -> Record:
    """Record compiled runs in a registered environment that changes."""
    env = gym.make(name, **arguments)
    runs = run_many(
        partial(DynaQPlus, env, planning_steps=3), runs=2, steps=1500, seed=5, workers=1
    )
    return exact(runs.rewards, runs.q)


# -- files and other libraries ---------------------------------------------------------------------


def saved(agent: Agent, steps: int) -> Record:
    """Record the arrays of a checkpoint and the values of an agent that goes on from it."""
    agent.learn(steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.npz"
        agent.save(path)
        arrays, _ = read_checkpoint(path)
        again = type(agent).load(path, env=agent.env)
    again.learn(50)
    return combine(arrays=exact(arrays), later=exact(numbers_of(again.values)))


def other_library() -> Record:
    """Record DQN of Stable-Baselines3 with simulated experience."""
    needs("torch", "stable_baselines3")
    import torch
    from stable_baselines3 import DQN

    from dynamaze.agents.sb3 import DynaCallback

    algorithm = DQN(
        "MlpPolicy",
        point(),
        train_freq=4,
        gradient_steps=2,
        learning_starts=40,
        batch_size=16,
        buffer_size=500,
        policy_kwargs={"net_arch": [8]},
        exploration_initial_eps=1.0,
        exploration_final_eps=1.0,
        device="cpu",
        seed=0,
    )
    callback = DynaCallback(
        "linear",
        real_ratio=0.5,
        rollout_length=2,
        rollouts=16,
        train_every=20,
        retained_rounds=2,
        seed=0,
    )
    algorithm.learn(160, callback=callback)
    states = torch.tensor([[0.5, 0.5], [1.5, 0.7], [2.9, 2.1]])
    with torch.no_grad():
        found = algorithm.q_net(states).numpy()
    return combine(
        counts=exact(callback.num_real, callback.num_simulated),
        found=close(found, rtol=1e-3, atol=1e-5),
    )


# -- the list --------------------------------------------------------------------------------------


def fitting(agents: Any, models: Any) -> list[tuple[str, str]]:
    """Return the pairs of two axes that fit."""
    pairs = [(first, second) for first in agents for second in models]
    return [each for each in pairs if each not in UNFIT]


MODEL_PLANNER = fitting((*NAMED, *OBJECTS), PLANNERS)
PLUS_MODEL = fitting(("plus", "plus_action"), (*NAMED, *OBJECTS))
SEARCH_MODEL = fitting(SEARCHERS, (*NAMED, *OBJECTS, *WORLDS))
VALUES_MODEL = fitting(("tiles", "network"), ("memory", *LEARNED, "scored_bayes"))
VECTOR_SEARCH_MODEL = fitting(VECTOR_SEARCHERS, ("copies", *LEARNED))
CONTINUOUS_MODEL = fitting(("cem", "mppi"), (*LEARNED, *WORLDS))

CASES: dict[str, Case] = {
    **{f"dyna.{m}.{p}": partial(pair, "dyna", m, p) for m, p in MODEL_PLANNER},
    **{f"{a}.{m}": partial(pair, a, m, "own") for a, m in PLUS_MODEL},
    **{f"{a}.{m}": partial(search, a, m) for a, m in SEARCH_MODEL},
    **{f"values.{v}.{m}": partial(values, v, m) for v, m in VALUES_MODEL},
    **{f"tree.{word}": partial(tree, word) for word in TREES},
    **{f"vectors.{a}.{m}": partial(search_vectors, a, m) for a, m in VECTOR_SEARCH_MODEL},
    "dyna.predictions": predictions,
    **{f"free.{v}": partial(model_free, v) for v in VALUES},
    "explorer": explorer,
    **{f"model.{m}": partial(model_alone, m) for m in (*NAMED, *OBJECTS)},
    **{f"{c}.{m}": partial(continuous, c, m) for c, m in CONTINUOUS_MODEL},
    "cem.end_zero": partial(continuous_values, "zero"),
    "cem.end_function": partial(continuous_values, lambda states: states.sum(axis=1)),
    **{f"linear.{word}": partial(linear, name, False) for word, name in SWEEPS.items()},
    "linear.seen": partial(linear, "seen", False),
    "linear.point": partial(linear, None, True),
    **{
        f"evaluation.{key}.{word}": partial(evaluation, name, model)
        for word, name in SWEEPS.items()
        for key, model in (("lms", "least_mean_squares"), ("rls", "recursive_least_squares"))
    },
    **{f"run.{word}": partial(whole_runs, word) for word in RUNS},
    "run.episodes": whole_episodes,
    "run.drifting": partial(
        changing_runs,
        "DynaMazeDrifting-v0",
        {"random_changes": {"probability": 0.05, "what": ["walls", "start"]}},
    ),
    "run.generated": partial(
        changing_runs,
        "DynaMazeGenerated-v0",
        {"size": 5, "levels": 4, "observation": "index", "max_episode_steps": 60},
    ),
    "run.blocking": partial(changing_runs, "DynaMazeBlocking-v0", {}),
    "saved.free": lambda: saved(QLearning(maze(), seed=3), 100),
    "saved.dyna": lambda: saved(DynaQ(maze(), model="maximum_likelihood", seed=3), 100),
    "saved.plus": lambda: saved(DynaQPlus(maze(), seed=3), 100),
    "saved.sweeping": lambda: saved(DynaQ(maze(), planning="prioritised_sweeping", seed=3), 100),
    "saved.tree": lambda: saved(TreeSearch(maze(), simulations=8, depth=5, seed=3), 20),
    "other.dqn": other_library,
}
