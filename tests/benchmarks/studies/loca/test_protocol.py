"""The LoCA protocol and its phases."""

from __future__ import annotations

from typing import Any

import pytest

from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol, PhasedEnv
from dynamaze.envs.loca.tasks import ZONE

from .example_agents import SHORT, OptimalAgent


def test_env_switches_phases() -> None:
    env = PhasedEnv(SHORT.make_env(), SHORT)
    agent = OptimalAgent(env, "A")
    agent.learn(400)
    assert env.steps_taken == 400
    assert set(agent.columns[200:300]) == {ZONE}
    assert min(agent.columns[:200]) < 10
    assert min(agent.columns[300:]) < 20


def test_env_truncates_episodes() -> None:
    protocol = LoCAProtocol(steps=(30, 30, 30), evaluation_interval=10, episode_steps=20)
    env = PhasedEnv(protocol.make_env(slip_probability=0), protocol)
    cuts = []
    env.reset(seed=0)
    for step in range(90):
        _, _, terminated, truncated, _ = env.step(0)
        assert not terminated
        if truncated:
            cuts.append(step + 1)
            with pytest.raises(Exception, match="after the end of an episode"):
                env.step(0)
            env.reset(seed=step)  # a seed does not restart the phases
    assert cuts == [20, 30, 50, 60, 80, 90]
    assert (env.unwrapped.task, env.unwrapped.starts) == ("B", "all")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "gird"}, "did you mean 'grid'"),
        ({"steps": (100, 100)}, "expected those of 3 phases"),
        (
            {"steps": (1000, 750, 500)},
            "750 steps of phase 2; expected a multiple of evaluation_interval=500",
        ),
        ({"evaluation_interval": 0}, "evaluation_interval=0"),
        ({"last": 0}, "last=0"),
        ({"gamma": 1}, "gamma=1"),
        ({"near": 1.5}, "near=1.5"),
    ],
)
def test_protocol_rejects_invalid_values(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoCAProtocol(**arguments)
