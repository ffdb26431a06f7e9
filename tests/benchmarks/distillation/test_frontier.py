"""The frontier, on toy sizes."""

from dataclasses import replace

import numpy as np
import pytest

from dynamaze.benchmarks.distillation import frontier, student
from dynamaze.benchmarks.distillation.mazes import HeldOut, evaluate_policy
from dynamaze.benchmarks.harness.analysis.table import rename_entries, rows_where
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.envs.generation import MazeGenerator


def test_run_covers_students_and_baselines(tmp_path):
    names = ("VIN, 4 channels", "MLP, 4 units", "convolutional, 8 x 8")
    config = frontier.FrontierConfig(
        tmp_path, runs=2, steps=4, mazes=2, students=names, pruned_to=(0.5,)
    )
    tables = frontier.run(config)
    rows, sizes = tables["frontier"], tables["frontier_sizes"]
    expected = {*names, frontier.TABLE, frontier.EXACT_PLANNER, frontier.POLICY_GRADIENT}
    assert set(sizes["student"].tolist()) == expected
    assert set(rows["student"].tolist()) == expected | {frontier.STALE_PLANNER}
    stale = rows_where(rows, student=frontier.STALE_PLANNER)
    assert set(stale["mazes"].tolist()) == {frontier.CHANGING_MAZES}
    exact = rows["normalised_return"][rows["student"] == frontier.EXACT_PLANNER]
    assert (exact == 1.0).all()
    larger = np.isin(rows["mazes"], [*frontier.LARGER_MAZES])
    assert "MLP, 4 units" not in rows["student"][larger].tolist()
    by_name = dict(zip(sizes["student"].tolist(), sizes["parameters"].tolist(), strict=True))
    assert by_name["VIN, 4 channels"] == 113
    assert by_name["MLP, 4 units"] == 363 * 4 + 4 + 4 * 4 + 4
    assert frontier.plot(tables, config).axes
    pruned = tables["frontier_pruned"]
    assert set(pruned["student"].tolist()) == {"convolutional, 8 x 8"}  # the largest
    assert len(pruned["run"]) == 2 * 3  # runs and kinds of mazes
    fraction = pruned["weights"] / by_name["convolutional, 8 x 8"]
    assert ((fraction > 0.5) & (fraction < 0.6)).all()  # biases are kept
    ranges = tables["frontier_distances"]
    exact = rows_where(ranges, student=frontier.EXACT_PLANNER, mazes="perfect 31x31")
    assert set(exact["nearest"].tolist()) >= {1, 11, 31, 61}
    assert (exact["success"] == 1.0).all()
    sections = frontier.summary(tables, config)
    assert len(sections) == 3 + 5  # success rates by distance in each kind of mazes
    exact_line = next(
        line
        for line in sections["Normalised return on held-out levels"]
        if line[0] == frontier.EXACT_PLANNER
    )
    assert exact_line[1:3] == ("2", "100.00% (all equal)")
    without = {name: table for name, table in tables.items() if name != "frontier_pruned"}
    assert len(frontier.summary(without, config)) == 2 + 5
    assert frontier.plot(without, config).axes
    again = frontier.run(config)["frontier"]
    np.testing.assert_array_equal(again["normalised_return"], rows["normalised_return"])


def test_pruning_keeps_largest_weights(tmp_path):
    config = frontier.FrontierConfig(tmp_path, pruned_to=(1.0, 0.3))
    student = frontier.STUDENTS["MLP, 4 units"].make(0)
    held_out = {"perfect": HeldOut.generate(MazeGenerator(frontier.SIDE), 2)}
    whole, smaller = frontier.prune(config, student, held_out)
    assert whole["weights"] == student.num_parameters
    unpruned = evaluate_policy(student, held_out["perfect"])
    assert whole["normalised_return"] == unpruned.normalised_return
    # 363 inputs to 4 units to 4 actions: 30% of the two matrices, and 8 biases.
    assert smaller["weights"] <= round(0.3 * 363 * 4) + round(0.3 * 16) + 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"steps": 0}, "steps=0; expected"),
        ({"mazes": 0}, "mazes=0; expected"),
        ({"pruned_to": (0.0,)}, "pruned_to=0.0; expected"),
        ({"students": ("planner 4",)}, "students='planner 4'; expected one of"),
    ],
)
def test_run_module_rejects_invalid_config(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        run_module(frontier, replace(frontier.FrontierConfig(tmp_path), **change))


def test_run_module_rejects_invalid_teacher_file(tmp_path):
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        run_module(frontier, frontier.FrontierConfig(tmp_path, teacher=tmp_path / "no.safetensors"))
    with pytest.raises(ValueError, match=r"no\.safetensors"):
        student.main(
            student.StudentConfig(tmp_path / "s.safetensors", teacher=tmp_path / "no.safetensors")
        )
    assert not (tmp_path / "s.safetensors").exists()


def test_old_names_map_to_students() -> None:
    today = {
        "normalised_return",
        *frontier.STUDENTS,
        frontier.POLICY_GRADIENT,
        frontier.STALE_PLANNER,
    }
    assert set(frontier.FrontierConfig().old_names.values()) < today
    table = {"student": np.array(["planner, 4 maps"]), "kept": np.array([0.5])}
    renamed = rename_entries(table, frontier.FrontierConfig().old_names)
    assert renamed["student"].tolist() == ["VIN, 4 channels"]
    assert renamed["normalised_return"].tolist() == [0.5]
