"""The LoCA command, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import stack
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.benchmarks.studies.loca import command
from dynamaze.benchmarks.studies.loca.command import AGENTS, LoCAConfig, LoCAContinuousConfig
from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol

from .example_agents import evaluations_of

TOY = LoCAConfig(runs=2, slow_runs=2, steps=(50, 50, 50), evaluation_interval=50, workers=1)


TOY_POINT = LoCAContinuousConfig(runs=2, slow_runs=2, steps=(20, 20, 20), evaluation_interval=20)


def test_run_module_runs_grid_agents(tmp_path: Path) -> None:
    names = tuple(name for name in AGENTS["grid"] if name != "sb3_dqn")
    run_module(command, replace(TOY, agents=names, output=tmp_path))
    tables = read_tables(tmp_path / "results", "loca")
    assert tables["loca"]["agent"].tolist() == list(names)
    assert set(tables["loca"]["adaptive"]) <= {"yes", "no", "undecided"}
    assert len(tables["loca_curves"]["run"]) == 3 * 2 * len(names)
    assert (tmp_path / "results" / "loca.png").read_bytes().startswith(b"\x89PNG")


def test_run_includes_point_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    # A dataclass's default is fixed in `__init__`, so the protocol itself is replaced.
    short = partial(LoCAProtocol, evaluation_episodes=2)
    monkeypatch.setattr(command, "LoCAProtocol", short)
    tables = command.run(TOY_POINT)
    assert tables["loca_continuous"]["agent"].tolist() == TOY_POINT.names
    assert (tables["loca_continuous"]["runs"] == 2).all()
    assert command.plot(tables, TOY_POINT).axes


def test_summary_and_plot_of_curves() -> None:
    names = ("q_learning", "maximum_likelihood")
    evaluations = [
        {"agent": np.full(12, name), **evaluations_of([[1.0, score, 1.0], [1.0, score, 1.0]])}
        for name, score in zip(names, (0.2, 0.95), strict=True)
    ]
    tables = {"loca_curves": stack(evaluations)}
    config = replace(TOY, near=0.9)
    lines = command.summary(tables, config)
    assert [line[0] for line in lines[1:]] == list(names)
    assert [line[-1] for line in lines[1:]] == ["no", "yes"]
    assert [line[1] for line in lines] == ["n", "2", "2"]
    figure = command.plot(tables, config)
    assert figure.axes[0].get_title() == "q learning: no (n = 2)"


def test_dqn_is_optional() -> None:
    assert "sb3_dqn" not in LoCAConfig().names
    assert "sb3_dqn" in LoCAConfig(sb3=True).names
    assert LoCAConfig(agents=("sb3_dqn",)).names == ["sb3_dqn"]
    settings = LoCAConfig(runs=6, slow_runs=3).settings
    runs = {setting.arguments[0]: setting.runs for setting in settings}
    assert (runs["q_learning"], runs["linear"]) == (6, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents": ("latest",)}, "agents='latest'; expected.*did you mean 'latest_outcome'"),
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"steps": (70, 50, 50)}, "expected a multiple of evaluation_interval=50"),
        ({"slip_probability": 2.0}, "slip_probability=2"),
    ],
)
def test_run_module_rejects_invalid_options(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_module(command, replace(TOY, **changes))


def test_run_own_agent(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from dynamaze.agents import DynaQ\nclass Mine(DynaQ): ...\n")
    names = ("q_learning", f"mine={tmp_path}/own.py:Mine", "few=DynaQ(planning_steps=2)")
    config = replace(TOY, agents=names)
    config.check()
    tables = command.run(config)
    assert tables["loca"]["agent"].tolist() == ["q_learning", "mine", "few"]
    assert [line[0] for line in command.summary(tables, config)[1:]] == config.names


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        (("q_lerning",), "did you mean 'q_learning'"),
        (("no_module:Mine",), "agent in module 'no_module'"),
        (("linear", "linear"), "expected different names"),
    ],
)
def test_check_refuses_agents(agents: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TOY, agents=agents).check()
