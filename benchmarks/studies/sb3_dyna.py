"""Real steps until DQN and SAC of stable-baselines3 solve a maze, alone and with a model.

For each number of gradient steps both are shown, on batches of the same size, since more of them
help much alone, too: against the same number, what a model brings is not more updates. Against the
algorithm with the fewest, which is as it comes, a model brings both.
A maze counts as solved at the first look at which the greedy policy reaches the goal from the start
within `within` steps in all of its episodes, if it does so at the next look, too. A run that does
not get there counts with all the steps that it had, and the summary says how many there were.

A model cannot plan for a reward that was never seen: `first_reward` tells when it was. Each step on
the continuous mazes costs 0.01, so that what was tried in vain falls in value, and planning may
find the goal sooner, too.

On the continuous mazes a third method has the true world for a model (`TrueWorld`): what planning
could bring if the model learned without error.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import RescaleObservation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.agents import Transitions
from dynamaze.common.optional_imports import optional_import

from ..harness.intervals import mean_interval
from ..harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    interval_caption,
    run_jobs,
    run_module,
)
from ..harness.table import Table, rows_where, stack

METHODS = ("alone", "with a model", "with the true world")
COLOURS = dict(zip(METHODS, ("tab:red", "tab:blue", "tab:grey"), strict=True))

STEP_REWARD, STEP_SIZE = -0.01, 1.0


class Task(NamedTuple):
    """A maze, who learns it, and with what."""

    algorithm: str
    world: Callable[[], gym.Env[Any, Any]]
    settings: dict[str, Any]  # what differs from the defaults of stable-baselines3
    gradient_steps: tuple[int, ...]  # that are compared, after each `train_freq` real steps
    planning: dict[str, Any]  # of `DynaCallback`
    limit: int  # real steps of a run
    every: int  # real steps from one look to the next
    within: int  # steps
    episodes: int  # of a look
    true_world: int | None  # the gradient steps with which the true world is tried


def grid_world() -> gym.Env[Any, Any]:
    """The maze of example 8.1, which observes the number of the cell."""
    return gym.make("DynaMaze-v0")


def point_world(action: str) -> gym.Env[Any, Any]:
    """The same maze for a point, which observes its position, scaled to [-1, 1]."""
    world = gym.make(
        "DynaMazeContinuous-v0", action=action, step_reward=STEP_REWARD, step_size=STEP_SIZE
    )
    return RescaleObservation(world, np.float32(-1), np.float32(1))


_DQN: dict[str, Any] = {
    "learning_rate": 1e-3,
    "train_freq": 4,
    "target_update_interval": 4,
    "buffer_size": 50_000,
    "exploration_final_eps": 0.1,
    "policy_kwargs": {"net_arch": [64, 64]},
}

TASKS = {
    "grid, DQN": Task(
        algorithm="DQN",
        world=grid_world,
        settings={**_DQN, "learning_starts": 200, "gamma": 0.95, "exploration_fraction": 0.5},
        gradient_steps=(4, 16, 64),
        planning={"model": "linear", "real_ratio": 0.1, "rollout_length": 4, "rollouts": 64},
        limit=4000,
        every=50,
        within=28,
        episodes=1,
        true_world=None,
    ),
    "point, DQN": Task(
        algorithm="DQN",
        world=partial(point_world, "discrete"),
        settings={
            **_DQN,
            "learning_starts": 500,
            "gamma": 0.97,
            "batch_size": 64,
            "exploration_fraction": 0.5,
        },
        gradient_steps=(4, 16),
        planning={"model": "linear", "real_ratio": 0.5},
        limit=4000,
        every=100,
        within=40,
        episodes=5,
        true_world=16,
    ),
    "point, SAC": Task(
        algorithm="SAC",
        world=partial(point_world, "continuous"),
        settings={
            "learning_rate": 1e-3,
            "learning_starts": 500,
            "train_freq": 8,
            "batch_size": 64,
            "gamma": 0.97,
            "tau": 0.02,
            "ent_coef": 0.005,
            "policy_kwargs": {"net_arch": [64, 64]},
            "use_sde": True,
            "sde_sample_freq": 16,
            "use_sde_at_warmup": True,
        },
        gradient_steps=(16, 64),
        planning={"model": "gaussian_process", "real_ratio": 0.5},
        limit=5000,
        every=100,
        within=40,
        episodes=5,
        true_world=16,
    ),
}


@dataclass(frozen=True)
class DynaForSB3(ExperimentConfig):
    """Real steps until DQN and SAC solve a maze, alone and with a model."""

    name: ClassVar[str] = "dyna_sb3"

    runs: int = 8
    """Runs of each algorithm, method and number of gradient steps."""
    seed: int = 0
    """Settles every number."""
    tasks: tuple[Literal["grid, DQN", "point, DQN", "point, SAC"], ...] = ()
    """Some of the mazes and algorithms instead of all."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def total_runs(self) -> int:
        """All runs together."""
        return self.runs * len(arms(self))


