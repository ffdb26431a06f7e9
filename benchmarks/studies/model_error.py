"""Planning when the model is wrong: the same planners on models made wrong on purpose.

The maze is that of example 8.1. Models are wrong in four ways, each by a dial
(`misinformed_model`):

1. Noise: a share of the pairs are said to lead to a cell at random.
2. A way closes, and a share of the cells are said to be as they were.
3. A way closes and a shorter one opens, and again.
4. Too little capacity: the cells of a block, so many wide and high, share one memory.

Q-learning is what there is without a model. Each planner is run with the wrong model as it is, and
selectively: with the same model in a `ScoredModel` with a second opinion, where pairs that it
predicts badly are not planned with, but learned from real transitions. All have the same settings
and seeds, and values that begin at the most that can be earned: everything is tried, and none
depends on finding the goal by luck. The return is that of all steps, after a change where there is
one; it is compared with Q-learning's, seed by seed.

The error of a model is measured against the world in the end of a run (`model_error`). Where
nothing changes it is 0 at 0 on the dial. A model that was right of a maze that has changed is wrong
of what was not tried since.

What is found, with the default settings (the stored tables have the intervals):

1. It is not how wrong a model is that counts, but where, and how well it is solved. With noise in
   5% of the pairs Dyna-Q earns 53% less than Q-learning, and what plans better 87% to 94% less.
   Where a way has closed, an error of 0.03 leaves Dyna-Q a third, and the others nothing.
2. Selectively, all four planners are ahead of Q-learning wherever a way closes, with noise and with
   too little capacity: by 10% to 24% with noise in up to half of the pairs, by 10% to 13% where a
   change is missed, and by 1% to 5% where a model hardly tells cells apart (an error of 0.94 and
   0.83). Where the model is right they are what they are without.
3. Where a shorter way opens, selective dynamic programming is worse than model-free, by 3% to 5%,
   and at 0 on the dial as well (plain it is not there: -0.7% [-1.6, 0.3]). What it lacks is
   exploration: of 30 runs at 0, Q-learning and Dyna-Q take the new way in 97% in the end,
   prioritised sweeping in 67%, dynamic programming in 37%, and plain in 60%. For this there are
   bonuses (`model_confidence`). The other three are not worse than model-free here either.
4. Without a second opinion, selective planning fails where cells share a memory: the model is vague
   there, not surprised.

Prioritised sweeping knows which pairs lead where from real transitions alone, so noise reaches it
by the pairs' own updates and not backwards. Search at decision time is left out: by its speed it
has no place in so many runs (`background_or_decision`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.agents import (
    Agent,
    DynamicProgramming,
    DynaQ,
    QLearning,
    ScoredModel,
)
from dynamaze.common.validation import did_you_mean
from dynamaze.envs import PRESETS, GridEnv

from ..harness.compiled_runs import run_one
from ..harness.curves import interval_columns
from ..harness.intervals import mean_interval
from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    interval_caption,
    run_jobs,
    run_module,
)
from ..harness.table import Table, rows_where, stack
from .corrupted_model import WrongModel, blocks, model_error, old_lies, random_lies
from .model_error_plot import plot, summary
from .wrong_kinds import KINDS, MODEL_FREE, PLANNERS, Kind

__all__ = ["WrongModels", "main", "plot", "run", "summary"]

AGENTS, LIES = 0, 1
"""The streams of random numbers of each run."""
TOLERANCE = 1e-4
"""Of dynamic programming: a merged model changes its mind a little at each step."""


@dataclass(frozen=True)
class WrongModels(ExperimentConfig):
    """Planning when the model is wrong: return against model error, plain and selective."""

    name: ClassVar[str] = "wrong_models"

    runs: int = 100
    """Runs of each agent on each model."""
    seed: int = 0
    """Settles every number."""
    steps: int = 12_000
    """Real steps of each run; where the maze changes, it is after half of them."""
    planning_steps: int = 10
    """Updates after each real step; dynamic programming makes as many as it needs."""
    learning_rate: float = 0.5
    """Step size alpha."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """Probability of an action at random."""
    initial_value: float = 1.0
    """What values begin with: the most that can be earned."""
    pair_rate: float = 0.3
    """Step size of the averages by which a selective planner judges a pair."""
    kinds: tuple[str, ...] = tuple(KINDS)
    """The ways to be wrong."""
    workers: int = 2
    """Processes, which change no number."""

    @property
    def total_runs(self) -> int:
        """Seeds in all ways to be wrong; with each all agents live."""
        return self.runs * len(self.kinds)


class Setting(NamedTuple):
    """An agent and its model."""

    dial: float
    planner: str
    selective: bool


def settings(kind: Kind) -> Iterator[Setting]:
    """The agents that live, Q-learning first."""
    yield Setting(0.0, MODEL_FREE, False)
    for planner in PLANNERS:
        for selective in (False, True):
            yield from (Setting(dial, planner, selective) for dial in kind.dials)


def main(config: WrongModels) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs or an unknown kind.
        OSError: if the output folder cannot be written.
    """
    caption = f"{interval_caption(config.runs)}; gain over Q-learning, seed by seed, in %"
    run_module(
        __name__,
        config,
        title="Planning when the model is wrong",
        caption=caption,
        cache_dir=cache_folder(config),
    )


