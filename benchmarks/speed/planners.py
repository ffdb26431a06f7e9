"""Speed of background and decision-time planners and of Dyna-Q, on one core."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQ, LatestOutcome, PrioritisedSweeping, TableValues, Transitions
from dynamaze.agents.planning.prioritised_sweeping import QUEUED
from dynamaze.agents.search.mcts.agent import TreeSearchPlanning, TreeSettings
from dynamaze.benchmarks.figures.example_8_4 import enlarged_maze
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many
from dynamaze.benchmarks.harness.timing import Measure, SpeedRow, median_seconds, time_alternately
from dynamaze.benchmarks.speed.c_dyna_q import build_c_dyna_q, find_compiler

UniformSampler = Callable[[], float]
"""Returns a number in [0, 1)."""

DEPTH, GAMMA = 50, 0.95
SWEEPS = 20
TOTAL_SIMULATIONS = 40_000
"""Simulations of all timed decisions together; the number of decisions follows from it."""


def tree_search(repeats: int) -> list[SpeedRow]:
    """UCT from the start of the 6x9 maze, with a model of it in a table, to a depth of 50.

    A simulation is selection, expansion by one node, a random rollout to the depth, and backup.
    Each decision begins with an empty tree, as for an agent. With transpositions most of the 50
    steps are soon in the tree, where a step costs more than in a rollout.
    """
    model, _, start = complete_model()
    values = TableValues(model.num_states, model.num_actions, learning_rate=1.0, gamma=GAMMA)
    rng = np.random.Generator(np.random.SFC64(0))
    rows = []
    for simulations in (50, 1000, 10_000):
        for transpositions in (False, True):
            settings = TreeSettings(transpositions=transpositions)
            planning = TreeSearchPlanning(simulations, depth=DEPTH, settings=settings)
            ours, fewer = max(TOTAL_SIMULATIONS // simulations, 1), max(400 // simulations, 1)
            pair = time_alternately(
                partial(decide, planning, values, model, start, rng, ours),
                partial(plain_searches, model, start, min(simulations, 400), fewer),
                repeats,
            )
            rate = simulations * ours / pair.ours / 1e6
            plain = min(simulations, 400) * fewer / pair.baseline / 1e6
            name = f"UCT, {simulations} simulations" + (", transpositions" * transpositions)
            rows.append(
                SpeedRow(
                    name,
                    f"{rate:.2f} M/s",
                    "the same in plain Python",
                    f"{plain * 1e3:.0f} k/s",
                    f"{rate / plain:.0f}x",
                    "" if transpositions else ">= 1 M/s",
                    transpositions or rate >= 1,
                )
            )
    return rows


def sweeping(repeats: int) -> list[SpeedRow]:
    """Prioritised sweeping of the maze of 1350 cells, from the goal to all cells.

    An operation on the queue inserts a pair, changes its priority, takes it or removes it; the time
    includes the updates, predecessors and errors.
    """
    model, seen, _ = complete_model(enlarged_maze(5))
    rng = np.random.Generator(np.random.SFC64(0))

    def begin() -> tuple[PrioritisedSweeping, TableValues]:
        planning = PrioritisedSweeping(10_000_000)
        size = (model.num_states, model.num_actions)
        values = TableValues(*size, learning_rate=1.0, gamma=GAMMA)
        planning.record_transition(values, model, seen)
        return planning, values

    prepared = [begin() for _ in range(SWEEPS * (repeats + 1))]

    def sweep() -> None:
        for _ in range(SWEEPS):
            planning, values = prepared.pop()
            planning.plan(values, model, rng)

    planning, values = begin()
    planning.plan(values, model, rng)
    operations = int(planning.record.counts[QUEUED])
    pair = time_alternately(sweep, partial(plain_queue, operations), repeats)
    rate, baseline = SWEEPS * operations / pair.ours / 1e6, operations / pair.baseline / 1e6
    return [
        SpeedRow(
            f"sweeping 1350 cells, {operations} operations on the queue",
            f"{rate:.1f} M/s",
            "heapq alone, put and take",
            f"{baseline:.1f} M/s",
            f"{rate / baseline:.1f}x",
            ">= 10 M/s",
            rate >= 10,
        )
    ]


def plain_queue(operations: int) -> None:
    """Make this number of operations on `heapq`, half of them insertions."""
    queue: list[tuple[float, int]] = []
    priorities = np.random.default_rng(0).random(operations).tolist()
    for item in range(operations // 2):
        heappush(queue, (priorities[item], item))
    while queue:
        heappop(queue)


def complete_model(layout: str = "dyna") -> tuple[LatestOutcome, Transitions, int]:
    """Return a table model that has seen every pair of a maze, the transitions, and the start."""
    env: Any = gym.make("DynaMaze-v0", layout=layout)
    start, _ = env.reset(seed=0)
    mdp = env.unwrapped.mdp
    states, actions, _ = mdp.next_state.shape
    model = LatestOutcome(states, actions)
    pairs = np.divmod(np.arange(states * actions), actions)
    columns = (mdp.reward, mdp.next_state, mdp.terminated)
    seen = Transitions(*pairs, *(column[:, :, 0].ravel() for column in columns))
    model.update(seen)
    return model, seen, int(start)


def decide(
    planning: TreeSearchPlanning,
    values: TableValues,
    model: LatestOutcome,
    start: int,
    rng: np.random.Generator,
    decisions: int,
) -> None:
    """Search from the start with an empty tree, for each decision."""
    rows = np.array([start])
    for _ in range(decisions):
        planning.action_values(values, model, rows, rng)


def planning_updates(repeats: int) -> list[SpeedRow]:
    """Planning updates of a compiled run on one core, against the same loop in C."""
    if find_compiler() is None:
        cells = {"baseline": "C", "baseline_speed": "no C compiler", "target": ">= 0.8 of C"}
        return [SpeedRow("planning updates, n=50", "", **cells, met=False)]
    steps, planning_steps = 400_000, 50
    env = gym.make("DynaMaze-v0", max_episode_steps=-1)
    agent = partial(DynaQ, env, planning_steps=planning_steps)
    with tempfile.TemporaryDirectory() as folder:
        c_dyna_q = build_c_dyna_q(Path(folder))
        pair = time_alternately(
            lambda: run_many(agent, runs=1, steps=steps, seed=0, workers=1),
            lambda: c_dyna_q(agent(seed=0), steps),
            repeats + 2,
        )
    updates = steps * planning_steps / 1e6
    return [
        SpeedRow(
            "planning updates, n=50, one core",
            f"{updates / pair.ours:.0f} M/s",
            "the same loop in C, gcc -O3",
            f"{updates / pair.baseline:.0f} M/s",
            f"{pair.ratio:.2f} of C",
            ">= 0.8 of C",
            pair.ratio >= 0.8,
        )
    ]


def step_by_step_agent(repeats: int) -> list[SpeedRow]:
    """Real steps of the agent in Python."""
    steps = 10_000
    agent = DynaQ("DynaMaze-v0", planning_steps=50, seed=0).learn(1000)
    rate = steps / median_seconds(lambda: agent.learn(steps), repeats) / 1e3
    speed = f"{rate:.0f} k steps/s"
    return [SpeedRow("step-by-step Dyna-Q, n=50", speed, target=">= 40 k/s", met=rate >= 40)]


# -- baseline in plain Python ------------------------------------------------------------------


class PlainNode:
    """Node of a search tree in plain Python."""

    def __init__(self, state: int, num_actions: int) -> None:
        self.state = state
        self.visits = [0] * num_actions
        self.mean = [0.0] * num_actions
        self.children: dict[tuple[int, int], PlainNode] = {}


class PlainModel(NamedTuple):
    """Deterministic model as lists."""

    num_actions: int
    next_state: list[int]
    reward: list[float]
    terminated: list[bool]


def plain_searches(model: LatestOutcome, start: int, simulations: int, decisions: int) -> None:
    """Make UCT decisions in plain Python, on lists."""
    table = model.table
    plain_model = PlainModel(
        model.num_actions,
        *(column.tolist() for column in (table.next_state, table.reward, table.terminated)),
    )
    draw = cycle(np.random.default_rng(0).random(100_000).tolist()).__next__
    for _ in range(decisions):
        root = PlainNode(start, plain_model.num_actions)
        for _ in range(simulations):
            plain_simulation(root, plain_model, draw)


def plain_simulation(root: PlainNode, plain_model: PlainModel, draw: UniformSampler) -> None:
    """Make a simulation: selection, expansion, rollout and backup."""
    node, path, gained = root, [], 0.0
    for step in range(DEPTH):
        action = plain_choice(node, draw)
        pair = node.state * plain_model.num_actions + action
        path.append((node, action, plain_model.reward[pair]))
        if plain_model.terminated[pair]:
            break
        state = plain_model.next_state[pair]
        child = node.children.get((action, state))
        if child is None:
            node.children[action, state] = PlainNode(state, plain_model.num_actions)
            gained = plain_rollout(state, DEPTH - step - 1, plain_model, draw)
            break
        node = child
    for node, action, reward in reversed(path):
        gained = reward + GAMMA * gained
        node.visits[action] += 1
        node.mean[action] += (gained - node.mean[action]) / node.visits[action]


def plain_choice(node: PlainNode, draw: UniformSampler) -> int:
    """Return the action of UCB1; untried actions come first."""
    untried = [action for action, visits in enumerate(node.visits) if not visits]
    if untried:
        return untried[int(draw() * len(untried))]
    log_total = float(np.log(sum(node.visits)))
    bounds = [
        mean + (log_total / visits) ** 0.5
        for mean, visits in zip(node.mean, node.visits, strict=True)
    ]
    return bounds.index(max(bounds))


def plain_rollout(state: int, depth: int, plain_model: PlainModel, draw: UniformSampler) -> float:
    """Return the discounted return of a random rollout."""
    gained, discount = 0.0, 1.0
    for _ in range(depth):
        pair = state * plain_model.num_actions + int(draw() * plain_model.num_actions)
        gained += discount * plain_model.reward[pair]
        if plain_model.terminated[pair]:
            break
        state, discount = plain_model.next_state[pair], discount * GAMMA
    return gained


MEASUREMENTS: tuple[Measure, ...] = (
    tree_search,
    sweeping,
    planning_updates,
    step_by_step_agent,
)
