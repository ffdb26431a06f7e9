"""The comparison of all methods at equal CPU time."""

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from dynamaze.benchmarks.distillation.methods.compare import (
    KINDS,
    STATIC,
    CompareConfig,
    plot,
    run,
    summary,
    teacher_of,
)
from dynamaze.benchmarks.distillation.methods.compare_arms import (
    COHORT,
    ENSEMBLE,
    ENVS,
    EVERYTHING,
    MULTIPLE,
    ROLLOUT,
    make_training,
)
from dynamaze.benchmarks.harness.analysis.table import rows_where
from dynamaze.distill.methods.data_free import coin_mazes
from dynamaze.distill.teachers.ensemble import Ensemble

QUICK = {"cpu_seconds": 0.01, "mazes": 2, "teacher_steps": 1, "runs": 2}


def test_table_has_every_arm_that_fits_and_reasons_for_the_others():
    config = CompareConfig(methods=(EVERYTHING, "hints", "layerwise"), **QUICK)
    tables = run(config)
    rows = tables["compare"]
    assert len(rows["arm"]) == 2 * config.runs * len(KINDS)
    assert tables["compare_unfit"]["arm"].tolist() == ["layerwise"]
    for arm in (EVERYTHING, "hints"):
        own = rows_where(rows, arm=arm)
        # The pass that labels a batch serves for the inner layers, too.
        np.testing.assert_array_equal(own["teacher_calls"], own["steps"])
        assert (own["labels"] > own["steps"]).all()
        assert (own["steps"] % MULTIPLE == 0).all()
    ranges = tables["compare_distances"]
    assert set(ranges["mazes"].tolist()) == set(STATIC)  # changing mazes have no fixed distances
    sections = summary(tables, config)
    assert "Success rate by distance to the goal, perfect" in sections
    assert sections["Methods that do not fit"][1][0] == "layerwise"
    assert len(plot(tables, config).axes) == len(KINDS)


def test_cohorts_and_ensembles_share_the_steps():
    teacher = teacher_of(CompareConfig(**QUICK), untrained=True)
    ensemble = make_training(ENSEMBLE, teacher, seed=0, steps=MULTIPLE)
    assert [loop.total_steps for loop in ensemble.loops] == [MULTIPLE // COHORT] * COHORT
    cohort = make_training("mutual", teacher, seed=0, steps=MULTIPLE)
    assert [len(loop.students) for loop in cohort.loops] == [COHORT]
    for training in (ensemble, cohort):
        with training.counted():
            for loop in training.loops:
                loop.distil(2)
        batches = 2 * len(training.loops)
        assert training.calls == batches
        assert training.counts()["steps"] == batches
        sources = {id(s): s for loop in training.loops for s in loop.sources.values()}.values()
        assert training.counts()["labels"] == sum(source.labels for source in sources)


@pytest.mark.parametrize("arm", ["distral", "kickstarting"])
def test_methods_of_rewards_play_in_environments_of_their_own(arm):
    teacher = teacher_of(CompareConfig(**QUICK), untrained=True)
    training = make_training(arm, teacher, seed=0, steps=MULTIPLE)
    training.loops[0].distil(1)
    counts = training.counts()
    most = len(training.loops[0].students) * ENVS * ROLLOUT
    assert most - ENVS <= counts["env_steps"] <= most  # without steps that only reset
    assert counts["labels"] == (counts["env_steps"] if arm == "kickstarting" else 0)


def test_joint_training_leaves_the_teacher_of_the_other_arms():
    teacher = teacher_of(CompareConfig(**QUICK), untrained=True)
    before = [weight.clone() for weight in teacher.parameters()]
    make_training("joint", teacher, seed=0, steps=MULTIPLE).loops[0].distil(2)
    assert all(map(torch.equal, before, teacher.parameters()))


def test_ensemble_averages_probabilities():
    teacher = teacher_of(CompareConfig(**QUICK), untrained=True)
    training = make_training(ENSEMBLE, teacher, seed=0, steps=MULTIPLE)
    (ensemble,) = training.policies()
    assert isinstance(ensemble, Ensemble)
    students = [loop.students["student"] for loop in training.loops]
    assert len(students) == COHORT
    seen = coin_mazes(np.random.default_rng(0), 2, 11, 11)
    expected = np.mean([each.action_probabilities(seen) for each in students], axis=0)
    np.testing.assert_allclose(ensemble.action_probabilities(seen), expected)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="methods='sort'; expected one of"):
        CompareConfig(methods=("sort",)).check()
