"""The learner: runs, maps for its training, and the command that trains and evaluates it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents.mapping.paths import PathPlanner, best_actions_everywhere
from dynamaze.benchmarks.distillation import learner
from dynamaze.benchmarks.distillation.learner_maps import (
    AGED_SHARE,
    LARGEST_POWER,
    OWN_WEIGHT,
    SITUATIONS,
    LearnerMaps,
    aged,
    situations,
)
from dynamaze.benchmarks.distillation.learner_runs import (
    RUN_STEPS,
    MapExpert,
    RunStepper,
    adaptation_envs,
    play,
    run_generator,
)
from dynamaze.benchmarks.distillation.learner_sequences import LearnerSequences
from dynamaze.common.map_memory import BUMPED, MapMemory, move_targets
from dynamaze.distill.core.map_state import map_of
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.files.students import load_card, load_student, to_stored
from dynamaze.distill.students.map_value_iteration import MapValueIteration
from dynamaze.distill.training.distiller import Distiller

from ...distill.exact_map_planner import expert_student

SMALL: dict[str, Any] = {"rounds": 2, "runs": 3, "sizes": (5,)}


def stepper(runs: int, seed: int = 0) -> RunStepper:
    return RunStepper(adaptation_envs(run_generator(5), runs), seed=seed)


def test_student_with_expert_weights_earns_the_same() -> None:
    expert, student = MapExpert(), build_policy(to_stored(expert_student()))
    expert.grid = student.grid = (5, 5)
    taught, learned = play(expert, stepper(4)), play(student, stepper(4))
    np.testing.assert_array_equal(taught, learned)
    assert (taught.reward > 20).all()
    assert (taught.after > 0).all()
    assert (taught.after < taught.reward).all()


def test_runs_end_after_their_steps() -> None:
    runs, decisions = stepper(3), np.zeros(3, dtype=int)
    rng = np.random.default_rng(0)
    while not runs.is_over:
        decisions += runs.acts
        runs.step(rng.integers(4, size=3))
    assert decisions.tolist() == [RUN_STEPS] * 3


def test_maps_have_the_experts_labels() -> None:
    source = LearnerMaps(MapValueIteration(), **SMALL, batch_size=64)
    batch = source.batch(np.random.default_rng(0), 0.0)
    assert batch.observations.shape == (64, 3, 5, 5)
    event, age, length = batch.observations.reshape(64, 3, 25).transpose(1, 0, 2).astype(int)
    clock = age.max(axis=1)
    memory = MapMemory(event.astype(np.int8), clock[:, None] - age, clock)
    best = best_actions_everywhere(PathPlanner.of(move_targets((5, 5))), memory)
    queried = length > 0
    assert (queried == (event != BUMPED)).all()
    assert batch.logits is not None
    assert batch.weights is not None
    np.testing.assert_array_equal(batch.logits == batch.logits.max(axis=1)[:, None], best[queried])
    assert sorted(set(batch.weights)) == [1, OWN_WEIGHT]
    assert (batch.weights == OWN_WEIGHT).sum() == 64


def test_situations_have_equal_shares() -> None:
    source = LearnerMaps(MapValueIteration(), rounds=1, runs=32, sizes=(5,), batch_size=600)
    batch = source.batch(np.random.default_rng(0), 0.0)
    counts = np.bincount(situations(batch.observations[:, 0].reshape(600, 25)), minlength=3)
    assert len(counts) == len(SITUATIONS)
    # 200 expected of each, with a deviation of 11.5: 5.2 of them are a false alarm in 10^6
    assert (abs(counts - 200) < 60).all()


def test_aged_maps_are_those_of_longer_runs() -> None:
    cells, clock = 25, 400
    states = np.zeros((400, 2 * cells + 2), dtype=np.float32)
    memory = map_of(states)
    memory.event[:], memory.clock[:] = np.arange(cells) % 4, clock
    memory.time[:] = np.random.default_rng(0).integers(clock + 1, size=(400, cells))
    memory.time[:, :3] = [clock, clock - 1, 0]
    before = states.copy()
    older = map_of(aged(states, np.random.default_rng(1)))
    np.testing.assert_array_equal(states, before)
    np.testing.assert_array_equal(older.event, memory.event)
    is_older = older.clock > clock
    np.testing.assert_array_equal(older.time[~is_older], memory.time[~is_older])
    assert abs(is_older.mean() - AGED_SHARE) < 0.125  # 5 deviations
    is_wall = memory.event == BUMPED
    age, found = clock - memory.time, older.clock[:, None] - older.time
    np.testing.assert_array_equal(found[is_wall], age[is_wall])
    age, found = age[:, ~is_wall[0]], found[:, ~is_wall[0]]
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] == 1).all()
    assert (found >= age).all()
    assert (np.diff(np.take_along_axis(found, age.argsort(axis=1), axis=1)) >= 0).all()
    assert 5000 < found.max() <= np.rint(clock**LARGEST_POWER)


def test_training_resumes_bit_identically(tmp_path: Path) -> None:
    def distiller() -> Distiller:
        student = MapValueIteration(seed=1)
        source = LearnerMaps(student, **SMALL)
        return Distiller(student, source, total_steps=6, loss="set_nll", learning_rate=0.05)

    whole, first, second = distiller(), distiller(), distiller()
    whole.distil()
    first.distil(4)
    first.save(tmp_path / "c.npz")
    second.resume(tmp_path / "c.npz").distil()
    for one, other in zip(whole.student.parameters(), second.student.parameters(), strict=True):
        assert one.equal(other)


def test_command_writes_both_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learner, "LearnerMaps", partial(LearnerMaps, **SMALL))
    monkeypatch.setattr(learner, "SIZES", (5,))
    learner.main(learner.LearnerConfig(output=tmp_path / "s.safetensors", steps=4, mazes=3))
    printed = capsys.readouterr().out
    assert "5x5: the expert's reward" in printed
    assert printed.count("share of the expert's reward") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "s-small.md",
        "s-small.safetensors",
        "s.md",
        "s.safetensors",
    ]
    assert load_student(tmp_path / "s.safetensors").num_parameters == 43
    small = open_policy(tmp_path / "s-small.safetensors")
    assert small.policy.num_parameters == 24
    assert small.card.size is not None
    assert small.card.size.bytes == 28
    card = load_card(tmp_path / "s.safetensors")
    assert card.environment == {"id": "DynaMazeAdaptation-v0", "observation": "index"}
    assert card.normalised_return is not None
    assert card.normalised_return.mazes == 3


def test_command_writes_recurrent_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learner, "LearnerSequences", partial(LearnerSequences, **SMALL))
    monkeypatch.setattr(learner, "SIZES", (5,))
    options: dict[str, Any] = {"student": "gru", "width": 6, "steps": 4, "mazes": 3}
    learner.main(learner.LearnerConfig(output=tmp_path / "g.safetensors", **options))
    assert capsys.readouterr().out.count("share of the expert's reward") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.md", "g.safetensors"]
    found = open_policy(tmp_path / "g.safetensors")
    assert (found.kind, found.policy.width) == ("experience_gru", 6)
    assert "--student gru --width 6 --steps 4 --seed 0" in found.card.made


def test_command_learns_from_learners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learner, "LearnerMaps", partial(LearnerMaps, **SMALL))
    monkeypatch.setattr(learner, "SIZES", (5,))
    options: dict[str, Any] = {"output": tmp_path / "s.safetensors", "teacher": "learner"}
    learner.main(learner.LearnerConfig(**options, steps=4, mazes=3))
    printed = capsys.readouterr().out
    assert printed.count("share of the expert's reward") == 3
    assert printed.count("times the learner's reward") == 2
    assert "--teacher learner --steps 4" in load_card(tmp_path / "s.safetensors").made
    with pytest.raises(ValueError, match="--student gru with --teacher learner"):
        learner.main(learner.LearnerConfig(**options, student="gru"))


def test_settings_of_transfer() -> None:
    config = learner.LearnerConfig(mazes=2, transfer=True)
    found = {setting.name: setting for setting in learner.settings(config)}
    assert len(found) == 11
    assert found["21x21"].grid == (21, 21)
    assert found["9x9, obstacles"].grid == (9, 9)
    assert found["DynaMazeBlocking-v0"][1:3] == ((6, 9), 3000)
    assert found["DynaMazeShortcut-v0"][1:3] == ((6, 9), 6000)
