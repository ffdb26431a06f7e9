"""Real steps until DQN and SAC of Stable-Baselines3 solve a maze, with and without a model.

For each number of gradient steps both are shown, on batches of the same size, because more gradient
steps help much without a model too: at equal numbers the difference is due to the model. Against
the model-free algorithm with the fewest gradient steps it is due to both.

A maze counts as solved at the first evaluation at which the greedy policy reaches the goal from the
start within `max_steps` steps in all of its episodes, if it does so at the next one too. A run that
does not solve it counts with all of its steps, and the summary gives the number of solved runs.

A model cannot plan for a reward that was never observed: `first_reward` is the step at which it
was. Each step on the continuous mazes costs 0.01, so that the values of failed attempts fall, and
planning may find the goal sooner too.

On the continuous mazes a third method has the true environment as its model (`TrueEnvModel`): an
upper bound for planning with a learned model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import RescaleObservation

from dynamaze.agents import Transitions
from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE, IntervalEstimate
from dynamaze.benchmarks.harness.analysis.plots import (
    COLOURS,
    number_ticks,
    panels,
    points_with_bars,
)
from dynamaze.benchmarks.harness.analysis.summaries import (
    count_text,
    mean_text,
    median_interval,
    median_text,
    share_text,
)
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    make_table,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, derive_seed
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


METHODS = ("model-free", "learned model", "true environment")

STEP_REWARD, STEP_SIZE = -0.01, 1.0


class SB3Task(NamedTuple):
    """A maze, an algorithm, and its settings."""

    algorithm: str
    make_env: Callable[[], gym.Env[Any, Any]]
    settings: dict[str, Any]  # differences from the defaults of Stable-Baselines3
    gradient_steps: tuple[int, ...]  # compared numbers, after each `train_freq` real steps
    planning: dict[str, Any]  # of `DynaCallback`
    limit: int  # real steps of a run
    evaluation_interval: int  # real steps
    max_steps: int  # of an evaluation's episode
    episodes: int  # of an evaluation
    true_env_gradient_steps: int | None  # gradient steps of the method with the true environment


def make_grid_env() -> gym.Env[Any, Any]:
    """Return the maze of example 8.1; observations are cell numbers."""
    return gym.make("DynaMaze-v0")


def make_point_env(action: str) -> gym.Env[Any, Any]:
    """Return the continuous version of the maze; observations are positions scaled to [-1, 1]."""
    env = gym.make(
        "DynaMazeContinuous-v0", action=action, step_reward=STEP_REWARD, step_size=STEP_SIZE
    )
    return RescaleObservation(env, np.float32(-1), np.float32(1))


_DQN: dict[str, Any] = {
    "learning_rate": 1e-3,
    "train_freq": 4,
    "target_update_interval": 4,
    "buffer_size": 50_000,
    "exploration_final_eps": 0.1,
    "policy_kwargs": {"net_arch": [64, 64]},
}

TASKS = {
    "grid-dqn": SB3Task(
        algorithm="DQN",
        make_env=make_grid_env,
        settings={**_DQN, "learning_starts": 200, "gamma": 0.95, "exploration_fraction": 0.5},
        gradient_steps=(4, 16, 64),
        planning={"model": "linear", "real_ratio": 0.1, "rollout_length": 4, "rollouts": 64},
        limit=4000,
        evaluation_interval=50,
        max_steps=28,
        episodes=1,
        true_env_gradient_steps=None,
    ),
    "point-dqn": SB3Task(
        algorithm="DQN",
        make_env=partial(make_point_env, "discrete"),
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
        evaluation_interval=100,
        max_steps=40,
        episodes=5,
        true_env_gradient_steps=16,
    ),
    "point-sac": SB3Task(
        algorithm="SAC",
        make_env=partial(make_point_env, "continuous"),
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
        evaluation_interval=100,
        max_steps=40,
        episodes=5,
        true_env_gradient_steps=16,
    ),
}


@dataclass(frozen=True)
class SB3DynaConfig(ExperimentConfig):
    """Real steps until DQN and SAC solve a maze, with and without a model."""

    name: ClassVar[str] = "sb3_dyna"
    title: ClassVar[str] = "Real steps until the maze is solved"
    swept: ClassVar[tuple[str, ...]] = ("tasks",)

    runs: Runs = 8
    """Runs of each algorithm, method and number of gradient steps."""
    tasks: tuple[Literal["grid-dqn", "point-dqn", "point-sac"], ...] = ()
    """Some of the mazes and algorithms; all by default."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The compared arms: task, method and gradient steps."""
        return [
            Setting((name, method, steps), self.runs, f"{name}, {method}, {steps} gradient steps")
            for name, method, steps in arms(self)
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "n runs; medians of real steps with 95% intervals by order statistics, means of paired "
            "differences with Student's, shares with Wilson's; in a difference an event that did "
            f"not happen counts with all steps of the run; {FEW_RUNS_NOTE}"
        )


