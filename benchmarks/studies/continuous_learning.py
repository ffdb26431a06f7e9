"""Learning curves of stable-baselines3's PPO and SAC on `DynaMazeContinuous-v0`.

The reward is sparse, and what acts at random anew in each step hardly ever finds the goal: it does
in 4% of episodes of 500 steps. Where each random action is kept for 16 steps, it does in 61%.
So both algorithms explore by gSDE (Raffin, Kober & Stulp 2021, "Smooth exploration for robotic
reinforcement learning"), which keeps its noise for 16 steps, and each step costs 0.01. The entropy
that SAC pays for is small and fixed, as it must be where rewards are: tuned automatically it
outweighs them for longer than these runs last.

Positions are scaled to [-1, 1]. What is shown is the policy without its noise, in worlds of its
own: its steps to the goal, and how often it reaches the goal within 500 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RescaleObservation
from gymnasium.wrappers.vector import RescaleObservation as RescaleObservations
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dynamaze.common.optional_imports import optional_import

from ..harness.intervals import ConfidenceInterval, mean_interval
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

ENV = "DynaMazeContinuous-v0"
STEP_REWARD = -0.01
TIME_LIMIT = 500

SETTINGS: dict[str, dict[str, Any]] = {
    "PPO": {
        "n_steps": 512,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "use_sde": True,
        "sde_sample_freq": 16,
    },
    "SAC": {
        "learning_starts": 2000,
        "train_freq": 8,
        "gradient_steps": 8,
        "learning_rate": 1e-3,
        "tau": 0.01,
        "ent_coef": 0.005,
        "policy_kwargs": {"net_arch": [64, 64]},
        "use_sde": True,
        "sde_sample_freq": 16,
        "use_sde_at_warmup": True,
    },
}
"""What differs from the defaults of stable-baselines3."""

TRAINING_WORLDS = {"PPO": 8, "SAC": 1}
COLOURS = {"PPO": "tab:blue", "SAC": "tab:orange"}


@dataclass(frozen=True)
class ContinuousLearning(ExperimentConfig):
    """Learning curves of PPO and SAC in a maze without a grid of steps."""

    name: ClassVar[str] = "continuous_learning"

    runs: int = 10
    """Runs for each curve."""
    seed: int = 0
    """Settles every number."""
    ppo_steps: int = 102_400
    """Steps of each run of PPO, in 8 worlds together."""
    sac_steps: int = 25_000
    """Steps of each run of SAC."""
    points: int = 25
    """How often in a run the policy is looked at, the end included."""
    episodes: int = 20
    """Episodes of each look."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def steps(self) -> dict[str, int]:
        """The steps of a run of each algorithm."""
        return {"PPO": self.ppo_steps, "SAC": self.sac_steps}

    @property
    def total_runs(self) -> int:
        """Runs of all curves together."""
        return self.runs * len(SETTINGS)


class Look(NamedTuple):
    """How good a policy is, without its noise."""

    length: float  # mean steps of an episode; the time limit where it does not reach the goal
    reached: float  # the share of episodes that end at the goal


def main(config: ContinuousLearning) -> None:
    """Run the experiment, store its table and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, or another number below 1.
        ImportError: without stable-baselines3.
        OSError: if the output folder cannot be written.
    """
    run_module(
        __name__,
        config,
        title=f"{ENV}, at the end",
        caption=interval_caption(config.runs),
        cache_dir=cache_folder(config),
    )


