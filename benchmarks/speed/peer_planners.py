"""Speed of planning beside peers: Dyna updates, value iteration and tree search.

Python, SciPy and QuantEcon, and mctx. Each row is a ratio of one run, in which both are timed in
alternation; of a peer that is missing the row says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQ, TableValues
from dynamaze.agents.core.sparse_mdp import SparseMDP
from dynamaze.agents.search.mcts.agent import TreeSearchPlanning
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many
from dynamaze.benchmarks.harness.timing import (
    Measure,
    SpeedRow,
    time_alternately,
    with_libraries,
)
from dynamaze.benchmarks.speed.planners import DEPTH, GAMMA, complete_model, decide
from dynamaze.common.arrays import FloatArray
from dynamaze.envs import Layout
from dynamaze.envs.mazes.dynamics import Dynamics
from dynamaze.envs.mazes.optimal_values import in_place_value_iteration

# -- Dyna-Q ------------------------------------------------------------------------------------

PLANNING_STEPS = 50

DYNA_STEPS, PLAIN_STEPS = 200_000, 2_000
"""Real steps of the compiled run and of plain Python; rates of updates are compared."""


def dyna_updates_beside_python(repeats: int) -> list[SpeedRow]:
    """Planning updates of a compiled run on one core, against the box of Dyna-Q in Python.

    Those in C are a row of `planners.planning_updates`.
    """
    env: Any = gym.make("DynaMaze-v0", max_episode_steps=-1)
    agent = partial(DynaQ, env, planning_steps=PLANNING_STEPS)
    maze = PlainMaze.of(env.unwrapped.maze.dynamics)
    pair = time_alternately(
        lambda: run_many(agent, runs=1, steps=DYNA_STEPS, seed=0, workers=1),
        lambda: plain_dyna_q(maze, PLAIN_STEPS, np.random.default_rng(0)),
        repeats,
    )
    ours, plain = (
        PLANNING_STEPS * steps / took / 1e6
        for steps, took in ((DYNA_STEPS, pair.ours), (PLAIN_STEPS, pair.baseline))
    )
    return [
        SpeedRow(
            f"planning updates, n={PLANNING_STEPS}",
            f"{ours:.0f} M/s",
            "the same in plain Python",
            f"{plain:.2f} M/s",
            f"{pair.ratio * DYNA_STEPS / PLAIN_STEPS:.0f}x",
        )
    ]


class PlainMaze(NamedTuple):
    """Deterministic maze as lists."""

    start: int
    outcomes: list[list[tuple[int, float, bool]]]  # next state, reward, terminated

    @classmethod
    def of(cls, dynamics: Dynamics) -> PlainMaze:
        """Return a maze without slips, which has one outcome of each pair."""
        columns = (column.tolist() for column in dynamics.moves)
        outcomes = [list(zip(*rows, strict=True)) for rows in zip(*columns, strict=True)]
        return cls(dynamics.starts[0], outcomes)


def plain_dyna_q(
    maze: PlainMaze,
    steps: int,
    rng: np.random.Generator,
    *,
    learning_rate: float = 0.1,
    epsilon: float = 0.1,
) -> list[list[float]]:
    """Return the action values of tabular Dyna-Q in plain Python (Sutton & Barto 2018, p. 164).

    Args:
        maze: the environment.
        steps: real steps, each with `PLANNING_STEPS` simulated ones.
        rng: of all random choices.
        learning_rate: step size.
        epsilon: probability of a random action.
    """
    q = [[0.0] * 4 for _ in maze.outcomes]
    model: dict[tuple[int, int], tuple[int, float, bool]] = {}
    pairs: list[tuple[int, int]] = []
    draw = iter(rng.random(steps * (PLANNING_STEPS + 2)).tolist()).__next__

    def update(state: int, action: int, outcome: tuple[int, float, bool]) -> None:
        following, reward, terminated = outcome
        target = reward + (0.0 if terminated else GAMMA * max(q[following]))
        q[state][action] += learning_rate * (target - q[state][action])

    state = maze.start
    for _ in range(steps):
        values = q[state]
        best = max(values)
        greedy = [action for action in range(4) if values[action] == best]
        choices = range(4) if draw() < epsilon else greedy
        action = choices[int(draw() * len(choices))]
        outcome = maze.outcomes[state][action]
        update(state, action, outcome)
        if (state, action) not in model:
            pairs.append((state, action))
        model[state, action] = outcome
        for _ in range(PLANNING_STEPS):
            pair = pairs[int(draw() * len(pairs))]
            update(*pair, model[pair])
        state = maze.start if outcome[2] else outcome[0]
    return q


# -- value iteration ---------------------------------------------------------------------------

SIDE, SLIP = 100, 0.2
DISCOUNT, TOLERANCE = 0.99, 1e-6
"""Discount, and largest change of a value in the last sweep."""


@with_libraries("scipy")
def value_iteration_beside_scipy(repeats: int) -> list[SpeedRow]:
    """Optimal values of an open maze with slips, against products of a sparse matrix in SciPy."""
    layout = open_maze(SIDE)
    return [_values_row("SciPy sparse", scipy_value_iteration(layout), layout, repeats)]


@with_libraries("scipy", "quantecon")
def value_iteration_beside_quantecon(repeats: int) -> list[SpeedRow]:
    """Optimal values of an open maze with slips, against `DiscreteDP` of QuantEcon."""
    layout = open_maze(SIDE)
    return [_values_row("QuantEcon", quantecon_value_iteration(layout), layout, repeats)]


def _values_row(
    peer: str, solve: Callable[[], FloatArray], layout: Layout, repeats: int
) -> SpeedRow:
    ours = partial(in_place_value_iteration, layout, DISCOUNT, tolerance=TOLERANCE)
    pair = time_alternately(ours, solve, repeats)
    return SpeedRow(
        f"values of {layout.rows}x{layout.cols}, slip {layout.slip_probability:g}",
        f"{pair.ours * 1e3:.0f} ms",
        peer,
        f"{pair.baseline * 1e3:.0f} ms",
        f"{pair.ratio:.1f}x",
    )


def open_maze(side: int) -> Layout:
    """Return a maze without walls, from one corner to the other, that slips."""
    walls = np.zeros((side, side), dtype=np.bool_)
    return Layout(walls, ((0, 0),), ((side - 1, side - 1),), slip_probability=SLIP)


def sparse_matrix(layout: Layout) -> tuple[Any, SparseMDP]:
    """Return SciPy's (S * A, S) matrix of a maze's transitions that do not end an episode."""
    sparse = import_module("scipy.sparse")
    mdp = SparseMDP.of(*Dynamics(layout).mdp[:4])
    shape = (mdp.reward.size, mdp.num_states)
    return sparse.csr_array((mdp.probability, mdp.next_state, mdp.first), shape=shape), mdp


def scipy_value_iteration(layout: Layout) -> Callable[[], FloatArray]:
    """Return a function of (S,) the optimal values; the matrix is made before."""
    matrix, mdp = sparse_matrix(layout)

    def solve() -> FloatArray:
        values = np.zeros(mdp.num_states)
        while True:
            backed_up = mdp.reward + DISCOUNT * (matrix @ values)
            new: FloatArray = backed_up.reshape(-1, mdp.num_actions).max(axis=1)
            if np.abs(new - values).max() <= TOLERANCE:
                return new
            values = new

    return solve


def quantecon_value_iteration(layout: Layout) -> Callable[[], FloatArray]:
    """Return a function of (S + 1,) the optimal values; the process is made before.

    Its last state follows the end of an episode, as rows of probabilities sum to 1 there.
    """
    sparse = import_module("scipy.sparse")
    matrix, mdp = sparse_matrix(layout)
    end = sparse.csr_array(1.0 - matrix.sum(axis=1)[:, None])
    last = sparse.csr_array(([1.0], ([0], [mdp.num_states])), shape=(1, mdp.num_states + 1))
    pairs = np.divmod(np.arange(mdp.reward.size), mdp.num_actions)
    process = import_module("quantecon.markov").DiscreteDP(
        np.append(mdp.reward, 0.0),
        sparse.csr_matrix(sparse.vstack([sparse.hstack([matrix, end]), last])),
        DISCOUNT,
        np.append(pairs[0], mdp.num_states),
        np.append(pairs[1], 0),
    )
    # It stops at a change below epsilon (1 - beta) / (2 beta).
    epsilon = TOLERANCE * 2 * DISCOUNT / (1 - DISCOUNT)

    def solve() -> FloatArray:
        solution = process.solve(method="value_iteration", epsilon=epsilon, max_iter=100_000)
        return np.asarray(solution.v)

    return solve


# -- tree search -------------------------------------------------------------------------------

SIMULATIONS, DECISIONS = 50, 50
BATCHES = (1, 64)
"""Decisions that mctx makes at once."""


@with_libraries("mctx")
def tree_search_beside_mctx(repeats: int) -> list[SpeedRow]:
    """Simulations of UCT, one decision after another, against MuZero's search in mctx.

    Both know the 6x9 maze as a table. In ours a simulation ends with a random rollout to a depth of
    50; in mctx a leaf has the value 0, and a batch of decisions shares each operation.
    """
    model, _, start = complete_model()
    values = TableValues(model.num_states, model.num_actions, learning_rate=1.0, gamma=GAMMA)
    rng = np.random.Generator(np.random.SFC64(0))
    planning = TreeSearchPlanning(SIMULATIONS, depth=DEPTH)
    rows = []
    for batch in BATCHES:
        pair = time_alternately(
            partial(decide, planning, values, model, start, rng, DECISIONS),
            partial(mctx_search(model.table, start, batch), DECISIONS // 10),
            repeats,
        )
        ours = SIMULATIONS * DECISIONS / pair.ours / 1e6
        theirs = SIMULATIONS * batch * (DECISIONS // 10) / pair.baseline / 1e6
        rows.append(
            SpeedRow(
                f"UCT, {SIMULATIONS} simulations",
                f"{ours:.2f} M/s",
                f"mctx, batch of {batch}",
                f"{theirs:.3f} M/s",
                f"{ours / theirs:.1f}x",
            )
        )
    return rows


def mctx_search(table: Any, start: int, batch: int) -> Callable[[int], Any]:
    """Return a function that makes some batches of decisions and returns the last actions.

    Args:
        table: record of a model of deterministic outcomes.
        start: state of the decisions.
        batch: decisions at once.
    """
    jax: Any = import_module("jax")
    jnp: Any = import_module("jax.numpy")
    mctx: Any = import_module("mctx")
    num_actions = 4
    next_state, reward, terminated = (
        jnp.asarray(column).reshape(-1, num_actions)
        for column in (table.next_state, table.reward, table.terminated)
    )
    no_prior, no_value = jnp.zeros((batch, num_actions)), jnp.zeros(batch)

    def follow(parameters: Any, key: Any, action: Any, state: Any) -> Any:
        discount = jnp.where(terminated[state, action], 0.0, GAMMA)
        output = mctx.RecurrentFnOutput(
            reward=reward[state, action],
            discount=discount,
            prior_logits=no_prior,
            value=no_value,
        )
        return output, next_state[state, action]

    def search(key: Any) -> Any:
        states = jnp.full(batch, start, next_state.dtype)
        root = mctx.RootFnOutput(prior_logits=no_prior, value=no_value, embedding=states)
        return mctx.muzero_policy(
            None, key, root, follow, SIMULATIONS, max_depth=DEPTH, dirichlet_fraction=0.0
        ).action

    compiled_search = jax.jit(search)
    keys = jax.random.split(jax.random.PRNGKey(0), DECISIONS)

    def decide_often(decisions: int) -> Any:
        for key in keys[:decisions]:
            actions = compiled_search(key).block_until_ready()
        return np.asarray(actions)

    return decide_often


MEASUREMENTS: tuple[Measure, ...] = (
    dyna_updates_beside_python,
    value_iteration_beside_scipy,
    value_iteration_beside_quantecon,
    tree_search_beside_mctx,
)
