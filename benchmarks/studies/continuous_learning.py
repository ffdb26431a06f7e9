"""Learning curves of Stable-Baselines3's PPO and SAC on `DynaMazeContinuous-v0`.

Positions are scaled to [-1, 1]. Shown is the deterministic policy in separate environments: its
steps to the goal, and its success rate within 500 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RescaleObservation
from gymnasium.wrappers.vector import RescaleObservation as RescaleObservations

from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.plots import COLOURS, line_with_band, panels
from dynamaze.benchmarks.harness.analysis.summaries import (
    count_text,
    fraction_interval,
    median_interval,
    median_text,
    share_text,
)
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    by_run,
    distinct,
    make_table,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, derive_seed
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import Count, Runs, Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


@dataclass(frozen=True)
class ContinuousLearningConfig(ExperimentConfig):
    """Learning curves of PPO and SAC in a continuous maze."""

    name: ClassVar[str] = "continuous_learning"
    title: ClassVar[str] = f"{ENV}, at the end"
    swept: ClassVar[tuple[str, ...]] = ("ppo_steps", "sac_steps")

    runs: Runs = 10
    """Runs for each curve."""
    ppo_steps: Steps = 102_400
    """Steps of each run of PPO, in 8 environments together."""
    sac_steps: Steps = 25_000
    """Steps of each run of SAC."""
    points: Count = 25
    """Evaluations of the policy in a run, the last at its end."""
    episodes: Count = 20
    """Episodes of each evaluation."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Algorithms, and the steps of their runs."""
        return [
            Setting(("PPO", self.ppo_steps), self.runs, "PPO", ENV),
            Setting(("SAC", self.sac_steps), self.runs, "SAC", ENV),
        ]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "n runs; 95% intervals: by order statistics of the median of the steps (500 where the "
            f"goal is not reached), and Wilson's of the success rate; {FEW_RUNS_NOTE}"
        )


class PolicyScore(NamedTuple):
    """Evaluation of a deterministic policy."""

    length: float  # mean steps of an episode; the time limit if it does not reach the goal
    reached: float  # success rate: the fraction of episodes that end at the goal


def run(config: ContinuousLearningConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, with the columns algorithm, run, step, length and reached (see `PolicyScore`).

    Raises:
        ValueError: for fewer than 2 runs, or another number below 1.
        ImportError: without Stable-Baselines3.
    """
    config.check()
    optional_import("stable_baselines3", extra="distill", purpose="this experiment")
    return {config.name: stack_runs((runner or Runner()).run(trial, config))}


def plot(tables: Tables, config: ContinuousLearningConfig) -> Figure:
    """Return the learning curves of the stored table."""
    table = tables[config.name]
    figure, ((left, right),) = panels(1, 2, size=(9, 3.8))
    _draw(left, table, "length")
    _draw(right, table, "reached")
    left.set(ylabel="Steps to the goal (500: not reached)", yscale="log", ylim=(15, 520))
    left.set_yticks([20, 50, 100, 200, 500], labels=["20", "50", "100", "200", "500"])
    left.minorticks_off()
    right.set(ylabel="Success rate", ylim=(-0.02, 1.02))
    right.legend(loc="lower right")
    runs = len(np.unique(table["run"]))
    figure.suptitle(f"{ENV}: median and success rate, {count_text(runs)}, 95% interval")
    return figure


def summary(tables: Tables, config: ContinuousLearningConfig) -> Lines:
    """Return a line for each algorithm: the evaluation of its final policies."""
    table = tables[config.name]
    lines: Lines = [("algorithm", "n", "steps", "steps to the goal", "success rate")]
    for algorithm in np.unique(table["algorithm"]):
        own = rows_where(table, algorithm=algorithm)
        steps = own["step"].max()
        last = rows_where(own, step=steps)
        length, reached = median_text(last["length"], 1), share_text(last["reached"])
        lines.append((str(algorithm), str(last["run"].size), f"{steps:,}", length, reached))
    return lines


# -- one run -----------------------------------------------------------------------------------


def trial(config: ContinuousLearningConfig, algorithm: str, steps: int, number: int) -> Table:
    """Return the evaluations of one run of some steps, at equal intervals of training."""
    import stable_baselines3 as sb3
    import torch

    torch.set_num_threads(1)
    seed = derive_seed(config.seed, number)
    envs = sb3.common.env_util.make_vec_env(_make_env, NUM_ENVS[algorithm], seed=seed)
    model = getattr(sb3, algorithm)(
        "MlpPolicy", envs, seed=seed, device="cpu", **SETTINGS[algorithm]
    )
    scores, at = [evaluate_greedy(model, config.episodes, seed)], [0]
    for point in range(1, config.points + 1):
        goal = steps * point // config.points
        if goal > model.num_timesteps:  # PPO trains for whole rollouts
            model.learn(goal - model.num_timesteps, reset_num_timesteps=False)
            scores.append(evaluate_greedy(model, config.episodes, seed + point))
            at.append(model.num_timesteps)
    length, reached = zip(*scores, strict=True)
    return make_table(algorithm=algorithm, run=number, step=at, length=length, reached=reached)


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


# -- plot --------------------------------------------------------------------------------------


def _draw(axes: Axes, table: Table, column: str) -> None:
    interval = fraction_interval if column == "reached" else median_interval
    for algorithm in distinct(table, "algorithm"):
        own = rows_where(table, algorithm=algorithm)
        shown, thousands = interval(by_run(own, column)), np.unique(own["step"]) / 1000
        line_with_band(axes, thousands, shown, color=COLOURS[algorithm], label=algorithm)
    axes.set(xlabel="Steps in the maze (thousands)", xlim=(0, None))


if __name__ == "__main__":
    run_script(__file__)
