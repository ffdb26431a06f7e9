"""Policy distillation: a large teacher, a tiny student.

Teachers and students are policies: they give the probabilities of actions for a batch of
observations, or the Gaussians of continuous ones. A source gives batches that a teacher has
labelled, a loss says how far a student's answers are from it, and `Distiller` is the loop. What
needs torch is imported when it is asked for: exported students run without.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .core.levels import LevelRange, check_apart
from .core.policy import Policy, agreement

_WHERE = {
    "ActionValues": "teachers",
    "ActorCritic": "students.composite",
    "Asked": "data.source",
    "Batch": "core.dataset",
    "Bounds": "core.distributions",
    "Card": "files.card",
    "Checkpoints": "training.callbacks",
    "Dataset": "core.dataset",
    "Distiller": "training.distiller",
    "EarlyStopping": "training.callbacks",
    "Experts": "teachers.experts",
    "GaussianStudent": "students.gaussian",
    "LOSSES": "core.losses",
    "Rollouts": "data.rollouts",
    "STUDENTS": "students.registry",
    "Source": "data.source",
    "Student": "students.base",
    "TensorBoard": "training.callbacks",
    "as_student": "students.torch_module",
    "as_teacher": "teachers",
    "best_start": "training.restarts",
    "collect": "data.rollouts",
    "decaying": "data.rollouts",
    "distribution_of": "core.distributions",
    "evaluate": "evaluation",
    "gaussian_kl": "core.losses",
    "kl": "core.losses",
    "load_policy": "export.compiled",
    "load_sb3": "teachers.sb3",
    "load_student": "files.students",
    "make_batch": "core.dataset",
    "make_student": "students.registry",
    "return_kept": "evaluation",
    "save_student": "files.students",
    "weighted": "core.losses",
}
"""What is imported when it is asked for, and from where."""

__all__ = ["LevelRange", "Policy", "agreement", "check_apart", *sorted(_WHERE)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
