"""Policy distillation: a large teacher, a small student.

Teachers and students are policies: they give action probabilities for a batch of observations, or
Gaussians over continuous actions. A batch source gives observations that a teacher has labelled, a
loss compares the student's outputs with the labels, and `Distiller` is the training loop. Modules
that need torch are imported at the first use of a name, so that exported students run without it.
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

_MODULES = {
    "ActionValues": ".teachers",
    "ActorCritic": ".students.composite",
    "Batch": ".core.dataset",
    "BatchSource": ".data.source",
    "Bounds": ".core.distributions",
    "Card": ".files.card",
    "Checkpoints": ".training.callbacks",
    "Dataset": ".core.dataset",
    "Distiller": ".training.distiller",
    "EarlyStopping": ".training.callbacks",
    "FunctionSource": ".data.source",
    "GaussianStudent": ".students.composite",
    "LOSSES": ".core.losses",
    "LevelRange": ".core.levels",
    "MultiTeacher": ".teachers",
    "PerEpisode": ".data.rollouts",
    "Policy": ".core.policy",
    "Rollouts": ".data.rollouts",
    "STUDENTS": ".students.registry",
    "Student": ".students.base",
    "TensorBoard": ".training.callbacks",
    "agreement": ".core.policy",
    "as_student": ".students.base",
    "as_teacher": ".teachers",
    "best_restart": ".training.restarts",
    "check_disjoint": ".core.levels",
    "collect": ".data.rollouts",
    "distribution_of": ".core.distributions",
    "evaluate": ".evaluation",
    "export_c": ".export.c_source.writer",
    "export_onnx": ".export.onnx_graph.writer",
    "gaussian_kl": ".core.losses",
    "kl": ".core.losses",
    "linear_schedule": ".data.rollouts",
    "load_policy": ".export.compiled",
    "load_sb3": ".teachers.sb3",
    "load_student": ".files.students",
    "make_batch": ".core.dataset",
    "make_student": ".students.registry",
    "normalised_return": ".evaluation",
    "open_policy": ".export.load",
    "quantised": ".students.quantise",
    "save_student": ".files.students",
    "weighted": ".core.losses",
}

_RENAMED = {
    "Asked": "FunctionSource",
    "Experts": "MultiTeacher",
    "Source": "BatchSource",
    "best_start": "best_restart",
    "check_apart": "check_disjoint",
    "decaying": "linear_schedule",
    "return_kept": "normalised_return",
}
"""Name of version 0.1 -> name of today."""

__all__ = list(_MODULES)

__getattr__ = lazy_exports(__name__, _MODULES, renamed=_RENAMED)


def __dir__() -> list[str]:
    return __all__
