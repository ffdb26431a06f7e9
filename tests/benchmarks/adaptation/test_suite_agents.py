"""Agents of the adaptation suite: each serves mazes on a grid; which serve a point."""

from __future__ import annotations

import pytest

from dynamaze.benchmarks.adaptation.settings import SETTINGS, SuiteSetting
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.adaptation.suite_runs import refusal, trial

SHORT = SuiteSetting(
    "short", "DynaMaze-v0", {"layout": "S..G", "changes": [[20, {"goal": [0, 2]}]]}, 40, (20,)
)


@pytest.mark.parametrize("name", SUITE_AGENTS)
def test_agent_runs(name: str) -> None:
    if SUITE_AGENTS[name].is_slow:
        pytest.importorskip("torch")
        pytest.importorskip("stable_baselines3")
    found = trial(None, SUITE_AGENTS[name].for_run(name, 0.95), SHORT, 0)
    assert 0 <= found["regret"].item() < 40
    assert found["steps"].item() == 40


def test_agents_of_vectors() -> None:
    pytest.importorskip("torch")
    served = {
        name
        for name, agent in SUITE_AGENTS.items()
        if not agent.is_slow and not refusal(agent.for_run(name, 0.95), SETTINGS["continuous"])
    }
    assert served == {"random", "q_learning", "dyna_q", "stored_experience"}


def test_suite_has_every_kind_of_agent() -> None:
    fast = [name for name, agent in SUITE_AGENTS.items() if not agent.is_slow]
    assert len(fast) >= 10
    told = [name for name, agent in SUITE_AGENTS.items() if agent.told]
    assert told == ["student", "expert", "oracle"]


def test_student_and_expert_serve_mazes_on_a_grid() -> None:
    """Of the others the table gives the reason."""
    for name in ("student", "expert"):
        agent = SUITE_AGENTS[name].for_run(name, 0.95)
        reasons = {setting.name: refusal(agent, setting) for setting in SETTINGS.values()}
        assert [setting for setting, reason in reasons.items() if reason] == ["continuous"]
        assert 'observation="index"' in reasons["continuous"]
