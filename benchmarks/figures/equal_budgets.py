"""Decision-time planners at equal budgets, against exact optimal values.

A budget is a number of transitions of the model for one decision: a sampled transition counts as
one, an expected update as the number of the pair's outcomes. `CountingModel` counts them, and no
planner exceeds the budget. The measure is the loss of the decision, v*(s) - q*(s, a), in the Dyna
maze with slips, as a mean over all states. Planning is with the true model, so that the budget is
the only cause of a loss. Ties are broken at random, so that a planner that has found nothing has
the loss of a random action.

Use of the budget by each planner:

1. Forward search has the largest depth within the budget, and is exact to that depth: no noise.
2. Sparse sampling has the largest depth within the budget, with `width` samples of each action. The
   transitions are bounded in advance by the number of reachable states.
3. Monte-Carlo search, tree search and TD search simulate episodes of at most `depth` steps (fewer
   only where the budget is too small for one episode with each action), until another round might
   exceed the budget.
4. Dyna-2 is TD search that starts from the values of Q-learning after `real_steps` real steps,
   which the others do not have. These values without a search are a baseline.

All planners have the default settings of `dynamaze.agents`, except for the numbers above.

Results of `dynamaze bench run equal-budgets` with the default settings (it prints the intervals):

1. Where the budget reaches to the goal, exact search is the best: with 4000 transitions forward
   search loses 0.0008, the best of the others without real experience 0.009. There are only 46
   states; sampling has advantages where they are many.
2. With smaller budgets forward search and sparse sampling find only zeros in most states, and TD
   search loses the least, as its values improve from episode to episode.
3. Returns of random episodes discriminate between actions only slowly: with 64,000 transitions
   Monte-Carlo search and tree search still have a quarter of the loss of random actions. Their
   values are near those of a random policy, with an error of 0.5 for any budget.
4. The values of Q-learning after 2000 real steps lose 0.025 by themselves, not much less than a
   random action (0.030); but with up to 16,000 transitions TD search from there (Dyna-2) loses
   about a third less than TD search from zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np

from dynamaze.agents import (
    Agent,
    Dyna2,
    ForwardSearch,
    MonteCarloSearch,
    QLearning,
    SparseSampling,
    TDSearch,
    TreeSearch,
    TreeSettings,
)
from dynamaze.agents.models.true import TrueModel
from dynamaze.benchmarks.figures.counting_model import CountingModel
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, EVENT, METHODS, legend_below, panels
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    from_rows,
    make_table,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import (
    draw_curve,
    draw_level,
    interval_text,
    mean_columns,
    runs_text,
)
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, column
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.options import Depth, Fraction, Range, Runs
from dynamaze.envs import greedy_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PLANNERS = ("forward", "sparse", "monte_carlo", "tree", "td", "dyna_2")
BASELINES = {
    "chance": ("random action", COLOURS["chance"]),
    "q_learning": ("Dyna-2 without search", COLOURS["dyna_2"]),
}
"""Decisions without a search: label and colour."""
TIE = 1e-9
"""Values that differ by less are equal except for rounding."""


@dataclass(frozen=True)
class EqualBudgetsConfig(ExperimentConfig):
    """Decision-time planners at equal budgets (sections 8.8 to 8.11)."""

    name: ClassVar[str] = "equal_budgets"
    title: ClassVar[str] = "Equal budgets"
    seconds_per_run: ClassVar[float] = 0.035
    interval_kind: ClassVar[str] = "time"
    swept: ClassVar[tuple[str, ...]] = ("budgets",)

    runs: Runs = 50
    """Independent runs; each makes a decision in every state, with every planner and budget."""
    budgets: tuple[Annotated[int, Range(1, limit=10**7)], ...] = (250, 1000, 4000, 16_000, 64_000)
    """Transitions of the model for a decision, a point of the curves for each."""
    slip: Fraction = 0.2
    """Probability that a step goes to one of the two sides."""
    gamma: Fraction = 0.95
    """Discount."""
    depth: Depth = 50
    """Largest search depth, in steps."""
    width: Annotated[int, Range(1, limit=10**4)] = 4
    """Samples of each action in sparse sampling."""
    real_steps: Annotated[int, Range(0, limit=10**7)] = 2000
    """Steps of Q-learning before Dyna-2 searches."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The decisions without a search, and each planner with each budget."""
        return [
            *(Setting((method, 0), self.runs, BASELINES[method][0]) for method in BASELINES),
            *(
                Setting((method, budget), self.runs, f"{METHODS[method].label}, {budget:,}")
                for method in PLANNERS
                for budget in self.budgets
            ),
        ]

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, or a budget that is too small for one transition of
                each action.
        """
        super().check()
        minimum = 4 * max(self.width, 3)  # a step with slips has up to three outcomes
        if min(self.budgets) < minimum:
            raise ValueError(f"budgets={self.budgets}; expected at least {minimum} each")


class DecisionProblem:
    """The maze with exact values, and a model that counts its transitions.

    Args:
        slip: probability that a step goes to one of the two sides.
        gamma: discount.
        depth: largest search depth, in steps.

    Attributes:
        env: the maze.
        states: (decisions,) the states in which decisions are made.
        q: (states, actions) optimal action values, exactly.
        model: the true model, with a counter.
        reach: (depth, states, states) whether a state (last axis) can be reached from another
            (second axis) in exactly a number of steps (first axis).
        outcomes: (states,) transitions of the expected updates of all actions together.
    """

    def __init__(self, slip: float, gamma: float, depth: int) -> None:
        self.env = gym.make("DynaMaze-v0", slip_probability=slip)
        maze: Any = self.env.unwrapped
        self.q: FloatArray = maze.mdp.optimal_action_values(gamma)
        free = ~maze.layout.walls
        free[tuple(zip(*maze.layout.goals, strict=True))] = False
        self.states: IntArray = np.flatnonzero(free)
        true_model = TrueModel(self.env)
        outcomes = np.array(
            [len(true_model.distribution(*pair).probability) for pair in np.ndindex(self.q.shape)]
        )
        self._true_model, self._pair_outcomes = true_model, outcomes
        self.model = CountingModel(true_model, outcomes)
        self.outcomes: IntArray = outcomes.reshape(self.q.shape).sum(axis=1)
        self.reach = _reach(maze.mdp, depth)

    def with_own_counter(self) -> DecisionProblem:
        """Return the same problem with a counter of its own."""
        other = copy(self)
        other.model = CountingModel(self._true_model, self._pair_outcomes)
        return other

    def evaluate(self, state: int, values: FloatArray) -> tuple[float, float]:
        """Return the loss of the greedy action of (actions,) values, and the error of its value.

        Ties are broken at random; the loss is the mean over them.
        """
        policy, best = greedy_policy(values[None], tolerance=TIE)[0], self.q[state].max()
        return float(policy @ (best - self.q[state])), float(abs(values.max() - best))


@cache
def make_problem(slip: float, gamma: float, depth: int) -> DecisionProblem:
    """Return a problem, which is made once in each process."""
    return DecisionProblem(slip, gamma, depth)


def _reach(mdp: Any, depth: int) -> BoolArray:
    """Return `DecisionProblem.reach`, by one matrix product for each step."""
    states, actions, outcomes = mdp.next_state.shape
    adjacency = np.zeros((states, states))
    continues = ((mdp.probability > 0) & ~mdp.terminated).ravel()
    before = np.repeat(np.arange(states), actions * outcomes)
    adjacency[before[continues], mdp.next_state.ravel()[continues]] = 1
    reach = [np.eye(states)]
    for _ in range(depth - 1):
        reach.append((reach[-1] @ adjacency > 0).astype(float))
    return np.array(reach) > 0


# -- decisions within a budget -----------------------------------------------------------------


def make_planner(
    config: EqualBudgetsConfig, method: str, problem: DecisionProblem, budget: int, seed: Any
) -> Agent:
    """Return the agent of a planner."""
    common: dict[str, Any] = {"model": problem.model, "gamma": config.gamma, "seed": seed}
    actions = problem.model.num_actions
    depth = max(1, min(config.depth, budget // actions))
    if method == "forward":
        return ForwardSearch(problem.env, depth=1, **common)
    if method == "sparse":
        return SparseSampling(problem.env, width=config.width, depth=1, **common)
    if method == "monte_carlo":
        return MonteCarloSearch(problem.env, simulations=actions, depth=depth, **common)
    if method == "tree":
        settings = TreeSettings(max_nodes=max(1024, budget // 4))
        return TreeSearch(
            problem.env, simulations=actions, depth=depth, settings=settings, **common
        )
    searcher = TDSearch if method == "td" else Dyna2
    return searcher(problem.env, simulations=actions, depth=depth, **common)


def decide(
    config: EqualBudgetsConfig,
    method: str,
    agent: Any,
    problem: DecisionProblem,
    state: int,
    budget: int,
) -> Any:
    """Return (actions,) the values of a planner in a state within a budget."""
    if method == "forward":
        agent.planning.depth = forward_depth(problem, state, budget)
    elif method == "sparse":
        agent.planning.depth = sparse_depth(problem, state, config.width, budget)
    else:
        return _simulate(agent, problem.model, state, budget, is_mean=method == "monte_carlo")
    return _values(agent, state)


def forward_depth(problem: DecisionProblem, state: int, budget: int) -> int:
    """Return the largest depth of forward search within a budget, at least 1."""
    # The states within n steps are backed up once for each remaining depth.
    within = np.logical_or.accumulate(problem.reach[:, state])
    return _depth(within @ problem.outcomes, budget)


def sparse_depth(problem: DecisionProblem, state: int, width: int, budget: int) -> int:
    """Return the largest depth of sparse sampling that is always within a budget, at least 1."""
    # At depth n each state that can be reached in n steps is expanded once at most.
    reachable = problem.reach[:, state].sum(axis=1)
    return _depth(reachable * problem.model.num_actions * width, budget)


def _depth(costs: IntArray, budget: int) -> int:
    """Return the number of steps within a budget, from the cost of each."""
    return max(1, int((np.cumsum(costs) <= budget).sum()))


def _simulate(agent: Any, model: CountingModel, state: int, budget: int, *, is_mean: bool) -> Any:
    """Repeat the search until one more episode for each action might exceed the budget."""
    planning, limit = agent.planning, model.count + budget
    total, weight, values = np.zeros(model.num_actions), 0, np.zeros(model.num_actions)
    while True:
        episodes = (limit - model.count) // planning.depth // model.num_actions * model.num_actions
        if episodes <= 0:
            # Monte-Carlo search stores nothing between searches, so the mean is taken here; the
            # others continue from their tree or values.
            return total / weight if is_mean else values
        planning.simulations = episodes
        values = _values(agent, state)
        total, weight = total + episodes * values, weight + episodes


def _values(agent: Any, state: int) -> Any:
    """Return (actions,) the values of one search."""
    planning, rows = agent.planning, np.array([state])
    return planning.action_values(agent.values, agent.model, rows, agent.rng, learning=True)[0]


# -- runs --------------------------------------------------------------------------------------


def run(config: EqualBudgetsConfig, runner: Runner | None = None) -> Tables:
    """Make a decision in every state, with every planner and budget.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        The table of the curves, with the columns method, budget, and of loss (of the decision),
        error (absolute, of the highest value of the planner against the value of the state) and
        spent (transitions used), all means over the states, each ..._mean, ..._low and ..._high (a
        95% interval), and runs. And, named `..._without`, that of the decisions without a search:
        method (chance, or q_learning, from which Dyna-2 starts), loss, error and runs.

    Raises:
        ValueError: for fewer than 2 runs, or a budget that is too small for one transition of each
            action.
    """
    config.check()
    curves, without = [], []
    results = (runner or Runner()).run(trial, config)
    for setting, tables in zip(config.settings, results, strict=True):
        method, budget = setting.arguments
        samples = {name: column(tables, name) for name in tables[0]}
        if method in BASELINES:
            del samples["spent"]
            without.append(make_table(method=method, **mean_columns(**samples), runs=config.runs))
        else:
            labels = {"method": method, "budget": budget}
            curves.append(make_table(**labels, **mean_columns(**samples), runs=config.runs))
    return {config.name: stack(curves), f"{config.name}_without": stack(without)}


def trial(config: EqualBudgetsConfig, method: str, budget: int, number: int) -> Table:
    """Make a decision in every state, in one run.

    Returns:
        One row, with means over the states: loss, error of the highest value, and transitions used.
    """
    problem = make_problem(config.slip, config.gamma, config.depth).with_own_counter()
    q = np.zeros_like(problem.q)
    if method in ("q_learning", "dyna_2"):
        learner = QLearning(problem.env, gamma=config.gamma, seed=_seed(config, number, 0))
        q = run_one(learner, config.real_steps, 0).q
    if method in BASELINES:
        found = np.mean([(*problem.evaluate(state, q[state]), 0) for state in problem.states], 0)
    else:
        stream = 1 + PLANNERS.index(method)
        agent: Any = make_planner(config, method, problem, budget, _seed(config, number, stream))
        agent.values.q[...] = q
        found = decide_everywhere(config, method, agent, problem, budget)
    return from_rows([dict(zip(("loss", "error", "spent"), found.tolist(), strict=True))])


def _seed(config: EqualBudgetsConfig, number: int, stream: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(config.seed, spawn_key=(number, stream))


def decide_everywhere(
    config: EqualBudgetsConfig, method: str, agent: Any, problem: DecisionProblem, budget: int
) -> FloatArray:
    """Return (3,) means over the states: loss, error of the highest value, transitions used."""
    initial, results = agent.planning.get_state(), []
    for state in problem.states.tolist():
        agent.planning.set_state(initial)  # no tree or values of the state before
        before = problem.model.count
        values = decide(config, method, agent, problem, state, budget)
        results.append((*problem.evaluate(state, values), problem.model.count - before))
    means: FloatArray = np.mean(results, axis=0)
    return means


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: EqualBudgetsConfig) -> Figure:
    """Plot the stored tables: loss of the decisions, and error of the values."""
    table, baselines = tables[config.name], tables[f"{config.name}_without"]
    figure, ((left, right),) = panels(1, 2, size=(11, 5))
    _draw(left, table, baselines, "loss")
    _draw(right, table, baselines, "error")
    left.set_ylabel("Loss of the decision, $v_*(s) - q_*(s, a)$")
    right.set_ylabel("Error of the highest value")
    legend_below(figure, left, 4)
    figure.suptitle(
        f"Dyna maze with slips, true model: mean over all states, {int(table['runs'][0])} runs, "
        "95% interval"
    )
    return figure


def _draw(axes: Axes, table: Table, baselines: Table, quantity: str) -> None:
    for method in PLANNERS:
        curve, (label, colour, marker) = rows_where(table, method=method), METHODS[method]
        style = {"color": colour, "marker": marker, "label": label}
        draw_curve(axes, "spent_mean", curve, quantity, **style)
    ends = (table["spent_mean"].min(), table["budget"].max())
    for method, (label, colour) in BASELINES.items():
        level = rows_where(baselines, method=method)
        draw_level(axes, ends, level, quantity, color=colour, linestyle=":", label=label)
    axes.axhline(0, **EVENT)
    axes.set(xlabel="Transitions of the model for a decision", xscale="log")


def summary(tables: Tables, config: EqualBudgetsConfig) -> Lines:
    """Return a line for each planner and budget."""
    table, baselines = tables[config.name], tables[f"{config.name}_without"]
    lines: Lines = [("planner", "budget", "n", "loss x 1000", "error of value")]
    for method in PLANNERS:
        curve = rows_where(table, method=method)
        for row, budget in enumerate(curve["budget"]):
            lines.append((METHODS[method].label, f"{budget:,}", *_texts(curve, row)))
    for row, method in enumerate(baselines["method"]):
        lines.append((BASELINES[str(method)][0], "", *_texts(baselines, row)))
    return lines


def _texts(table: Table, row: int) -> tuple[str, ...]:
    thousandths = {f"loss_{part}": table[f"loss_{part}"] * 1000 for part in ("mean", "low", "high")}
    thousandths["runs"] = table["runs"]
    # Some runs of a small budget decide otherwise than most in one state: a rare mode.
    texts = (
        interval_text(thousandths, "loss", row, 1, kind="time"),
        interval_text(table, "error", row, 3, kind="time"),
    )
    return runs_text(table, row), *texts


if __name__ == "__main__":
    run_script(__file__)