def run(
    config: ContinuousLearning, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: its numbers.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the runs that are done, so that a run that was stopped goes on.

    Returns:
        One table, with the columns algorithm, run, step, length and reached (see `Look`).
    """
    _check(config)
    optional_import("stable_baselines3", extra="distill", purpose="this experiment")
    jobs = [(config, algorithm, run) for algorithm in SETTINGS for run in range(config.runs)]
    done = run_jobs(learn, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    return {config.name: stack(done)}


def plot(tables: dict[str, Table], config: ContinuousLearning) -> Figure:
    """The picture from the stored table."""
    table = tables[config.name]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(left, table, "length")
    _draw(right, table, "reached")
    left.set(ylabel="Steps to the goal (500: not reached)", yscale="log", ylim=(15, 520))
    left.set_yticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    left.minorticks_off()
    right.set(ylabel="Episodes that reach the goal", ylim=(-0.02, 1.02))
    right.legend(frameon=False, loc="lower right")
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"{ENV}: mean of {runs} runs, 95% interval")
    return figure


def summary(tables: dict[str, Table], config: ContinuousLearning) -> list[tuple[str, ...]]:
    """A line for each algorithm: how good its policies are in the end."""
    table = tables[config.name]
    lines: list[tuple[str, ...]] = [("algorithm", "steps", "steps to the goal", "reach the goal")]
    for algorithm in np.unique(table["algorithm"]):
        last = [_interval(table, algorithm, column)[1] for column in ("length", "reached")]
        steps = int(rows_where(table, "algorithm", algorithm)["step"].max())
        length, reached = (
            f"{value.mean[-1]:.{digits}f} [{value.low[-1]:.{digits}f}, {value.high[-1]:.{digits}f}]"
            for value, digits in zip(last, (1, 3), strict=True)
        )
        lines.append((str(algorithm), f"{steps:,}", length, reached))
    return lines


# -- one run -----------------------------------------------------------------------------------


def learn(config: ContinuousLearning, algorithm: str, run: int) -> Table:
    """One run: how good the policy is again and again while it learns."""
    import stable_baselines3 as sb3
    import torch

    torch.set_num_threads(1)
    seed = int(np.random.SeedSequence([config.seed, run]).generate_state(1)[0] >> 1)
    worlds = sb3.common.env_util.make_vec_env(_world, TRAINING_WORLDS[algorithm], seed=seed)
    model = getattr(sb3, algorithm)(
        "MlpPolicy", worlds, seed=seed, device="cpu", **SETTINGS[algorithm]
    )
    looks, at = [look(model, config.episodes, seed)], [0]
    for point in range(1, config.points + 1):
        goal = config.steps[algorithm] * point // config.points
        if goal > model.num_timesteps:  # PPO goes on for whole rollouts
            model.learn(goal - model.num_timesteps, reset_num_timesteps=False)
            looks.append(look(model, config.episodes, seed + point))
            at.append(model.num_timesteps)
    rows = len(looks)
    return {
        "algorithm": np.full(rows, algorithm),
        "run": np.full(rows, run),
        "step": np.array(at),
        "length": np.array([each.length for each in looks]),
        "reached": np.array([each.reached for each in looks]),
    }


def look(model: Any, episodes: int, seed: int) -> Look:
    """How good a policy is without its noise, in worlds of its own."""
    worlds = gym.make_vec(ENV, num_envs=episodes)
    scaled = RescaleObservations(worlds, np.float32(-1), np.float32(1))
    observations, _ = scaled.reset(seed=seed)
    length = np.full(episodes, TIME_LIMIT)
    reached = np.zeros(episodes, dtype=np.bool_)
    over = np.zeros(episodes, dtype=np.bool_)
    for step in range(1, TIME_LIMIT + 1):
        actions, _ = model.predict(observations, deterministic=True)
        observations, _, terminated, truncated, _ = scaled.step(actions)
        first = terminated & ~over
        length[first], reached[first] = step, True
        over |= terminated | truncated
        if over.all():
            break
    return Look(float(length.mean()), float(reached.mean()))


def _world() -> gym.Env[Any, Any]:
    world = gym.make(ENV, step_reward=STEP_REWARD)
    return RescaleObservation(world, np.float32(-1), np.float32(1))


def _check(config: ContinuousLearning) -> None:
    check_runs(config.runs)
    for name in ("ppo_steps", "sac_steps", "points", "episodes", "workers"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name}={getattr(config, name)}; expected at least 1")


# -- the picture -------------------------------------------------------------------------------


def _interval(table: Table, algorithm: str, column: str) -> tuple[Any, ConfidenceInterval]:
    """The steps at which the policies were looked at, and the mean over runs there."""
    rows = rows_where(table, "algorithm", algorithm)
    steps = np.unique(rows["step"])
    samples = [rows_where(rows, "run", run)[column] for run in np.unique(rows["run"])]
    return steps, mean_interval(samples)


def _draw(axes: Axes, table: Table, column: str) -> None:
    for algorithm, colour in COLOURS.items():
        if algorithm not in table["algorithm"]:
            continue
        steps, interval = _interval(table, algorithm, column)
        axes.plot(steps / 1000, interval.mean, color=colour, label=algorithm)
        low = np.maximum(interval.low, 0 if column == "reached" else 1)
        high = np.minimum(interval.high, 1 if column == "reached" else TIME_LIMIT)
        axes.fill_between(steps / 1000, low, high, color=colour, alpha=0.3, linewidth=0)
    axes.set(xlabel="Steps in the maze (thousands)", xlim=(0, None))