def arms(config: DynaForSB3) -> list[tuple[str, str, int]]:
    """What is compared: task, method and gradient steps."""
    found = []
    for name in config.tasks or TASKS:
        task = TASKS[name]
        for steps in task.gradient_steps:
            methods = METHODS if steps == task.true_world else METHODS[:2]
            found += [(name, method, steps) for method in methods]
    return found


def main(config: DynaForSB3) -> None:
    """Run the experiment, store its table and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs or no worker.
        ImportError: without stable-baselines3.
        OSError: if the output folder cannot be written.
    """
    run_module(
        __name__,
        config,
        title="Real steps until the maze is solved",
        caption=interval_caption(config.runs),
        cache_dir=cache_folder(config),
    )


def run(
    config: DynaForSB3, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        One table, a row for each run, with the columns task, method, gradient_steps (for each real
        step), run, first_reward (real steps until a reward was seen), steps (until the maze was
        solved) and solved (1 or 0). What did not happen counts with all the steps of the run.
    """
    optional_import("stable_baselines3", extra="distill", purpose="this experiment")
    jobs = [(config.seed, *arm, number) for arm in arms(config) for number in range(config.runs)]
    done = run_jobs(learn, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    return {config.name: stack(done)}


# -- one run -----------------------------------------------------------------------------------


def learn(seed: int, name: str, method: str, gradient_steps: int, number: int) -> Table:
    """One run; runs of the same number begin with the same seed, whatever the method."""
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.callbacks import ConvertCallback

    from dynamaze.agents.sb3 import DynaCallback

    torch.set_num_threads(1)
    task = TASKS[name]
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
    settings = deepcopy(task.settings)  # stable-baselines3 writes into what it is given
    algorithm = getattr(sb3, task.algorithm)(
        "MlpPolicy", task.world(), gradient_steps=gradient_steps, seed=own, device="cpu", **settings
    )
    judge = Judge(task, own)
    callbacks: list[Any] = [ConvertCallback(judge)]
    if method != "alone":
        planning = dict(task.planning)
        if method == METHODS[2]:
            planning["model"] = TrueWorld(task.world(), own)
        callbacks.append(DynaCallback(**planning, seed=own))
    algorithm.learn(task.limit, callback=callbacks)
    return {
        "task": np.array([name]),
        "method": np.array([method]),
        "gradient_steps": np.array([gradient_steps / task.settings["train_freq"]]),
        "run": np.array([number]),
        "first_reward": np.array([judge.first_reward]),
        "steps": np.array([judge.steps]),
        "solved": np.array([int(judge.solved)]),
    }


class Judge:
    """Looks at a policy again and again, and ends learning when the maze is solved.

    Args:
        task: says when it is.
        seed: of the worlds in which it looks.

    Attributes:
        first_reward: real steps until a reward above 0 was seen, or the limit.
        steps: real steps until the maze was solved, or the limit.
        solved: whether it was.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.world = task.world()
        self.first_reward = self.steps = task.limit
        self.solved = False
        self._reached = False

    def __call__(self, told: dict[str, Any], _: dict[str, Any]) -> bool:
        """After each real step; False ends learning."""
        algorithm = told["self"]
        at = algorithm.num_timesteps
        if max(told["rewards"]) > 0:
            self.first_reward = min(self.first_reward, at)
        if at % self.task.every:
            return True
        before, self._reached = self._reached, self._reaches(algorithm)
        if before and self._reached:
            self.steps, self.solved = at - self.task.every, True
        return not self.solved

    def _reaches(self, algorithm: Any) -> bool:
        return all(self._reaches_once(algorithm) for _ in range(self.task.episodes))

    def _reaches_once(self, algorithm: Any) -> bool:
        observation, _ = self.world.reset(seed=self.seed)
        self.seed += 1
        for _ in range(self.task.within):
            action, _ = algorithm.predict(observation, deterministic=True)
            observation, _, terminated, _, _ = self.world.step(action)
            if terminated:
                return True
        return False


class TrueWorld:
    """The world of a point itself as a model: it learns nothing and imagines what would happen.

    Args:
        world: what `point_world` gives.
        seed: of its noise.
    """

    observes = "vectors"

    def __init__(self, world: gym.Env[Any, Any], seed: int) -> None:
        self.world = world
        self.world.reset(seed=seed)
        low, high = self._point.observation_space.low, self._point.observation_space.high
        self._low, self._high = low.astype(np.float64), high.astype(np.float64)

    @property
    def _point(self) -> Any:
        return self.world.unwrapped

    def update(self, transitions: Transitions) -> None:
        """Nothing is to be learned."""

    def imagine(
        self,
        observations: npt.NDArray[np.float64],
        actions: npt.NDArray[Any],
        rng: np.random.Generator,
    ) -> Transitions:
        """What follows (batch, 2) scaled positions; the noise is the world's own."""
        positions = self._low + (observations + 1) / 2 * (self._high - self._low)
        outcomes = [self._step(*pair) for pair in zip(positions, actions, strict=True)]
        after, reward, terminated = (np.array(column) for column in zip(*outcomes, strict=True))
        following = 2 * (after - self._low) / (self._high - self._low) - 1
        return Transitions(observations, actions, reward, following, terminated)

    def _step(self, position: Any, action: Any) -> tuple[Any, float, bool]:
        state = {**self._point.get_state(), "state": [*position.tolist(), 0.0, 0.0]}
        self._point.set_state({**state, "started": True})
        taken = np.float32(action) if np.ndim(action) else int(action)
        after, reward, terminated, _, _ = self._point.step(taken)
        return after.astype(np.float64), float(reward), bool(terminated)


# -- what came out -----------------------------------------------------------------------------


def rows_of(table: Table, task: str, method: str, gradient_steps: float) -> Table:
    """The runs of one arm."""
    rows = rows_where(rows_where(table, "task", task), "method", method)
    return rows_where(rows, "gradient_steps", gradient_steps)


def summary(tables: dict[str, Table], config: DynaForSB3) -> list[tuple[str, ...]]:
    """A line for each arm: real steps, and how many fewer than alone, run by run."""
    table = tables[config.name]
    lines: list[tuple[str, ...]] = [
        (
            *("maze", "updates a step", "method", "solved", "first reward", "steps"),
            *("fewer than alone", "than alone with the fewest updates"),
        )
    ]
    for name, method, steps in arms(config):
        task = TASKS[name]
        updates, fewest = (
            each / task.settings["train_freq"] for each in (steps, min(task.gradient_steps))
        )
        mine = rows_of(table, name, method, updates)
        fewer = [
            _text(rows_of(table, name, METHODS[0], each)["steps"] - mine["steps"])
            for each in (updates, fewest)
        ]
        if method == METHODS[0]:
            fewer[0] = ""
            fewer[1] = fewer[1] if updates != fewest else ""
        solved = f"{mine['solved'].sum()} of {len(mine['solved'])}"
        cells = (_text(mine["first_reward"]), _text(mine["steps"]), *fewer)
        lines.append((name, f"{updates:g}", method, solved, *cells))
    return lines


def _text(samples: npt.NDArray[Any]) -> str:
    interval = mean_interval(samples)
    return f"{interval.mean:.0f} [{interval.low:.0f}, {interval.high:.0f}]"


def plot(tables: dict[str, Table], config: DynaForSB3) -> Figure:
    """Real steps against updates a step: a panel for each maze and algorithm."""
    table = tables[config.name]
    names: tuple[str, ...] = config.tasks or tuple(TASKS)
    figure = Figure(figsize=(max(4 * len(names), 6), 3.8), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        _draw(axes, rows_where(table, "task", name))
        axes.set(title=name, xlabel="Gradient steps for each real step", ylim=(0, None))
    panels[0].set(ylabel="Real steps until the maze is solved")
    panels[-1].legend(frameon=False)
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"Dyna for SB3: mean of {runs} runs, 95% interval")
    return figure


def _draw(axes: Axes, table: Table) -> None:
    for shift, method in zip((-0.04, 0.0, 0.04), METHODS, strict=True):
        rows = rows_where(table, "method", method)
        updates = np.unique(rows["gradient_steps"])
        if not updates.size:
            continue
        found = [
            mean_interval(rows_where(rows, "gradient_steps", each)["steps"]) for each in updates
        ]
        mean, low, high = (np.array(column) for column in zip(*found, strict=True))
        axes.errorbar(
            updates * 2**shift,
            mean,
            yerr=np.array([mean - low, high - mean]),
            color=COLOURS[method],
            marker="o",
            capsize=3,
            label=method,
        )
    axes.set_xscale("log", base=2)
    ticks = np.unique(table["gradient_steps"])
    axes.set_xticks(ticks, labels=[f"{each:g}" for each in ticks])