def arms(config: SB3DynaConfig) -> list[tuple[str, str, int]]:
    """Return the compared arms: task, method and gradient steps."""
    found = []
    for name in config.tasks or TASKS:
        task = TASKS[name]
        for steps in task.gradient_steps:
            methods = METHODS if steps == task.true_env_gradient_steps else METHODS[:2]
            found += [(name, method, steps) for method in methods]
    return found


def run(config: SB3DynaConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, a row for each run, with the columns task, method, gradient_steps (for each real
        step), run, first_reward (real steps until the first reward), steps (until the maze was
        solved) and solved (1 or 0). An event that did not happen counts with all the steps of the
        run.

    Raises:
        ImportError: without Stable-Baselines3.
    """
    optional_import("stable_baselines3", extra="distill", purpose="this experiment")
    return {config.name: stack_runs((runner or Runner()).run(trial, config))}


# -- one run -----------------------------------------------------------------------------------


def trial(config: SB3DynaConfig, name: str, method: str, gradient_steps: int, number: int) -> Table:
    """Return the row of one run; runs with the same number have the same seed in all arms."""
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.callbacks import ConvertCallback

    from dynamaze.agents.sb3 import DynaCallback

    torch.set_num_threads(1)
    task = TASKS[name]
    seed = derive_seed(config.seed, number)
    settings = deepcopy(task.settings)  # Stable-Baselines3 changes the dictionaries it is given
    algorithm = getattr(sb3, task.algorithm)(
        "MlpPolicy",
        task.make_env(),
        gradient_steps=gradient_steps,
        seed=seed,
        device="cpu",
        **settings,
    )
    callback = SolvedCallback(task, seed)
    callbacks: list[Any] = [ConvertCallback(callback)]
    if method != "model-free":
        planning = dict(task.planning)
        if method == METHODS[2]:
            planning["model"] = TrueEnvModel(task.make_env(), seed)
        callbacks.append(DynaCallback(**planning, seed=seed))
    algorithm.learn(task.limit, callback=callbacks)
    return make_table(
        task=name,
        method=method,
        gradient_steps=gradient_steps / task.settings["train_freq"],
        run=number,
        first_reward=callback.first_reward,
        steps=callback.steps,
        solved=int(callback.solved),
    )


class SolvedCallback:
    """Callback that evaluates the greedy policy, and stops learning when the maze is solved.

    Args:
        task: its intervals and limits.
        seed: of the environment of the evaluations.

    Attributes:
        first_reward: real steps until the first reward above 0, or the limit.
        steps: real steps until the maze was solved, or the limit.
        solved: whether it was.
    """

    def __init__(self, task: SB3Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.env = task.make_env()
        self.first_reward = self.steps = task.limit
        self.solved = False
        self._reached = False

    def __call__(self, local_variables: dict[str, Any], _: dict[str, Any]) -> bool:
        """Evaluate after a real step if it is time; False stops learning."""
        algorithm = local_variables["self"]
        at = algorithm.num_timesteps
        if max(local_variables["rewards"]) > 0:
            self.first_reward = min(self.first_reward, at)
        if at % self.task.evaluation_interval:
            return True
        before, self._reached = self._reached, self._reaches(algorithm)
        if before and self._reached:  # twice in succession: the first of the two counts
            self.steps, self.solved = at - self.task.evaluation_interval, True
        return not self.solved

    def _reaches(self, algorithm: Any) -> bool:
        return all(self._reaches_goal(algorithm) for _ in range(self.task.episodes))

    def _reaches_goal(self, algorithm: Any) -> bool:
        observation, _ = self.env.reset(seed=self.seed)
        self.seed += 1
        for _ in range(self.task.max_steps):
            action, _ = algorithm.predict(observation, deterministic=True)
            observation, _, terminated, _, _ = self.env.step(action)
            if terminated:
                return True
        return False


class TrueEnvModel:
    """The true environment of a point as a model: nothing is learned.

    Args:
        env: an environment of `make_point_env`.
        seed: of its noise.
    """

    observes = "vectors"

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        self.env = env
        self.env.reset(seed=seed)
        low, high = self._point.observation_space.low, self._point.observation_space.high
        self._low, self._high = low.astype(np.float64), high.astype(np.float64)

    @property
    def _point(self) -> Any:
        return self.env.unwrapped

    def update(self, transitions: Transitions) -> None:
        """Do nothing: there is nothing to learn."""

    def sample_transitions(
        self,
        observations: npt.NDArray[np.float64],
        actions: npt.NDArray[Any],
        rng: np.random.Generator,
    ) -> Transitions:
        """Simulate a step from (batch, 2) scaled positions; the noise is the environment's own."""
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


# -- results -----------------------------------------------------------------------------------


def summary(tables: Tables, config: SB3DynaConfig) -> Lines:
    """Return a line for each arm: real steps, and paired differences from model-free learning."""
    table = tables[config.name]
    lines: Lines = [
        (
            *("maze", "updates a step", "method", "n", "solved", "first reward", "steps"),
            *("fewer than model-free", "than model-free with the fewest updates"),
        )
    ]
    for name, method, steps in arms(config):
        if name not in table["task"]:  # of stored tables, which may have other tasks
            continue
        task = TASKS[name]
        updates, fewest = (
            each / task.settings["train_freq"] for each in (steps, min(task.gradient_steps))
        )
        runs = rows_where(table, task=name)
        mine = rows_where(runs, method=method, gradient_steps=updates)
        alone = (rows_where(runs, method=METHODS[0], gradient_steps=n) for n in (updates, fewest))
        fewer = [mean_text(each["steps"] - mine["steps"], 0, kind="time") for each in alone]
        if method == METHODS[0]:
            fewer[0] = ""
            fewer[1] = fewer[1] if updates != fewest else ""
        until = np.where(mine["solved"] == 1, mine["steps"], np.inf)
        cells = (
            share_text(mine["solved"]),
            median_text(mine["first_reward"]),
            median_text(until, limit=task.limit),
            *fewer,
        )
        lines.append((name, f"{updates:g}", method, str(mine["run"].size), *cells))
    return lines


def plot(tables: Tables, config: SB3DynaConfig) -> Figure:
    """Return the plot: real steps against updates a step, a panel for each maze and algorithm."""
    table = tables[config.name]
    names = [name for name in config.tasks or TASKS if name in table["task"]]
    figure, (row,) = panels(1, len(names), size=(max(4 * len(names), 6), 3.8))
    for axes, name in zip(row, names, strict=True):
        _draw(axes, rows_where(table, task=name))
        axes.set(title=name, xlabel="Gradient steps for each real step", ylim=(0, None))
    row[0].set(ylabel=f"{config.title} (median)")
    row[-1].legend()
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"Dyna for SB3: median, {count_text(runs)}, 95% interval")
    return figure


def _draw(axes: Axes, table: Table) -> None:
    for shift, method in zip((-0.04, 0.0, 0.04), METHODS, strict=True):
        rows = rows_where(table, method=method)
        updates = np.unique(rows["gradient_steps"])
        if not updates.size:
            continue
        found = [
            median_interval(rows_where(rows, gradient_steps=each)["steps"]) for each in updates
        ]
        steps = IntervalEstimate(*(np.array(part) for part in zip(*found, strict=True)))
        style: dict[str, Any] = {"color": COLOURS[method], "marker": "o", "label": method}
        points_with_bars(axes, updates * 2**shift, steps, **style)
    axes.set_xscale("log", base=2)
    number_ticks(axes, np.unique(table["gradient_steps"]))


if __name__ == "__main__":
    run_script(__file__)
