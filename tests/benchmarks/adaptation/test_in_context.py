"""Adaptation in context: the reference agents, paired runs, table and plot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import MapExplorer
from dynamaze.benchmarks.adaptation import in_context as experiment
from dynamaze.benchmarks.adaptation.agents import AGENTS, Oracle
from dynamaze.benchmarks.adaptation.in_context import (
    AgentName,
    Generator,
    InContextConfig,
    Level,
    run,
)
from dynamaze.benchmarks.harness.agent_runs.step_runs import derived_env_seed
from dynamaze.benchmarks.harness.analysis.table import Table, distinct, rows_where
from dynamaze.benchmarks.harness.running.runner import derive_seed
from dynamaze.distill.files.students import save_student
from dynamaze.envs.generation.generator import ALGORITHMS

from ...distill.exact_map_planner import expert_student

CONFIG = InContextConfig(runs=3, sizes=(5,), steps=60, agents=("random", "expert", "oracle"))


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def test_agents_have_names() -> None:
    assert get_args(AgentName) == tuple(AGENTS) == InContextConfig().agents


def test_runs_are_paired(tables: dict[str, Table]) -> None:
    runs = tables["adaptation_in_context_runs"]
    for name in ("level", "change"):
        columns = [rows_where(runs, agent=agent)[name] for agent in CONFIG.agents]
        assert all((each == columns[0]).all() for each in columns)
    assert rows_where(runs, agent="expert")["level"].tolist() == [10**6 + i for i in range(3)]
    assert ((runs["change"] >= 15) & (runs["change"] <= 45)).all()


def test_run_equals_agent_in_environment(tables: dict[str, Table]) -> None:
    """Run 1 of the expert, step by step; rewards from the first step in the changed maze count."""
    seed = derive_seed(CONFIG.seed, 1)
    agent = MapExplorer(Level(5, "wilson", 60, 1).make(), seed=seed)
    assert agent.env_seed == derived_env_seed(seed)
    reward = after = 0.0
    phase = 0
    for number, step in enumerate(agent.steps(), 1):
        reward += step.reward
        after += step.reward * (phase > 0)  # of the maze in which the step was taken
        phase = step.info["phase"]
        if number == 60:
            break
    found = rows_where(tables["adaptation_in_context_runs"], agent="expert", run=1)
    assert (found["reward"].item(), found["after"].item()) == (reward, after)


def test_oracle_has_no_regret(tables: dict[str, Table]) -> None:
    runs = tables["adaptation_in_context_runs"]
    assert rows_where(runs, agent="oracle")["regret"].tolist() == [0.0] * 3
    assert (rows_where(runs, agent="expert")["regret"] > 0).all()
    best = rows_where(runs, agent="oracle")["reward"]
    assert (rows_where(runs, agent="expert")["reward"] <= best).all()


def test_oracle_takes_shortest_paths() -> None:
    env = gym.make("DynaMaze-v0", layout="S#G\n...", changes={4: "S.G\n.#."})
    oracle, lengths, length = Oracle(env), [], 0
    observation, _ = env.reset(seed=0)
    while len(lengths) < 3:
        observation, _, terminated, _, _ = env.step(oracle.act(observation))
        length += 1
        if terminated:
            lengths.append(length)
            length = 0
            observation, _ = env.reset()
    assert lengths == [4, 2, 2]


def test_curve_ends_at_mean_reward(tables: dict[str, Table]) -> None:
    curve = rows_where(tables["adaptation_in_context"], agent="expert")
    runs = rows_where(tables["adaptation_in_context_runs"], agent="expert")
    assert curve["reward_mean"][-1] == pytest.approx(runs["reward"].mean())


def test_summary_and_plot(tables: dict[str, Table]) -> None:
    (lines,) = experiment.summary(tables, CONFIG).values()
    assert [line[0] for line in lines[1:]] == [AGENTS[agent].label for agent in CONFIG.agents]
    texts = {line[0]: line for line in lines}
    assert texts["expert (MapExplorer)"][3] == ""
    runs = tables["adaptation_in_context_runs"]
    ratio = [rows_where(runs, agent=agent)["reward"].sum() for agent in ("oracle", "expert")]
    assert texts["oracle"][3].startswith(f"{ratio[0] / ratio[1]:.2f} [")
    assert len(experiment.plot(tables, CONFIG).axes) == 2


def test_shares_need_expert(tables: dict[str, Table]) -> None:
    alone = {name: rows_where(table, agent="oracle") for name, table in tables.items()}
    config = replace(CONFIG, agents=("oracle",))
    (lines,) = experiment.summary(alone, config).values()
    assert lines[1][3] == ""
    experiment.plot(alone, config)


def test_other_agents_are_paired_with_the_expert(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_student(path, expert_student())
    others = (f"student={path}", "few=DynaQ(planning_steps=2)")
    config = replace(CONFIG, agents=("dyna_q_plus", "expert"), others=others)
    config.check()
    tables = run(config)
    runs = tables["adaptation_in_context_runs"]
    assert distinct(runs, "agent") == ["dyna_q_plus", "expert", "student", "few"]
    student, expert = (rows_where(runs, agent=name) for name in ("student", "expert"))
    # the same costs, but ties are broken otherwise
    assert student["level"].tolist() == expert["level"].tolist()
    assert student["reward"].sum() > 0.7 * expert["reward"].sum()
    (lines,) = experiment.summary(tables, config).values()
    texts = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[1:]}
    table_agent = rows_where(runs, agent="dyna_q_plus")["reward"].sum()
    ratio = student["reward"].sum() / table_agent
    assert texts["student"]["of best table agent's"].startswith(f"{ratio:.2f} [")
    assert texts["Dyna-Q+"]["of best table agent's"] == ""
    experiment.plot(tables, config)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (("random",), "'random' is the name of two agents; expected LABEL=AGENT"),
        (("a=DynaQ", "a=QLearning"), "'a' is the name of two agents"),
        (("DynaP",), "agent 'DynaP'; expected one of .*did you mean 'DynaQ'"),
        (("nowhere.safetensors",), "agent nowhere.safetensors: No such file"),
    ],
)
def test_wrong_others_are_refused(others: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, others=others).check()


def test_generators_are_those_of_mazes() -> None:
    assert get_args(Generator) == ALGORITHMS


def test_command_writes_files(tmp_path: Path) -> None:
    from dynamaze.app import cli

    options = ["--runs", "2", "--sizes", "3", "--steps", "20", "--agents", "expert", "oracle"]
    command = ["bench", "run", "adaptation-in-context", *options, "--workers", "1"]
    assert cli.main([*command, "--output", str(tmp_path)]) == 0
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"adaptation_in_context.png", "adaptation_in_context_runs.csv"} <= names
    assert np.genfromtxt(tmp_path / "results" / "adaptation_in_context_runs.csv").size
