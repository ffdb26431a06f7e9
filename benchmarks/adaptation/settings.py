"""Settings of the adaptation suite: `adaptation-v1`, a fixed list of environments and seeds.

So that numbers of different people mean the same, the list is never edited: another list is another
version, beside this one. Run i of every agent has the same seed, and where mazes are generated the
same level. Settings are plain data; one's own have the suite "own" and are run by the same command
(`--setting path/file.py:NAME`).

Changes that were chosen, not found elsewhere: those of `slip` and `goal_moves`, the rates of the
drifts, and the discounts. `loca` is the grid of van Seijen et al. (2020) without slips, with the
phases of Wan et al. (2022) at fixed steps: an episode that is under way at a change goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium as gym

from dynamaze.benchmarks.harness.agent_runs.step_runs import derived_env_seed
from dynamaze.benchmarks.harness.running.runner import derive_seed
from dynamaze.benchmarks.harness.store.description import canonical_json, describe, sha256
from dynamaze.common.validation import checked_integer, checked_number
from dynamaze.envs.adaptation import TRAINING_LEVELS

SUITE = "adaptation-v1"
"""Name and version of the list of settings."""

OWN = "own"
"""Suite of settings that are in no list."""

SEED = 0
"""Seed of the suite, from which those of its runs are derived."""


@dataclass(frozen=True)
class SuiteSetting:
    """An environment that changes, and how its runs are measured.

    Raises:
        ValueError: for a number outside its range, or a change outside the run.
    """

    name: str
    env_id: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Arguments of `gym.make`."""
    steps: int = 3000
    """Real steps of a run."""
    change_steps: tuple[int, ...] | None = ()
    """First steps in each changed maze; none where the maze never stops changing; None where the
    seed of the run draws them."""
    gamma: float = 0.95
    """Discount of the regret, and of the agents that have one."""
    runs: int = 100
    """Runs of each agent."""
    first_level: int | None = None
    """Where mazes are generated, the level of run 0; run i has the i-th after it alone."""
    opens_shortcut: bool = False
    """Whether the change opens a shortcut."""
    suite: str = OWN

    def __post_init__(self) -> None:
        checked_integer("steps", self.steps, 1)
        checked_integer("runs", self.runs, 2)
        checked_number("gamma", self.gamma, 0, 1)
        steps = self.change_steps or ()
        if list(steps) != sorted({*steps}) or (
            steps and not 0 < steps[0] <= steps[-1] < self.steps
        ):
            raise ValueError(
                f"setting {self.name!r} with change_steps={steps}; expected ascending steps of a "
                f"run of {self.steps}"
            )

    @property
    def has_one_time_changes(self) -> bool:
        """Whether there is a last change from which an agent can recover."""
        return self.change_steps != ()

    def make_env(self, number: int, observation: Any = None) -> gym.Env[Any, Any]:
        """Make the environment of a run.

        Args:
            number: of the run, from 0.
            observation: what the agent observes; None for the setting's.
        """
        options = dict(self.options)
        if observation is not None:
            options["observation"] = observation
        if self.first_level is not None:
            options |= {"first_level": self.first_level + number, "levels": 1}
        return gym.make(self.env_id, **options)


def _listed(name: str, env_id: str, options: Mapping[str, Any], **rest: Any) -> SuiteSetting:
    return SuiteSetting(name, env_id, options, suite=SUITE, **rest)


def _drift(rate: float) -> dict[str, Any]:
    return {"random_changes": {"when": "poisson", "rate": rate, "what": ["walls"]}}


SETTINGS = {
    setting.name: setting
    for setting in (
        _listed("blocking", "DynaMazeBlocking-v0", {}, steps=3000, change_steps=(1000,)),
        _listed(
            "shortcut",
            "DynaMazeShortcut-v0",
            {},
            steps=6000,
            change_steps=(3000,),
            opens_shortcut=True,
        ),
        _listed("drifting_slow", "DynaMazeDrifting-v0", _drift(0.002)),
        _listed("drifting", "DynaMazeDrifting-v0", _drift(0.01)),
        _listed("drifting_fast", "DynaMazeDrifting-v0", _drift(0.05)),
        _listed(
            "slip",
            "DynaMaze-v0",
            {"changes": [[1500, {"slip_probability": 0.4}]]},
            change_steps=(1500,),
        ),
        _listed(
            "goal_moves",
            "DynaMaze-v0",
            {"changes": [[1500, {"goal": [5, 8]}]]},
            change_steps=(1500,),
        ),
        _listed(
            "loca",
            "DynaMazeLoCA-v0",
            {
                "slip_probability": 0.0,
                "changes": [[4000, {"task": "B", "starts": "T1"}], [6000, {"starts": "all"}]],
            },
            steps=8000,
            change_steps=(4000, 6000),
            gamma=0.97,
        ),
        _listed(
            "partially_seen",
            "DynaMazeAdaptation-v0",
            {"observation": "index", "max_episode_steps": -1},
            steps=400,
            change_steps=None,
            first_level=TRAINING_LEVELS,
        ),
        _listed(
            "generated",
            "DynaMazeGenerated-v0",
            {
                "size": 9,
                "algorithm": "wilson",
                "loops": 0.15,
                "split": "test",
                "observation": "index",
                "max_episode_steps": 200,
            },
            steps=2000,
        ),
        _listed(
            "continuous",
            "DynaMazeContinuous-v0",
            {"action": "discrete", "changes": [[1500, {"goal": [5, 8]}]]},
            change_steps=(1500,),
            runs=20,
        ),
    )
}
"""The settings of `SUITE` by name. Never edited: a test holds their digest."""


def suite_digest() -> str:
    """Return a digest of the settings with the configurations behind their ids, and the seeds."""
    listed = [describe(asdict(setting)) for setting in SETTINGS.values()]
    configurations = [
        setting.make_env(0).unwrapped.configuration_digest()  # type: ignore[attr-defined]
        for setting in SETTINGS.values()
    ]
    runs = max(setting.runs for setting in SETTINGS.values())
    seeds = [(run_seed(number), derived_env_seed(run_seed(number))) for number in range(runs)]
    return sha256(canonical_json(describe([SUITE, listed, configurations, seeds])).encode())


def run_seed(number: int) -> int:
    """Return the seed of a run of the suite, the same for every agent."""
    return derive_seed(SEED, number)
