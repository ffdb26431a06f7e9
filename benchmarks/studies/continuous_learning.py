"""Learning curves of Stable-Baselines3's PPO and SAC on `DynaMazeContinuous-v0`.

Positions are scaled to [-1, 1]. Shown is the deterministic policy in separate environments: its
steps to the goal, and its success rate within 500 steps.
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

from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.intervals import ConfidenceInterval, mean_interval
from dynamaze.benchmarks.harness.runner import (
    ExperimentConfig,
    RunCallback,
    cache_folder,
    check_runs,
    interval_caption,
    run_jobs,
    run_module,
)
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.common.optional_imports import optional_import

ENV = "DynaMazeContinuous-v0"
STEP_REWARD = -0.01
TIME_LIMIT = 500

# The reward is sparse: independent random actions reach the goal in 4% of episodes of 500 steps,
# random actions that are kept for 16 steps in 61%. So both algorithms explore by gSDE with noise
# that is kept for 16 steps (Raffin, Kober & Stulp 2021, "Smooth exploration for robotic
# reinforcement learning"), and each step costs 0.01. SAC's entropy coefficient is small and fixed:
# with sparse rewards the automatically tuned one outweighs them for longer than these runs last.
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
"""Differences from the defaults of Stable-Baselines3."""

NUM_ENVS = {"PPO": 8, "SAC": 1}
COLOURS = {"PPO": "tab:blue", "SAC": "tab:orange"}


@dataclass(frozen=True)
class ContinuousLearningConfig(ExperimentConfig):
    """Learning curves of PPO and SAC in a continuous maze."""

    name: ClassVar[str] = "continuous_learning"

    runs: int = 10
    """Runs for each curve."""
    seed: int = 0
    """Seed of all random numbers."""
    ppo_steps: int = 102_400
    """Steps of each run of PPO, in 8 environments together."""
    sac_steps: int = 25_000
    """Steps of each run of SAC."""
    points: int = 25
    """Evaluations of the policy in a run, the last at its end."""
    episodes: int = 20
    """Episodes of each evaluation."""
    workers: int = 2
    """Processes, each on one core."""

    @property
    def steps(self) -> dict[str, int]:
        """Steps of a run of each algorithm."""
        return {"PPO": self.ppo_steps, "SAC": self.sac_steps}

    @property
    def total_runs(self) -> int:
        """Number of runs of both algorithms."""
        return self.runs * len(SETTINGS)


class PolicyScore(NamedTuple):
    """Evaluation of a deterministic policy."""

    length: float  # mean steps of an episode; the time limit if it does not reach the goal
    reached: float  # success rate: the fraction of episodes that end at the goal


def main(config: ContinuousLearningConfig) -> None:
    """Run the experiment, store its table and plot, and print their paths.

    Raises:
        ValueError: for fewer than 2 runs, or another number below 1.
        ImportError: without Stable-Baselines3.
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
    config: ContinuousLearningConfig, callback: RunCallback = None, cache_dir: Path | None = None
) -> dict[str, Table]:
    """Run the experiment.

    Args:
        config: the settings.
        callback: called after each of the `config.total_runs` runs.
        cache_dir: a folder for the finished runs, from which a stopped experiment continues.

    Returns:
        One table, with the columns algorithm, run, step, length and reached (see `PolicyScore`).
    """
    _check(config)
    optional_import("stable_baselines3", extra="distill", purpose="this experiment")
    jobs = [(config, algorithm, run) for algorithm in SETTINGS for run in range(config.runs)]
    done = run_jobs(learn, jobs, workers=config.workers, cache_dir=cache_dir, callback=callback)
    return {config.name: stack(done)}


def plot(tables: dict[str, Table], config: ContinuousLearningConfig) -> Figure:
    """Return the learning curves of the stored table."""
    table = tables[config.name]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(left, table, "length")
    _draw(right, table, "reached")
    left.set(ylabel="Steps to the goal (500: not reached)", yscale="log", ylim=(15, 520))
    left.set_yticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    left.minorticks_off()
    right.set(ylabel="Success rate", ylim=(-0.02, 1.02))
    right.legend(frameon=False, loc="lower right")
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"{ENV}: mean of {runs} runs, 95% interval")
    return figure


def summary(tables: dict[str, Table], config: ContinuousLearningConfig) -> list[tuple[str, ...]]:
    """Return a line for each algorithm: the evaluation of its final policies."""
    table = tables[config.name]
    lines: list[tuple[str, ...]] = [("algorithm", "steps", "steps to the goal", "success rate")]
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


def learn(config: ContinuousLearningConfig, algorithm: str, run: int) -> Table:
    """Return the evaluations of one run, at equal intervals of training."""
    import stable_baselines3 as sb3
    import torch

    torch.set_num_threads(1)
    seed = int(np.random.SeedSequence([config.seed, run]).generate_state(1)[0] >> 1)
    envs = sb3.common.env_util.make_vec_env(_make_env, NUM_ENVS[algorithm], seed=seed)
    model = getattr(sb3, algorithm)(
        "MlpPolicy", envs, seed=seed, device="cpu", **SETTINGS[algorithm]
    )
    scores, at = [evaluate_greedy(model, config.episodes, seed)], [0]
    for point in range(1, config.points + 1):
        goal = config.steps[algorithm] * point // config.points
        if goal > model.num_timesteps:  # PPO trains for whole rollouts
            model.learn(goal - model.num_timesteps, reset_num_timesteps=False)
            scores.append(evaluate_greedy(model, config.episodes, seed + point))
            at.append(model.num_timesteps)
    rows = len(scores)
    return {
        "algorithm": np.full(rows, algorithm),
        "run": np.full(rows, run),
        "step": np.array(at),
        "length": np.array([each.length for each in scores]),
        "reached": np.array([each.reached for each in scores]),
    }


def evaluate_greedy(model: Any, episodes: int, seed: int) -> PolicyScore:
    """Evaluate a policy without its exploration noise, in separate environments."""
    envs = gym.make_vec(ENV, num_envs=episodes)
    scaled = RescaleObservations(envs, np.float32(-1), np.float32(1))
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
    return PolicyScore(float(length.mean()), float(reached.mean()))


def _make_env() -> gym.Env[Any, Any]:
    env = gym.make(ENV, step_reward=STEP_REWARD)
    return RescaleObservation(env, np.float32(-1), np.float32(1))


def _check(config: ContinuousLearningConfig) -> None:
    check_runs(config.runs)
    for name in ("ppo_steps", "sac_steps", "points", "episodes", "workers"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name}={getattr(config, name)}; expected at least 1")


# -- plot --------------------------------------------------------------------------------------


def _interval(table: Table, algorithm: str, column: str) -> tuple[Any, ConfidenceInterval]:
    """Return the steps of the evaluations, and the mean over runs at each."""
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


if __name__ == "__main__":
    run_script(__file__)
