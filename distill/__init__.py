"""Policy distillation: a large teacher, a tiny student.

Teachers and students are policies: they give the probabilities of actions for a batch of
observations, or the Gaussians of continuous ones. A source gives batches that a teacher has
labelled, a loss says how far a student's answers are from it, and `Distiller` is the loop. What
needs torch is imported when it is asked for: exported students run without.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .levels import LevelRange, check_apart
from .policy import Policy, agreement

_WHERE = {
    "ActionValues": "teachers",
    "ActorCritic": "students.actor_critic",
    "Asked": "source",
    "Batch": "data",
    "Bounds": "distributions",
    "Card": "card",
    "Checkpoints": "callbacks",
    "Dataset": "data",
    "Distiller": "distiller",
    "EarlyStopping": "callbacks",
    "Experts": "experts",
    "GaussianStudent": "students.gaussian",
    "LOSSES": "losses",
    "Rollouts": "rollouts",
    "STUDENTS": "students.making",
    "Source": "source",
    "Student": "students.base",
    "TensorBoard": "callbacks",
    "as_student": "students.own",
    "as_teacher": "teachers",
    "best_start": "restarts",
    "collect": "rollouts",
    "decaying": "rollouts",
    "distribution_of": "distributions",
    "evaluate": "evaluation",
    "gaussian_kl": "losses",
    "kl": "losses",
    "load_policy": "numba_policy",
    "load_sb3": "sb3_teachers",
    "load_student": "files",
    "make_batch": "data",
    "make_student": "students.making",
    "return_kept": "evaluation",
    "save_student": "files",
    "weighted": "losses",
}
"""What is imported when it is asked for, and from where."""

__all__ = ["LevelRange", "Policy", "agreement", "check_apart", *sorted(_WHERE)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