def run(
    config: WrongModels, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Let all agents live with all models.

    Args:
        config: its numbers.
        callback: called after each seed in a kind.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        `wrong_models`, with the columns kind, dial, planner, selective (1 or 0), error_..., (of the
        model), reward_... (per step), gain_... (of the same over Q-learning with the same seed),
        each ..._mean, ..._low and ..._high (a 95% interval), worse_than_model_free (1 where the
        gain is below 0 with its interval) and runs; `wrong_models_runs`, the single runs: kind,
        dial, planner, selective, run, error and reward.

    Raises:
        ValueError: for fewer than 2 runs or an unknown kind.
    """
    check_runs(config.runs)
    for kind in config.kinds:
        if kind not in KINDS:
            raise ValueError(
                f"kinds {kind!r}; expected some of {list(KINDS)}{did_you_mean(kind, KINDS)}"
            )
    jobs = [(config, kind, number) for kind in config.kinds for number in range(config.runs)]
    lives = stack(
        run_jobs(one_seed, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    )
    return {config.name: summarise(lives), f"{config.name}_runs": lives}


def one_seed(config: WrongModels, kind: str, number: int) -> Table:
    """A row for each agent, all with one of the seeds."""
    rows = [
        (kind, *setting, number, *live(config, KINDS[kind], setting, number))
        for setting in settings(KINDS[kind])
    ]
    names = ("kind", *Setting._fields, "run", "error", "reward")
    columns = zip(*rows, strict=True)
    table = {name: np.array(column) for name, column in zip(names, columns, strict=True)}
    return {**table, "selective": table["selective"].astype(np.int64)}


def live(config: WrongModels, kind: Kind, setting: Setting, number: int) -> tuple[float, float]:
    """The error of the model in the end, and the reward per step since it is wrong."""
    agent, model = make_agent(config, kind, setting, number)
    rewards = run_one(agent, config.steps, 0).rewards
    change = 0 if kind.after is None else config.steps // 2
    error = 0.0 if model is None else model_error(model, world(kind, config.steps).phase_mdp(-1))
    return error, float(rewards[change:].mean())


def make_agent(
    config: WrongModels, kind: Kind, setting: Setting, number: int
) -> tuple[Agent, WrongModel | None]:
    """An agent, and its wrong model if it has one."""
    maze = world(kind, config.steps)
    common: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "epsilon": config.epsilon,
        "initial_value": config.initial_value,
        "seed": np.random.SeedSequence(config.seed, spawn_key=(AGENTS, number)),
    }
    if setting.planner == MODEL_FREE:
        return QLearning(maze, **common), None
    draws = np.random.SeedSequence(config.seed, spawn_key=(LIES, number))
    model = make_model(kind, setting.dial, maze, np.random.Generator(np.random.SFC64(draws)))
    solves = setting.planner == "dynamic_programming"
    agent = DynaQ(
        maze,
        model=ScoredModel(model, pair_rate=config.pair_rate, count_check=True)
        if setting.selective
        else model,
        planning=DynamicProgramming(tolerance=TOLERANCE) if solves else setting.planner,
        planning_steps=config.planning_steps,
        **common,
    )
    return agent, model


def make_model(kind: Kind, dial: float, maze: GridEnv, rng: np.random.Generator) -> WrongModel:
    """A model of a kind that is so wrong, fresh."""
    first = maze.phase_mdp(0)
    inside = kind.inside(*first.next_state.shape[:2])
    if kind.after is not None:
        return WrongModel(inside, lies=old_lies(first, dial, rng))
    if kind is KINDS["noise"]:
        return WrongModel(inside, lies=random_lies(first, dial, rng))
    rows, columns = maze.layout.walls.shape
    return WrongModel(inside, shared=blocks(rows, columns, int(dial)))


@cache
def world(kind: Kind, steps: int) -> GridEnv:
    """The maze of a kind, which changes after half of so many steps."""
    layout = PRESETS["dyna"]
    if kind.after is not None:
        layout += f"@ {steps // 2}\n{kind.after}"
    maze: Any = gym.make("DynaMaze-v0", layout=layout).unwrapped
    return maze  # type: ignore[no-any-return]


def summarise(lives: Table) -> Table:
    """The means over the runs, as `run` says."""
    tables = []
    for kind in dict.fromkeys(lives["kind"].tolist()):
        mine = rows_where(lives, "kind", kind)
        free = rows_where(mine, "planner", MODEL_FREE)["reward"]
        for setting in settings(KINDS[kind]):
            own = mine
            for name, value in setting._asdict().items():
                own = rows_where(own, name, value)
            gain = mean_interval(own["reward"] - free)
            labels = {"kind": kind, **setting._asdict(), "selective": int(setting.selective)}
            columns = {
                **labels,
                **interval_columns("error", mean_interval(own["error"])),
                **interval_columns("reward", mean_interval(own["reward"])),
                **interval_columns("gain", gain),
                "worse_than_model_free": int(gain.high < 0),
                "runs": free.size,
            }
            tables.append({name: np.array([value]) for name, value in columns.items()})
    return stack(tables)
