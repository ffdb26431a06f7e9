"""Experiment of unlabelled states, weighted by the teacher's confidence; and speed of the student.

The teacher is a larger network that has learned from more labels and is right in most states. So
its confidence means something, unlike that of an exact planner.
"""

from __future__ import annotations

from dynamaze.benchmarks.distillation.methods.few_labels import (
    FULL,
    SETTING,
    TINY,
    FewLabels,
    Size,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.distill.core.size import microseconds
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.methods.confidence_weighted import (
    LABELLED,
    UNLABELLED,
    ConfidenceWeighted,
)
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP

LABELS, TEACHER_LABELS, TEACHER_WIDTH = 100, 500, 128
SPEED = "decisions/s"
"""Measure: decisions of the compiled student in a second, one observation at a time."""

ALONE, UNIFORM, BY_MARGIN = "labels alone", "and unlabelled states", "weighted by margin"


def trial(seed: int, size: Size = FULL, teacher_labels: int = TEACHER_LABELS) -> Arms:
    """Train a teacher, and students with and without the states that it labels."""
    data = FewLabels(seed, size)
    last = len(data.states) - teacher_labels
    shape = data.states.rows.observations.shape[1:]
    network = MLP(shape, 4, TEACHER_WIDTH, seed=seed_of(seed, 100))
    teacher = data.distil(network, data.labelled(last, teacher_labels)).student
    sources = {LABELLED: data.labelled(0, LABELS), UNLABELLED: data.unlabelled(LABELS)}
    methods = {
        ALONE: ConfidenceWeighted(weight=0),
        UNIFORM: ConfidenceWeighted(confidence="none"),
        BY_MARGIN: ConfidenceWeighted(confidence="margin"),
    }
    arms: Arms = {"teacher": {RETURN: data.percent(teacher)}}
    for name, method in methods.items():
        student = data.distil(data.student(), sources, method, teacher=teacher).student
        arms[name] = {RETURN: data.percent(student)}
    arms[UNIFORM][SPEED] = decisions_per_second(student, data)
    return arms


def decisions_per_second(student: Student, data: FewLabels) -> float:
    """Return the decisions of a compiled student in a second, on one thread."""
    policy = build_policy(to_stored(student))
    observation = data.states.rows.observations[0]
    return 1e6 / microseconds(lambda: policy.act(observation))


EXPERIMENT = MethodExperiment(
    name="confidence_weighted",
    method="confidence_weighted",
    setting=(
        f"{SETTING}. {LABELS} labelled states, and {FULL.unlabelled} without labels, which a "
        f"network of {TEACHER_WIDTH} units with {TEACHER_LABELS} labels of its own labels; "
        f"{FULL.steps} steps."
    ),
    trial=trial,
    comparisons=(
        Comparison(UNIFORM, ALONE, 30),
        Comparison(BY_MARGIN, UNIFORM, -1, NULL),
    ),
    runs=16,
    lesson=(
        "States that a good teacher labels are worth nearly as much as labels; to weight them by "
        "its confidence costs a little."
    ),
    columns=(RETURN, SPEED),
    timed=(SPEED,),
    testing={"size": TINY, "teacher_labels": 50},
)
