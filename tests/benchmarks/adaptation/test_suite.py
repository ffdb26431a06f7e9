"""The adaptation suite: runs, refusals, tables and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents.tuned import find_tuned
from dynamaze.benchmarks.adaptation import suite, suite_tables
from dynamaze.benchmarks.adaptation.settings import SETTINGS, SuiteSetting, run_seed
from dynamaze.benchmarks.adaptation.suite import AdaptationConfig, run
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.adaptation.suite_runs import RunAgent, fitted, refusal, trial
from dynamaze.benchmarks.harness.analysis.table import Table, rows_where
from dynamaze.benchmarks.harness.running.runner import Setting

BASELINES = ("random", "dyna_q", "oracle")
CONFIG = AdaptationConfig(
    runs=4, baselines=BASELINES, setting=("partially_seen", "generated", "continuous")
)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def test_a_row_for_each_run(tables: dict[str, Table]) -> None:
    table = tables["adaptation"]
    assert tuple(table) == suite_tables.COLUMNS
    assert set(table["suite"]) == {"adaptation-v1"}
    for setting in CONFIG.setting:
        rows = rows_where(table, setting=setting)
        served = BASELINES[:2] if setting == "continuous" else BASELINES
        assert [*dict.fromkeys(rows["agent"].tolist())] == list(served)
        assert (rows["steps"] == SETTINGS[setting].steps).all()


def test_agent_that_cannot_serve_is_listed(tables: dict[str, Table]) -> None:
    unserved = tables["adaptation_unserved"]
    assert unserved["agent"].tolist() == ["oracle"]
    assert unserved["setting"].tolist() == ["continuous"]
    assert "expected a maze on a grid" in unserved["reason"][0]
    lines = suite.summary(tables, CONFIG)["Agents that cannot serve a setting"]
    assert lines[1][:2] == ("oracle", "continuous")


def test_oracle_has_no_regret_and_random_actions_have_most(tables: dict[str, Table]) -> None:
    table = tables["adaptation"]
    for setting in ("partially_seen", "generated"):
        rows = rows_where(table, setting=setting)
        assert (rows_where(rows, agent="oracle")["regret"] < 1e-9).all()
        assert (rows_where(rows, agent="random")["regret"] > 1).all()
    assert suite_tables.overall_lines(table)[1][0] == "oracle"
    regrets = suite_tables.normalised_regrets(table)
    assert regrets["random"].mean() == pytest.approx(1.0)
    assert np.allclose(regrets["oracle"], 0.0)


def test_numbers_of_a_setting_without_a_last_change(tables: dict[str, Table]) -> None:
    rows = rows_where(tables["adaptation"], setting="generated")
    for name in ("recovery", "horizon", "shortcut", "reward_before"):
        assert np.isnan(rows[name]).all()


def test_regret_of_a_point_is_unknown(tables: dict[str, Table]) -> None:
    rows = rows_where(tables["adaptation"], setting="continuous")
    assert np.isnan(rows["regret"]).all()
    assert np.isnan(rows["recovery"]).all()
    assert (rows["horizon"] == 1500).all()
    assert not np.isnan(rows["reward_before"]).any()


def test_recovery_is_from_the_change_of_the_run(tables: dict[str, Table]) -> None:
    """In generated mazes each run has its own change, between steps 100 and 300 of 400."""
    rows = rows_where(tables["adaptation"], setting="partially_seen")
    assert ((rows["horizon"] >= 100) & (rows["horizon"] <= 300)).all()
    by_agent = [rows_where(rows, agent=agent)["horizon"] for agent in BASELINES]
    assert (by_agent[0] == by_agent[1]).all()
    assert (rows_where(rows, agent="oracle")["recovery"] < np.inf).all()


def test_curve_ends_at_the_regret(tables: dict[str, Table]) -> None:
    curve = rows_where(tables["adaptation_curves"], setting="generated", agent="dyna_q")
    rows = rows_where(tables["adaptation"], setting="generated", agent="dyna_q")
    assert curve["step"][-1] == 2000
    assert curve["regret_mean"][-1] == pytest.approx(rows["regret"].mean())


def test_plot_and_price(tables: dict[str, Table]) -> None:
    figure = suite.plot(tables, CONFIG)
    assert [axes.get_title() for axes in figure.axes] == ["partially_seen, n=4", "generated, n=4"]
    prices = {line[0]: line for line in suite.summary(tables, CONFIG)["Prices"]}
    assert prices["Dyna-Q"][1:4] == ("3", f"{4 * (400 + 2000 + 3000):,}", "50.0")
    assert prices["random"][3] == ""


def test_results_of_another_version_are_refused(tables: dict[str, Table]) -> None:
    other = dict(tables["adaptation"])
    other["suite"] = np.full(len(other["run"]), "adaptation-v2")
    with pytest.raises(ValueError, match="results of suite adaptation-v2; expected adaptation-v1"):
        suite.summary({**tables, "adaptation": other}, CONFIG)


def listed(name: str) -> RunAgent:
    return SUITE_AGENTS[name].for_run(name, 0.95)


class Reporter:
    """Agent that walks right, and reports a change at steps 3 and 12."""

    def __init__(self, env: Any, seed: int) -> None:
        self.reported_changes = [3, 12]

    def act(self, observation: int) -> int:
        return 1


CORRIDOR = SuiteSetting(
    "corridor",
    "DynaMaze-v0",
    {"layout": "S..G\n....", "changes": [[10, "S.#G\n...."]]},
    steps=60,
    change_steps=(10,),
)


def test_numbers_of_an_own_agent_in_an_own_setting() -> None:
    """Three steps to the goal, three times; then it stands before the wall."""
    found = trial(AdaptationConfig(), RunAgent("mine", Reporter), CORRIDOR, 0)
    best, gamma = 0.95**2, 0.95
    expected = {
        "reward": 3.0,
        "reward_before": 0.3,
        "recovery": np.inf,
        "horizon": 50.0,
        "delay": 2.0,
        "false_alarms": 1.0,
        "episodes": 3.0,
    }
    for name, value in expected.items():
        assert found[name].item() == value
    assert np.isnan(found["model_error"]).all()
    # after the change: cell (0, 1), 4 steps from the goal; the best action of it is down
    stuck = gamma**3 - gamma**4
    assert found["regret"].item() == pytest.approx(50 * stuck)
    assert best > 0


def test_expert_reports_a_contradicted_map() -> None:
    """Three episodes of three steps; then step 10 enters the new goal, a known cell without one."""
    moves = {"layout": "S..G", "changes": [[10, {"goal": [0, 2]}]]}
    found = trial(AdaptationConfig(), listed("expert"), replace(CORRIDOR, options=moves), 0)
    assert (found["delay"].item(), found["false_alarms"].item()) == (0.0, 0.0)
    slips = replace(CORRIDOR, options={**CORRIDOR.options, "slip_probability": 0.3})
    assert trial(AdaptationConfig(), listed("expert"), slips, 0)["false_alarms"].item() > 0


def test_table_of_reports_names_silent_agents(tables: dict[str, Table]) -> None:
    sections = suite.summary(tables, CONFIG)
    lines = sections[suite_tables.report_title("partially_seen")]
    assert lines[0] == suite_tables.REPORT_COLUMNS
    assert {line[2:] for line in lines[1:]} == {("does not report", "", "")}
    assert suite_tables.report_title("generated") not in sections  # no last change, no report
    table = rows_where(tables["adaptation"], setting="partially_seen")
    spoken = table["agent"] == "dyna_q"
    reporting = {
        **table,
        "delay": np.where(spoken, 7.0, np.nan),
        "false_alarms": np.where(spoken, 2.0, np.nan),
    }
    sections = suite_tables.setting_sections("partially_seen", reporting)
    found = {line[0]: line[2:] for line in sections[suite_tables.report_title("partially_seen")]}
    assert found["random"] == ("does not report", "", "")
    never, delay, alarms = found["Dyna-Q"]
    assert never.startswith("0%")
    assert delay.startswith("7 ")
    assert alarms.startswith("2.0 ")
    unknown = np.full(len(spoken), np.nan)
    endless = {**reporting, "horizon": unknown, "recovery": unknown}
    sections = suite_tables.setting_sections("partially_seen", endless)
    found = {line[0]: line[2:] for line in sections[suite_tables.report_title("partially_seen")]}
    assert found["Dyna-Q"][:2] == ("", "")  # delay and share are of a last change


def test_shortcut_is_found() -> None:
    opened = replace(
        CORRIDOR,
        options={"layout": "S.#G\n....", "changes": [[30, "S..G\n...."]]},
        change_steps=(30,),
        opens_shortcut=True,
    )
    right = RunAgent("right", lambda observation: 1)
    assert trial(AdaptationConfig(), right, opened, 0)["shortcut"].item() == 1.0
    down = RunAgent("round", lambda observation: {0: 2, 7: 0}.get(observation, 1))
    assert trial(AdaptationConfig(), down, opened, 0)["shortcut"].item() == 0.0


def test_run_does_not_depend_on_the_others() -> None:
    alone = replace(CONFIG, baselines=("dyna_q",), setting=("partially_seen",), runs=2)
    first, again = (trial(alone, listed("dyna_q"), SETTINGS["partially_seen"], 1) for _ in "ab")
    assert first["regret"] == again["regret"]
    assert run_seed(1) != run_seed(0)


class Seeing:
    """Agent that needs the planes of the maze, as a student that plans on them."""

    def __init__(self, env: Any, seed: int) -> None:
        if np.shape(env.observation_space.sample()) != (3, 9, 9):
            raise TypeError("expected planes")

    def act(self, observation: Any) -> int:
        return 1


def test_own_agent_gets_an_observation_that_it_takes() -> None:
    agent = RunAgent("seeing", Seeing)
    fits, reason = fitted(agent, SETTINGS["generated"])
    assert (fits.observation, reason) == ("planes", "")
    assert fitted(agent, SETTINGS["partially_seen"]) == (agent, "expected planes")
    assert fitted(listed("dyna_q"), SETTINGS["blocking"])[0].observation is None
    config = replace(CONFIG, setting=("generated",), baselines=("random",), runs=2)
    pairs = [*config.pairs, suite.Pair(fits, SETTINGS["generated"], 2, "")]
    object.__setattr__(config, "pairs", pairs)
    told = {line[0]: line[-1] for line in suite_tables.overall_lines(run(config)["adaptation"])}
    assert told == {"agent": "told", "random": "", "seeing": "observes planes"}


def test_refusal_is_one_sentence() -> None:
    text = refusal(listed("dynamic_programming"), SETTINGS["continuous"])
    assert text.startswith("DynamicProgramming needs TableValues")
    assert "\n" not in text
    assert refusal(listed("dyna_q"), SETTINGS["blocking"]) == ""
    assert "expected one of: an agent of" in refusal(RunAgent("none", 3), SETTINGS["blocking"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "seed=1; expected 0"),
        ({"runs": 101}, "runs=101; expected at most 100"),
        ({"baselines": ("dyna_w",)}, "did you mean 'dyna_q'"),
        ({"setting": ("adaptation-v2/slip",)}, "is of suite adaptation-v2"),
        ({"setting": ("slip", "slip")}, "'slip' is there twice in settings"),
        ({"agent": ("random", "random=DynaQ")}, "'random' is there twice in agents"),
        ({"baselines": ("oracle",), "setting": ("continuous",)}, "'oracle' cannot serve"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    small: dict[str, Any] = {"baselines": ("random",), "setting": ("slip",)}
    with pytest.raises(ValueError, match=message):
        AdaptationConfig(**(small | options)).check()


def test_slow_agents_have_fewer_runs() -> None:
    config = AdaptationConfig(baselines=("dyna_q", "linear"), setting=("blocking", "continuous"))
    runs = {(pair.name, pair.setting.name): pair.runs for pair in config.pairs}
    assert runs["dyna_q", "blocking"] == 100
    assert runs["dyna_q", "continuous"] == 20
    assert runs["linear", "blocking"] == runs["linear", "continuous"] == 10


def test_tuned_agents_stand_beside_their_own() -> None:
    config = AdaptationConfig(
        baselines=("random", "dyna_q"), setting=("shortcut", "continuous"), tuned=True
    )
    assert [pair.name for pair in config.pairs] == [
        *("random", "dyna_q", "dyna_q_tuned"),
        *("random", "dyna_q"),  # nothing was tuned for a point
    ]
    tuned = config.pairs[2].agent.factory(SETTINGS["shortcut"].make_env(0), seed=0)
    found = find_tuned("DynaQ", "shortcut").arguments
    assert tuned.exploration.get_params()["epsilon"] == found["epsilon"]
    assert suite_tables.label_of("dyna_q_tuned") == "Dyna-Q, tuned"


def test_settings_of_the_runner_are_the_served_pairs() -> None:
    config = AdaptationConfig(baselines=("oracle", "random"), setting=("continuous", "slip"))
    assert [setting.label for setting in config.settings] == ["random", "oracle", "random"]
    assert all(isinstance(setting, Setting) for setting in config.settings)


def test_failed_runs_are_listed() -> None:
    def fails(observation: Any) -> int:
        raise RuntimeError("no idea")

    config = replace(CONFIG, setting=("partially_seen",), baselines=("random",), runs=2)
    pairs = [*config.pairs, suite.Pair(RunAgent("mine", fails), SETTINGS["partially_seen"], 2, "")]
    object.__setattr__(config, "pairs", pairs)
    found = run(config)
    assert found["adaptation_failures"]["error"].tolist() == ["RuntimeError: no idea"] * 2
    assert suite.summary(found, config)["Failed runs"][1][0] == "mine"


def test_command_adds_an_own_agent(tmp_path: Path) -> None:
    from dynamaze.app import cli

    file = tmp_path / "mine.py"
    file.write_text("def right(observation):\n    return 1\n")
    options = ["--runs", "2", "--setting", "partially_seen", "--workers", "1"]
    command = ["bench", "run", "adaptation", *options, "--baselines", "random", "--agent"]
    assert cli.main([*command, f"right={file}:right", "--output", str(tmp_path)]) == 0
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"adaptation.png", "adaptation.csv", "adaptation_unserved.csv"} <= names
    assert "right" in (tmp_path / "results" / "adaptation.csv").read_text()


def test_agent_has_the_discount_of_the_setting() -> None:
    config = AdaptationConfig(baselines=("q_learning",), setting=("loca",))
    agent = config.pairs[0].agent.factory(SETTINGS["loca"].make_env(0), seed=0)
    assert agent.values.gamma == 0.97
