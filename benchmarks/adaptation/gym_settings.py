"""Settings of the second adaptation suite, beyond mazes: `adaptation-gym-v1`.

Environments of Gymnasium that `ChangingEnv` changes once, halfway through a run. Like the first
list it is never edited. Where the environment has a table the regret is exact; CartPole and
Pendulum have rewards alone, and serve agents with a network. All changes were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium as gym

from dynamaze.benchmarks.adaptation.settings import SuiteSetting, run_seed
from dynamaze.benchmarks.harness.agent_runs.step_runs import derived_env_seed
from dynamaze.benchmarks.harness.store.description import canonical_json, describe, sha256
from dynamaze.common.validation import shown
from dynamaze.envs import ChangingEnv

GYM_SUITE = "adaptation-gym-v1"
"""Name and version of the list of settings."""


@dataclass(frozen=True)
class ChangingSetting(SuiteSetting):
    """An environment of Gymnasium that changes at the setting's `change_steps`.

    Raises:
        ValueError: as `SuiteSetting`; and without a change at each of `change_steps`, or for a
            change of both kinds or of none.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Values of attributes from the change on."""
    table_of: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Arguments of `gym.make` that make an environment with the table `P` from the change on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.change_steps or bool(self.attributes) == bool(self.table_of):
            raise ValueError(
                f"setting {self.name!r} with change_steps={self.change_steps}, attributes="
                f"{shown(self.attributes)} and table_of={shown(self.table_of)}; expected steps "
                "and one of the two"
            )

    def make_env(self, number: int, observation: Any = None) -> gym.Env[Any, Any]:
        """Make the environment of a run.

        Args:
            number: of the run, from 0.
            observation: must be None.

        Raises:
            ValueError: for an observation: the environment has one only.
        """
        if observation is not None:
            raise ValueError(f"observation {shown(observation)}; expected that of {self.env_id}")
        change = self.attributes
        if self.table_of:
            other: Any = gym.make(self.env_id, **self.table_of).unwrapped
            change = {"P": other.P}
        env = gym.make(self.env_id, **self.options)
        return ChangingEnv(env, [(step, change) for step in self.change_steps or ()])


def _listed(name: str, env_id: str, steps: int, **rest: Any) -> ChangingSetting:
    return ChangingSetting(
        name, env_id, steps=steps, change_steps=(steps // 2,), suite=GYM_SUITE, **rest
    )


DRY = {"is_slippery": False}
MAP, OTHER_MAP = ["SHFF", "FHFH", "FFFH", "HFFG"], ["SFFF", "HHFH", "FFFH", "HFFG"]
"""Maps of FrozenLake: the only path leads down from the start, then to the right."""

GYM_SETTINGS = {
    setting.name: setting
    for setting in (
        _listed(
            "frozen_lake_path",
            "FrozenLake-v1",
            6_000,
            options={"desc": MAP, **DRY},
            table_of={"desc": OTHER_MAP, **DRY},
            runs=30,
        ),
        _listed(
            "frozen_lake_slips",
            "FrozenLake-v1",
            6_000,
            options=DRY,
            table_of={"is_slippery": True},
            runs=30,
        ),
        _listed(
            "taxi_rain",
            "Taxi-v4",
            20_000,
            options={},
            table_of={"is_rainy": True},
            gamma=0.99,
            runs=10,
        ),
        _listed("cart_pole", "CartPole-v1", 40_000, attributes={"gravity": 20.0}, runs=10),
        _listed("pendulum", "Pendulum-v1", 20_000, attributes={"m": 2.0}, gamma=0.9, runs=10),
    )
}
"""The settings of `GYM_SUITE` by name. Never edited: a test holds their digest."""


def gym_suite_digest() -> str:
    """Return a digest of the settings and the seeds; the ids name Gymnasium's versions."""
    listed = [describe(asdict(setting)) for setting in GYM_SETTINGS.values()]
    runs = max(setting.runs for setting in GYM_SETTINGS.values())
    seeds = [(run_seed(number), derived_env_seed(run_seed(number))) for number in range(runs)]
    return sha256(canonical_json(describe([GYM_SUITE, listed, seeds])).encode())
