"""The frontier, on toy sizes."""

from dataclasses import replace

import numpy as np
import pytest

from dynamaze.benchmarks.distillation import (
    frontier,
    student,
)
from dynamaze.benchmarks.harness.table import rename_entries, rows_where
from dynamaze.envs.generation.planes import ShortestPathPolicy


def test_run_covers_students_and_baselines(tmp_path):
    names = ("VIN, 4 channels", "MLP, 4 units", "convolutional, 8 x 8")
    config = frontier.FrontierConfig(tmp_path, runs=2, steps=4, mazes=2, students=names, workers=1)
    tables = frontier.run(config)
    rows, sizes = tables["frontier"], tables["frontier_sizes"]
    expected = {*names, frontier.TABLE, frontier.EXACT_PLANNER, frontier.POLICY_GRADIENT}
    assert set(sizes["student"].tolist()) == expected
    assert set(rows["student"].tolist()) == expected | {frontier.STALE_PLANNER}
    stale = rows_where(rows, "student", frontier.STALE_PLANNER)
    assert set(stale["mazes"].tolist()) == {frontier.CHANGING_MAZES}
    exact = rows["normalised_return"][rows["student"] == frontier.EXACT_PLANNER]
    assert (exact == 1.0).all()
    larger = np.isin(rows["mazes"], [*frontier.LARGER_MAZES])
    assert "MLP, 4 units" not in rows["student"][larger].tolist()
    by_name = dict(zip(sizes["student"].tolist(), sizes["parameters"].tolist(), strict=True))
    assert by_name["VIN, 4 channels"] == 113
    assert by_name["MLP, 4 units"] == 363 * 4 + 4 + 4 * 4 + 4
    assert frontier.plot(tables, config).axes
    assert len(frontier.summary(tables, config)) == 2
    again = frontier.run(config)["frontier"]
    np.testing.assert_array_equal(again["normalised_return"], rows["normalised_return"])


def test_group_shares_teacher_passes(tmp_path):
    """A batch needs one pass of the teacher for all students, including restarts."""

    class Counted(ShortestPathPolicy):
        passes = 0

        def action_probabilities(self, observations):
            Counted.passes += 1
            return super().action_probabilities(observations)

    planner, convolution = "VIN, 4 channels", "convolutional, 8 x 8"
    config = frontier.FrontierConfig(tmp_path, steps=10, students=(planner, convolution))
    frontier.train_group(config, Counted(), 0, any_size=True)
    assert Counted.passes == 10 + round(student.RESTART_FRACTION * 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"steps": 0}, "steps=0; expected"),
        ({"mazes": 0}, "mazes=0; expected"),
        ({"students": ("planner 4",)}, "students: 'planner 4'; expected some of"),
    ],
)
def test_main_rejects_invalid_config(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        frontier.main(replace(frontier.FrontierConfig(tmp_path), **change))


def test_main_rejects_invalid_teacher_file(tmp_path):
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        frontier.main(frontier.FrontierConfig(tmp_path, teacher=tmp_path / "no.safetensors"))
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        student.main(student.StudentConfig(tmp_path / "no.safetensors", tmp_path / "s.safetensors"))
    assert not (tmp_path / "s.safetensors").exists()


def test_old_names_map_to_students() -> None:
    today = {
        "normalised_return",
        *frontier.STUDENTS,
        frontier.POLICY_GRADIENT,
        frontier.STALE_PLANNER,
    }
    assert set(frontier.FrontierConfig.old_names.values()) < today
    table = {"student": np.array(["planner, 4 maps"]), "kept": np.array([0.5])}
    renamed = rename_entries(table, frontier.FrontierConfig.old_names)
    assert renamed["student"].tolist() == ["VIN, 4 channels"]
    assert renamed["normalised_return"].tolist() == [0.5]
