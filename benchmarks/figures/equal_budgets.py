"""Decision-time planners at equal budgets, against exact optimal values.

A budget is a number of transitions of the model that may be looked at for one decision: each that
is drawn counts as one, and an expected value counts as many as the pair has outcomes. They are
counted where the model is asked (`CountedModel`), and no planner exceeds the budget. What is drawn
is the loss of the decision, v*(s) - q*(s, a), in the Dyna maze with slips; planning is with the
true model, so that nothing but the budget stands between a planner and the optimum. All states
count alike. Of actions with equal values one is taken at random, so that a planner that has found
nothing loses as much as chance.

How each planner makes use of a budget:

1. Forward search looks as many steps ahead as the budget pays for, exactly; so it has no noise.
2. Sparse sampling does, too, with `width` samples of each action. What it will need is bounded
   beforehand, by how many states may be reached.
3. Monte-Carlo search, tree search and TD search simulate episodes of at most `depth` steps (fewer
   only where the budget does not pay for one episode with each action), and go on until what is
   left might not be enough.
4. Dyna-2 is TD search that begins from what Q-learning has found in `real_steps` real steps, which
   the others do not have. How good that is without a search is drawn, too.

All planners have the settings that `dynamaze.agents` gives them, but for the numbers above.

What is found, with the default settings (the stored tables have the intervals):

1. Where the budget pays for looking as far as the goal, exact search is unrivalled: with 4000
   transitions forward search loses 0.0008, the best of the others without real experience 0.009.
   There are only 46 states; sampling pays where they are many.
2. Where it does not, forward search and sparse sampling see nothing but zeros from most states, and
   TD search loses the least, for what it learns in one episode serves the next.
3. Returns of random episodes tell actions apart only slowly: with 64,000 transitions Monte-Carlo
   search and tree search still lose a quarter of what chance does. Their values are near those of a
   random policy, off by 0.5 with any budget.
4. What Q-learning finds in 2000 real steps loses 0.025 by itself, not much less than chance
   (0.030); but with up to 16,000 transitions TD search from there (Dyna-2) loses about a third less
   than from nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import (
    Agent,
    Dyna2,
    ForwardSearch,
    MonteCarloSearch,
    QLearning,
    SparseSampling,
    TDSearch,
    TreeSearch,
)
from dynamaze.agents.models.true import TrueModel
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.envs import greedy_policy

from ..harness.compiled_runs import run_one
from ..harness.curves import columns_of, draw_curve, interval_text
from ..harness.statistics import mean_interval
from ..harness.table import Table, rows_where, stack
from .counting_model import CountedModel

LABELS = {
    "forward": "forward search",
    "sparse": "sparse sampling",
    "monte_carlo": "Monte-Carlo search",
    "tree": "tree search (UCT)",
    "td": "TD search",
    "dyna_2": "Dyna-2",
}
COLOURS = {
    "forward": "black",
    "sparse": "tab:olive",
    "monte_carlo": "tab:orange",
    "tree": "tab:green",
    "td": "tab:purple",
    "dyna_2": "tab:pink",
}
MARKERS = dict(zip(LABELS, "osv^DX", strict=True))
WITHOUT = {
    "chance": ("chance", "grey"),
    "q_learning": ("Dyna-2 without search", COLOURS["dyna_2"]),
}
"""What there is without a search: its label and its colour."""
TIE = 1e-9
"""Values that differ by less are equal but for rounding."""


@dataclass(frozen=True)
class Config:
    """Decision-time planners at equal budgets (sections 8.8 to 8.11)."""

    name: ClassVar[str] = "equal_budgets"

    runs: int = 40
    """Independent runs; each decides in every state, with every planner and budget."""
    seed: int = 0
    """Settles every number."""
    budgets: tuple[int, ...] = (250, 1000, 4000, 16_000, 64_000)
    """Transitions of the model for a decision."""
    slip: float = 0.2
    """Probability that a step goes to one of the two sides."""
    gamma: float = 0.95
    """Discount."""
    depth: int = 50
    """Most steps that are looked ahead."""
    width: int = 4
    """Samples of each action in sparse sampling."""
    real_steps: int = 2000
    """Steps of Q-learning before Dyna-2 searches."""

    @property
    def total_runs(self) -> int:
        """Runs, in each of which all planners decide."""
        return self.runs


class Place:
    """The maze, what is true of it, and what a planner may ask of it.

    Args:
        config: the experiment's numbers.

    Attributes:
        env: the maze.
        rows: (decisions,) the states in which an agent may have to decide.
        q: (states, actions) optimal action values, exactly.
        model: counts what is asked of it.
        reach: (depth, states, states) whether the third may be where an agent is that was in the
            second so many steps before.
        outcomes: (states,) how many an expectation over each action looks at, together.
    """

    def __init__(self, config: Config) -> None:
        self.env = gym.make("DynaMaze-v0", slip_probability=config.slip)
        world: Any = self.env.unwrapped
        self.q: FloatArray = world.mdp.optimal_action_values(config.gamma)
        free = ~world.layout.walls
        free[tuple(zip(*world.layout.goals, strict=True))] = False
        self.rows: IntArray = np.flatnonzero(free)
        inside = TrueModel(self.env)
        outcomes = np.array(
            [len(inside.distribution(*pair).probability) for pair in np.ndindex(self.q.shape)]
        )
        self.model = CountedModel(inside, outcomes)
        self.outcomes: IntArray = outcomes.reshape(self.q.shape).sum(axis=1)
        self.reach = _reach(world.mdp, config.depth)

    def judge(self, row: int, found: FloatArray) -> tuple[float, float]:
        """What is lost by the action of the highest of (actions,) values, and that value's error.

        Of actions whose values are equal one is taken at random; the loss is its mean.
        """
        policy, best = greedy_policy(found[None], tolerance=TIE)[0], self.q[row].max()
        return float(policy @ (best - self.q[row])), float(abs(found.max() - best))


def _reach(mdp: Any, depth: int) -> BoolArray:
    """`Place.reach`, from one step to the next."""
    states, actions, outcomes = mdp.next_state.shape
    leads = np.zeros((states, states))
    goes_on = ((mdp.probability > 0) & ~mdp.terminated).ravel()
    before = np.repeat(np.arange(states), actions * outcomes)
    leads[before[goes_on], mdp.next_state.ravel()[goes_on]] = 1
    reach = [np.eye(states)]
    for _ in range(depth - 1):
        reach.append((reach[-1] @ leads > 0).astype(float))
    return np.array(reach) > 0


# -- deciding within a budget ------------------------------------------------------------------


def make_planner(config: Config, method: str, place: Place, budget: int, seed: Any) -> Agent:
    """The agent whose planning is looked at."""
    common: dict[str, Any] = {"model": place.model, "gamma": config.gamma, "seed": seed}
    actions = place.model.num_actions
    depth = max(1, min(config.depth, budget // actions))
    if method == "forward":
        return ForwardSearch(place.env, depth=1, **common)
    if method == "sparse":
        return SparseSampling(place.env, width=config.width, depth=1, **common)
    if method == "monte_carlo":
        return MonteCarloSearch(place.env, simulations=actions, depth=depth, **common)
    if method == "tree":
        nodes = max(1024, budget // 4)
        return TreeSearch(place.env, simulations=actions, depth=depth, max_nodes=nodes, **common)
    searcher = TDSearch if method == "td" else Dyna2
    return searcher(place.env, simulations=actions, depth=depth, **common)


def decide(config: Config, method: str, agent: Any, place: Place, row: int, budget: int) -> Any:
    """(actions,) values that a planner finds in a state within a budget."""
    if method == "forward":
        agent.planning.depth = forward_depth(place, row, budget)
    elif method == "sparse":
        agent.planning.depth = sparse_depth(place, row, config.width, budget)
    else:
        return _simulate(agent, place.model, row, budget, is_mean=method == "monte_carlo")
    return _values(agent, row)


def forward_depth(place: Place, row: int, budget: int) -> int:
    """How many steps forward search can look ahead, at least 1.

    It looks at what may be met within so many steps, again for each number of steps to go.
    """
    within = np.logical_or.accumulate(place.reach[:, row])
    return _depth(within @ place.outcomes, budget)


def sparse_depth(place: Place, row: int, width: int, budget: int) -> int:
    """How many steps sparse sampling can look ahead whatever it meets, at least 1."""
    return _depth(place.reach[:, row].sum(axis=1) * place.model.num_actions * width, budget)


def _depth(costs: IntArray, budget: int) -> int:
    """How many steps a budget pays for, of which each has its costs."""
    return max(1, int((np.cumsum(costs) <= budget).sum()))


def _simulate(agent: Any, model: CountedModel, row: int, budget: int, *, is_mean: bool) -> Any:
    """Search on and on from a state, until one more episode for each action might be too much.

    Monte-Carlo search remembers nothing from one search to the next, so that the mean is taken
    here; the others go on from what they have found.
    """
    planning, most = agent.planning, model.count + budget
    total, weight, found = np.zeros(model.num_actions), 0, np.zeros(model.num_actions)
    while True:
        episodes = (most - model.count) // planning.depth // model.num_actions * model.num_actions
        if episodes <= 0:
            return total / weight if is_mean else found
        planning.simulations = episodes
        found = _values(agent, row)
        total, weight = total + episodes * found, weight + episodes


def _values(agent: Any, row: int) -> Any:
    """(actions,) what one search finds."""
    planning, rows = agent.planning, np.array([row])
    return planning.action_values(agent.values, agent.model, rows, agent.rng, learning=True)[0]


# -- runs --------------------------------------------------------------------------------------


def run(
    config: Config, on_run: Callable[[], None] | None = None, *, workers: int | None = None
) -> dict[str, Table]:
    """Decide in every state, with every planner and budget.

    Args:
        config: its numbers.
        on_run: called after each run, in the calling thread.
        workers: threads, which change no number; None for one on each core.

    Returns:
        The table of the curves, with the columns method, budget, and of loss (of the decision),
        error (of the highest value that the planner finds, less that of the state, without its
        sign) and spent (transitions that were looked at), all means over the states, each
        ..._mean, ..._low and ..._high (a 95% interval), and runs. And, named `..._without`, the
        same of no search at all: method (chance, or q_learning, from which Dyna-2 begins), loss,
        error and runs.

    Raises:
        ValueError: for a budget that does not pay for one look at all actions.
    """
    least = 4 * max(config.width, 3)  # a step with slips has up to three outcomes
    if min(config.budgets) < least:
        raise ValueError(f"budgets={config.budgets}; expected at least {least} each")
    seeds = np.random.SeedSequence(config.seed).spawn(config.runs)
    found = np.array(list(_runs(config, seeds, on_run, workers)))
    curves = [
        {
            "method": np.full(len(config.budgets), method),
            "budget": np.array(config.budgets),
            **_columns(found[:, 1 + which], ("loss", "error", "spent")),
            "runs": np.full(len(config.budgets), config.runs),
        }
        for which, method in enumerate(LABELS)
    ]
    without = [
        {
            "method": np.array([method]),
            **_columns(found[:, 0, which, None], ("loss", "error")),
            "runs": np.array([config.runs]),
        }
        for which, method in enumerate(WITHOUT)
    ]
    return {config.name: stack(curves), f"{config.name}_without": stack(without)}


def _columns(samples: FloatArray, names: tuple[str, ...]) -> Table:
    """Of (runs, rows, numbers) the intervals of those that have names."""
    table: Table = {}
    for which, name in enumerate(names):
        table |= columns_of(name, mean_interval(samples[:, :, which]))
    return table


def _runs(
    config: Config,
    seeds: list[np.random.SeedSequence],
    on_run: Callable[[], None] | None,
    workers: int | None,
) -> Iterator[FloatArray]:
    first = one_run(config, seeds[0])  # alone, it compiles the code that all share
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            for found in chain([first], pool.map(partial(one_run, config), seeds[1:])):
                yield found
                if on_run is not None:
                    on_run()
        except BaseException:  # Ctrl-C above all: what has not begun need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def one_run(config: Config, seed: np.random.SeedSequence) -> FloatArray:
    """Decide in every state.

    Returns:
        (1 + planners, budgets, 3) means over the states: loss, error of the highest value, and what
        was looked at; the first row has those without a search, in the order of `WITHOUT`.
    """
    place = Place(config)
    children = seed.spawn(1 + len(LABELS))
    learner = QLearning(place.env, gamma=config.gamma, seed=children[0])
    learned = run_one(learner, config.real_steps, 0).q
    found = np.zeros((1 + len(LABELS), max(len(WITHOUT), len(config.budgets)), 3))
    for which, q in enumerate((np.zeros_like(learned), learned)):
        found[0, which] = np.mean([(*place.judge(row, q[row]), 0) for row in place.rows], axis=0)
    for which, method in enumerate(LABELS):
        for column, budget in enumerate(config.budgets):
            agent: Any = make_planner(config, method, place, budget, children[1 + which])
            if method == "dyna_2":
                agent.values.q[...] = learned
            found[1 + which, column] = decide_everywhere(config, method, agent, place, budget)
    return found


def decide_everywhere(
    config: Config, method: str, agent: Any, place: Place, budget: int
) -> FloatArray:
    """(3,) means over the states: loss, error of the highest value, and what was looked at."""
    begun, results = agent.planning.get_state(), []
    for row in place.rows.tolist():
        agent.planning.set_state(begun)  # nothing stays from one state to the next
        before = place.model.count
        found = decide(config, method, agent, place, row, budget)
        results.append((*place.judge(row, found), place.model.count - before))
    means: FloatArray = np.mean(results, axis=0)
    return means


# -- picture and summary -----------------------------------------------------------------------


def plot(tables: dict[str, Table], config: Config) -> Figure:
    """The picture from the stored tables: what decisions lose, and how wrong values are."""
    table, without = tables[config.name], tables[f"{config.name}_without"]
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels: Any = figure.subplots(1, 2)
    for axes, what, label in zip(
        panels,
        ("loss", "error"),
        ("Value lost by the decision, $v_*(s) - q_*(s, a)$", "Error of the highest value found"),
        strict=True,
    ):
        _draw(axes, table, without, what)
        axes.set_ylabel(label)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"Dyna maze with slips, true model: mean over all states, {int(table['runs'][0])} runs, "
        "95% interval"
    )
    return figure


def _draw(axes: Axes, table: Table, without: Table, what: str) -> None:
    for method, label in LABELS.items():
        curve = rows_where(table, "method", method)
        style = {"color": COLOURS[method], "marker": MARKERS[method]}
        draw_curve(axes, "spent_mean", curve, what, label=label, **style)
    ends = np.array([table["spent_mean"].min(), table["budget"].max()])
    for method, (label, colour) in WITHOUT.items():
        level = rows_where(without, "method", method)
        wide = {name: np.repeat(column, 2) for name, column in level.items()}
        wide["spent_mean"] = ends
        draw_curve(axes, "spent_mean", wide, what, color=colour, linestyle=":", label=label)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="Transitions looked at for a decision", xscale="log")


def summary(tables: dict[str, Table], config: Config) -> list[tuple[str, ...]]:
    """A line for each planner and budget."""
    table, without = tables[config.name], tables[f"{config.name}_without"]
    lines: list[tuple[str, ...]] = [("planner", "budget", "value lost / 1000", "error of value")]
    for method, label in LABELS.items():
        curve = rows_where(table, "method", method)
        for row, budget in enumerate(curve["budget"]):
            lines.append((label, f"{budget:,}", *_texts(curve, row)))
    for row, method in enumerate(without["method"]):
        lines.append((WITHOUT[str(method)][0], "", *_texts(without, row)))
    return lines


def _texts(table: Table, row: int) -> tuple[str, str]:
    thousandths = {f"loss_{part}": table[f"loss_{part}"] * 1000 for part in ("mean", "low", "high")}
    return interval_text(thousandths, "loss", row, 1), interval_text(table, "error", row, 3)
