"""Each old name of the table in CHANGELOG.md warns, at the line that uses it, and names the new."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents.models import MaximumLikelihood

agents: Any = import_module("dynamaze.agents")
make: Any = gym.make
make_vec: Any = gym.make_vec

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
ENVS = "dynamaze.envs"
PLANES = f"{ENVS}.generation.planes"
IDS = (
    "DynaMaze-v0",
    "DynaMazeBlocking-v0",
    "DynaMazeShortcut-v0",
    "DynaMazeGenerated-v0",
    "DynaMazeDrifting-v0",
    "DynaMazeContinuous-v0",
    "DynaMazeLoCA-v0",
    "DynaMazeLoCAContinuous-v0",
)
NOTICE = {"notice": "change", "notice_in": "observation"}
SEARCH: dict[str, Any] = {"model": "true", "horizon": 2}
GROUPED: dict[str, dict[str, Any]] = {
    "MonteCarloSettings": {"policy": "values", "rollout_epsilon": 0.2},
    "TDSettings": {"search_rate": 0.2, "search_epsilon": 0.2, "trace_decay": 0.2},
    "TrajectorySettings": {"elites": 2, "iterations": 1, "particles": 1, "temperature": 0.2},
    "TreeSettings": {
        "exploration_constant": 2.0,
        "max_nodes": 2000,
        "outcome_widening": (1.0, 0.5),
        "reuse": False,
        "transpositions": True,
    },
}
"""Settings of a search -> arguments of agents in version 0.2 that are its fields now."""
GIVEN: dict[str, Any] = {"env": "DynaMaze-v0", "model": "latest_outcome", "leaf": "values"}
MLP: dict[str, Any] = {
    "kind": "mlp",
    "observation_shape": (2,),
    "num_actions": 2,
    "width": 3,
    "per": "tensor",
}


def get(path: str) -> Any:
    package, name = path.rsplit(".", 1)
    return getattr(import_module(package), name)


def regret(env_id: str, *, foresight: bool) -> Any:
    env: Any = gym.make(env_id).unwrapped
    env.reset(seed=0)
    return env.regret(foresight=foresight)


def distill(name: str) -> Any:
    return get(f"dynamaze.distill.{name}")


def teacher(observations: Any) -> Any:
    return np.zeros((len(observations), 2))


def evaluate(name: str, *policies: Any) -> Any:
    env = gym.make_vec("CartPole-v1", num_envs=1)
    return distill(name)(*policies, env, 2, gamma=0.9, seed=0, view=np.asarray)


def collect(env_id: str) -> Any:
    env, rng = gym.make_vec(env_id, num_envs=1), np.random.default_rng(0)
    return distill("collect")(teacher, env, 2, rng, view=np.asarray)


def as_number(students: Any) -> dict[str, float]:
    return dict.fromkeys(students, 1.0)


NAMES = {
    f"{ENVS}.MazeRecipe": f"{ENVS}.MazeGenerator",
    f"{ENVS}.generation.MazeRecipe": f"{ENVS}.generation.MazeGenerator",
    f"{ENVS}.PhaseValues": f"{ENVS}.StationaryValues",
    f"{ENVS}.SequenceValues": f"{ENVS}.ClairvoyantValues",
    f"{ENVS}.questions.ask_everywhere": f"{PLANES}.query_all_cells",
    f"{ENVS}.rendering.Window": f"{ENVS}.rendering.RenderWindow",
    "dynamaze.agents.ContinuousSearch": "dynamaze.agents.TrajectoryOptimisation",
    "dynamaze.agents.OnRows": "dynamaze.agents.TabularAdapter",
    "dynamaze.agents.Coordinates": "dynamaze.agents.CoordinateFeatures",
    "dynamaze.agents.OneHot": "dynamaze.agents.OneHotFeatures",
    "dynamaze.agents.dyna_sb3.DynaCallback": "dynamaze.agents.sb3.DynaCallback",
    "dynamaze.benchmarks.whole_run.run_many": (
        "dynamaze.benchmarks.harness.agent_runs.compiled_runs.run_many"
    ),
    **{
        f"dynamaze.distill.{old}": f"dynamaze.distill.{new}"
        for old, new in (
            ("Asked", "FunctionSource"),
            ("Experts", "MultiTeacher"),
            ("Source", "BatchSource"),
            ("best_start", "best_restart"),
            ("check_apart", "check_disjoint"),
            ("decaying", "linear_schedule"),
            ("return_kept", "normalised_return"),
        )
    },
}


def in_settings(settings: str) -> dict[str, str]:
    return {f"{name}=": f"settings={settings}({name}=...)" for name in GROUPED[settings]}


USES: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    **{
        f"make {env_id}": (
            lambda env_id=env_id: make(env_id, **NOTICE),  # type: ignore[misc]
            {"notice=": "change_info=", "notice_in=": "change_info_in="},
        )
        for env_id in IDS
    },
    **{
        f"make_vec {env_id}": (
            lambda env_id=env_id: make_vec(env_id, num_envs=1, **NOTICE),  # type: ignore[misc]
            {"notice=": "change_info=", "notice_in=": "change_info_in="},
        )
        for env_id in IDS
    },
    "regret": (
        lambda: regret("DynaMazeBlocking-v0", foresight=True),
        {"foresight=": "clairvoyant="},
    ),
    "regret of LoCA": (
        lambda: regret("DynaMazeLoCA-v0", foresight=False),
        {"foresight=": "clairvoyant="},
    ),
    "TrajectoryOptimisation": (
        lambda: agents.TrajectoryOptimisation(
            "DynaMazeContinuous-v0",
            plans=9,
            spread=0.4,
            correlation=0.5,
            noise=0.1,
            **GROUPED["TrajectorySettings"],
            **SEARCH,
        ),
        {
            "plans=": "settings=TrajectorySettings(num_candidates=...)",
            "spread=": "settings=TrajectorySettings(init_std=...)",
            "correlation=": "settings=TrajectorySettings(temporal_correlation=...)",
            "noise=": "settings=TrajectorySettings(action_noise_std=...)",
            **in_settings("TrajectorySettings"),
        },
    ),
    "TreeSearch": (
        lambda: agents.TreeSearch(**GIVEN, untried_value=1.0, depth=3, **GROUPED["TreeSettings"]),
        {
            "leaf=": "settings=TreeSettings(leaf_value=...)",
            "untried_value=": "settings=TreeSettings(first_play_urgency=...)",
            **in_settings("TreeSettings"),
        },
    ),
    "ForwardSearch": (lambda: agents.ForwardSearch(**GIVEN), {"leaf=": "leaf_value="}),
    "SparseSampling": (lambda: agents.SparseSampling(**GIVEN), {"leaf=": "leaf_value="}),
    "MonteCarloSearch": (
        lambda: agents.MonteCarloSearch(**GIVEN, **GROUPED["MonteCarloSettings"]),
        {
            "leaf=": "settings=MonteCarloSettings(leaf_value=...)",
            **in_settings("MonteCarloSettings"),
        },
    ),
    "TDSearch": (
        lambda: agents.TDSearch("DynaMaze-v0", **GROUPED["TDSettings"]),
        in_settings("TDSettings"),
    ),
    "Dyna2": (
        lambda: agents.Dyna2("DynaMaze-v0", **GROUPED["TDSettings"]),
        in_settings("TDSettings"),
    ),
    "action_bounds": (
        lambda: agents.TrajectoryOptimisation(
            agents.Spaces(gym.spaces.Box(0.0, 1.0, (2,)), gym.spaces.Discrete(1)),
            model="linear",
            action_bounds={"low": [-1.0], "high": [1.0], "dtype": "float32"},
        ),
        {"action_bounds=": "env=Spaces(observation, Box(...))"},
    ),
    "imagine": (
        lambda: gym.make("DynaMazeContinuous-v0").unwrapped.imagine(
            np.full((1, 2), 0.5), np.zeros((1, 2)), np.random.default_rng(0)
        ),
        {"DynaMazeContinuousEnv.imagine": "DynaMazeContinuousEnv.sample_transitions"},
    ),
    "simulator of TreeSearch": (
        lambda: agents.TreeSearch("DynaMaze-v0", model="copies", depth=3),
        {"model='copies'": "model='simulator'"},
    ),
    "simulator of MonteCarloSearch": (
        lambda: agents.MonteCarloSearch("DynaMaze-v0", model="copies"),
        {"model='copies'": "model='simulator'"},
    ),
    "simulator of TrajectoryOptimisation": (
        lambda: agents.TrajectoryOptimisation(
            "DynaMazeContinuous-v0", planning_steps=0, **{**SEARCH, "model": "copies"}
        ),
        {"model='copies'": "model='simulator'"},
    ),
    "simulator of ContinuousTreeSearch": (
        lambda: agents.ContinuousTreeSearch("DynaMazeContinuous-v0", model="copies"),
        {"model='copies'": "model='simulator'"},
    ),
    "DynaCallback": (
        lambda: get("dynamaze.agents.sb3.DynaCallback")("linear", kept=3),
        {"kept=": "retained_rounds="},
    ),
    "planner": (
        lambda: type("Mine", (agents.Planning,), {"note": lambda *_: None}),
        {"Mine.note": "Mine.record_transition"},
    ),
    "ScoredModel": (
        lambda: agents.ScoredModel(MaximumLikelihood(3, 4), second_opinion=True, certainty=9),
        {"second_opinion=": "count_check=", "certainty=": "prior_strength="},
    ),
    "FunctionSource": (
        lambda: distill("FunctionSource")(teacher, ask=lambda rng, progress: None),
        {"ask=": "sample_observations="},
    ),
    "MultiTeacher": (
        lambda: distill("MultiTeacher")([teacher], rule=len),
        {"rule=": "router="},
    ),
    "make_student": (lambda: distill("make_student")(**MLP, bits=8), {"per=": "granularity="}),
    "value_iteration": (
        lambda: distill("make_student")("recurrent_planner", maps=8),
        {'make_student("recurrent_planner")': 'make_student("value_iteration")'},
    ),
    "quantised": (
        lambda: distill("quantised")(
            distill("make_student")(**{**MLP, "per": None}), 8, per="tensor"
        ),
        {"per=": "granularity="},
    ),
    "Rollouts": (
        lambda: distill("Rollouts")(
            teacher, gym.make_vec("CartPole-v1", num_envs=1), view=np.asarray
        ),
        {"view=": "observation_fn="},
    ),
    "collect": (lambda: collect("CartPole-v1"), {"view=": "observation_fn="}),
    "evaluate": (lambda: evaluate("evaluate", teacher), {"view=": "observation_fn="}),
    "normalised_return": (
        lambda: evaluate("normalised_return", teacher, teacher),
        {"view=": "observation_fn="},
    ),
    "EarlyStopping": (
        lambda: distill("EarlyStopping")(judge=as_number, every=1),
        {"judge=": "evaluate="},
    ),
    "Convolution": (
        lambda: get("dynamaze.distill.students.conv.Convolution")((3, 5, 5), 4, asks=True),
        {"asks=": "per_cell="},
    ),
}


def changelog_rows() -> list[str]:
    rows = [line for line in CHANGELOG.splitlines() if line.startswith("|")]
    return [row for row in rows if re.search(r"\bwarns?\b|until 0\.3|DeprecationWarning", row)]


@pytest.mark.parametrize(("old", "new"), NAMES.items())
def test_old_name_warns_where_used(old: str, new: str) -> None:
    check_warnings(lambda: get(old), {old: new})


@pytest.mark.parametrize("name", USES)
def test_old_argument_warns_where_used(name: str) -> None:
    check_warnings(*USES[name])


def check_warnings(use: Callable[[], Any], renamed: dict[str, str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    found = [each for each in caught if each.category is DeprecationWarning]
    assert {each.filename for each in found} == {__file__}
    assert {str(each.message) for each in found} == {
        f"{old} is now called {new}; the old name will be removed in version 0.3"
        for old, new in renamed.items()
    }


def test_warning_has_line_of_use(tmp_path: Path) -> None:
    """Python's own filter shows what is used in `__main__`, and not what another package uses."""
    script = tmp_path / "script.py"
    script.write_text(
        "import dynamaze\nimport gymnasium as gym\n\n"
        "env = gym.make('DynaMaze-v0', notice='change')\n"
        "from dynamaze.envs import MazeRecipe\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert re.findall(r"script\.py:(\d+): DeprecationWarning: (\S+) is now", done.stderr) == [
        ("4", "notice="),
        ("5", "dynamaze.envs.MazeRecipe"),
    ]


def test_changelog_rows_are_covered() -> None:
    tried = [*NAMES, *(old for _, renamed in USES.values() for old in renamed)]
    tried_words = set(re.findall(r"\w+", " ".join(tried))) - {"dynamaze", "agents", "distill"}
    rows = changelog_rows()
    assert len(rows) == 31
    for row in rows:
        assert tried_words & set(re.findall(r"\w+", row.split("|")[1])), row


def test_changelog_modules_exist() -> None:
    table = CHANGELOG.split("#### Modules", 1)[1].split("\n## ", 1)[0]
    modules = [
        module
        for row in table.splitlines()
        for module in re.findall(r"`(dynamaze\.[\w.]+)`", row.split("|")[2] if "|" in row else "")
    ]
    assert len(modules) > 200
    assert [module for module in modules if not is_module(module)] == []


def is_module(name: str) -> bool:
    parts = name.split(".")[1:]
    folders = ROOT if parts[0] in ("envs", "agents", "distill", "benchmarks") else ROOT / "dynamaze"
    path = folders.joinpath(*parts)
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()
