"""Recovery of students after a change, on toy sizes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.distillation import adapt
from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.benchmarks.harness.analysis.table import rename_entries
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.envs.generation.planes import ShortestPathPolicy
from dynamaze.envs.mazes.schedule import PRESETS, Schedule


@pytest.mark.parametrize(
    ("curve", "steps"),
    [
        ([1, 1], 0),
        ([0, 0.5, 0.99, 1], 2),
        ([0, 1, 0.98, 1], 3),
        ([0, 0.9], np.inf),
        ([1, 0], np.inf),
    ],
)
def test_recovery_time_of_curves(curve, steps):
    assert adapt.recovery_time(curve) == steps


def test_further_distillation_recovers(tmp_path):
    config = adapt.AdaptConfig(tmp_path, runs=2, steps=25, drift_steps=60, gradient_steps=(8,))
    tables = adapt.run(config)
    rows = tables["adapt"]
    stale = rows["normalised_return"][
        (rows["student"] == adapt.NO_DISTILLATION) & (rows["maze"] == "blocking")
    ]
    assert (stale == 0).all()
    once = np.isin(rows["maze"], adapt.ONE_CHANGE) & (rows["step"] == 25)
    recovered = rows["normalised_return"][(rows["student"] == adapt.student_name(8)) & once]
    assert (recovered == 1.0).all()
    assert adapt.plot(tables, config).axes
    sections = adapt.summary(tables, config)
    assert [len(lines) for lines in sections.values()] == [1 + 4, 1 + 2]
    once, drift = sections.values()
    assert {line[2] for line in once[1:]} == {line[1] for line in drift[1:]} == {"2"}
    assert once[1][-1] == "over 25 (!)"  # not distilled further


def test_drifting_needs_current_walls(tmp_path):
    config = adapt.AdaptConfig(tmp_path, drift_steps=120, drift=0.1)
    first = Schedule.from_text(PRESETS["dyna"]).layouts[0]

    class Exact:
        def action_logits(self, planes):
            return ShortestPathPolicy().action_probabilities(planes)

    class InitialMap(adapt.PlanesStudent):
        def logits(self, layout):
            return super().logits(first)

    current = adapt.run_drifting(adapt.PlanesStudent(Exact()), config, 0)
    assert current == [1.0] * 120
    stale = adapt.run_drifting(InitialMap(Exact()), config, 0)
    assert stale[0] == 1.0
    assert np.mean(stale) < 0.9


@pytest.mark.parametrize(
    ("curve", "lengths"), [([1, 1], []), ([0, 1, 0.5, 0.9, 1], [1, 2]), ([1, 0, 0], [2])]
)
def test_run_lengths_of_curves(curve, lengths):
    assert adapt.run_lengths(curve) == lengths


def test_exact_planner_adapts_at_once(tmp_path):
    from dynamaze.distill.files.students import save_student

    from ...distill.exact_value_iteration import exact_value_iteration

    save_student(tmp_path / "p.safetensors", exact_value_iteration())
    config = adapt.AdaptConfig(
        tmp_path,
        student=tmp_path / "p.safetensors",
        runs=2,
        steps=1,
        drift_steps=30,
        drift=0.2,
        gradient_steps=(),
    )
    rows = adapt.run(config)["adapt"]
    assert (rows["normalised_return"][rows["student"] == adapt.PLANNER] == 1.0).all()


def test_normalised_return_in_book_mazes():
    before, after = Schedule.from_text(PRESETS["shortcut"]).layouts
    for layout in (before, after):
        logits = adapt.scatter_logits(
            layout, ShortestPathPolicy().action_probabilities(adapt.query_planes(layout))
        )
        assert adapt.normalised_return(layout, logits) == 1.0
    old = adapt.scatter_logits(
        before, ShortestPathPolicy().action_probabilities(adapt.query_planes(before))
    )
    assert adapt.normalised_return(after, old) == pytest.approx(
        GAMMA**6
    )  # 16 steps where 10 would do
    assert adapt.normalised_return(after, np.zeros((54, 4))) == 0.0


@pytest.mark.parametrize(
    "change",
    [{"drift": 0.0}, {"drift": 1.5}, {"drift_steps": 0}, {"steps": -1}, {"gradient_steps": (0,)}],
)
def test_run_module_rejects_invalid_numbers(tmp_path, change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        run_module(adapt, replace(adapt.AdaptConfig(tmp_path), **change))
    assert not list(tmp_path.iterdir())


def test_old_names_map_to_columns() -> None:
    names = adapt.AdaptConfig().old_names
    assert {names["kept"], names["world"]} == {"normalised_return", "maze"}
    table = {
        "world": np.array(["blocking"] * 2),
        "student": np.array(["not distilled again", "planner that sees the walls"]),
    }
    renamed = rename_entries(table, names)
    assert renamed["maze"].tolist() == ["blocking"] * 2
    assert renamed["student"].tolist() == [adapt.NO_DISTILLATION, adapt.PLANNER]


def test_read_student_of_own_file(tmp_path):
    (tmp_path / "own.py").write_text("def policy(planes):\n    return planes\n")
    path = Path(f"{tmp_path}/own.py:policy")
    assert hasattr(adapt.read_student(path), "action_logits")
    assert adapt.AdaptConfig(student=path).planner == str(path)
    assert adapt.AdaptConfig(student=Path("one.safetensors")).planner == adapt.PLANNER
