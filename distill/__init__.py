"""Policy distillation: a large teacher, a small student.

Teachers and students are policies: they give action probabilities for a batch of observations, or
Gaussians over continuous actions. A batch source gives observations that a teacher has labelled, a
loss compares the student's outputs with the labels, and `Distiller` is the training loop. Modules
that need torch are imported at the first use of a name, so that exported students run without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

if TYPE_CHECKING:  # type checkers do not see what is imported on first use
    from .core.dataset import Batch as Batch
    from .core.dataset import Dataset as Dataset
    from .core.dataset import make_batch as make_batch
    from .core.distributions import Bounds as Bounds
    from .core.distributions import distribution_of as distribution_of
    from .core.levels import LevelRange as LevelRange
    from .core.levels import check_disjoint as check_disjoint
    from .core.losses import LOSSES as LOSSES
    from .core.losses import gaussian_kl as gaussian_kl
    from .core.losses import kl as kl
    from .core.losses import weighted as weighted
    from .core.policy import Policy as Policy
    from .core.policy import agreement as agreement
    from .data.imitation_gap import imitation_gap as imitation_gap
    from .data.on_policy import OnPolicy as OnPolicy
    from .data.rollouts import PerEpisode as PerEpisode
    from .data.rollouts import Rollouts as Rollouts
    from .data.rollouts import collect as collect
    from .data.rollouts import linear_schedule as linear_schedule
    from .data.source import BatchSource as BatchSource
    from .data.source import FunctionSource as FunctionSource
    from .evaluation import evaluate as evaluate
    from .evaluation import normalised_return as normalised_return
    from .export.c_source.writer import export_c as export_c
    from .export.certify import certify as certify
    from .export.compiled import load_policy as load_policy
    from .export.load import open_policy as open_policy
    from .export.onnx_graph.writer import export_onnx as export_onnx
    from .files.card import Card as Card
    from .files.students import load_student as load_student
    from .files.students import save_student as save_student
    from .methods.checks import check_method as check_method
    from .students.base import Student as Student
    from .students.base import as_student as as_student
    from .students.composite import ActorCritic as ActorCritic
    from .students.composite import GaussianStudent as GaussianStudent
    from .students.hardened import hardened as hardened
    from .students.quantise import quantised as quantised
    from .students.registry import STUDENTS as STUDENTS
    from .students.registry import make_student as make_student
    from .teachers import ActionValues as ActionValues
    from .teachers import MultiTeacher as MultiTeacher
    from .teachers import as_teacher as as_teacher
    from .teachers.sb3 import load_sb3 as load_sb3
    from .training.callbacks import Checkpoints as Checkpoints
    from .training.callbacks import CsvLog as CsvLog
    from .training.callbacks import EarlyStopping as EarlyStopping
    from .training.callbacks import TensorBoard as TensorBoard
    from .training.distiller import Distiller as Distiller
    from .training.method import METHODS as METHODS
    from .training.method import Method as Method
    from .training.method import Update as Update
    from .training.method import make_method as make_method
    from .training.restarts import best_restart as best_restart

_MODULES = {
    "ActionValues": ".teachers",
    "ActorCritic": ".students.composite",
    "Batch": ".core.dataset",
    "BatchSource": ".data.source",
    "Bounds": ".core.distributions",
    "Card": ".files.card",
    "Checkpoints": ".training.callbacks",
    "CsvLog": ".training.callbacks",
    "Dataset": ".core.dataset",
    "Distiller": ".training.distiller",
    "EarlyStopping": ".training.callbacks",
    "FunctionSource": ".data.source",
    "GaussianStudent": ".students.composite",
    "LOSSES": ".core.losses",
    "LevelRange": ".core.levels",
    "METHODS": ".training.method",
    "Method": ".training.method",
    "MultiTeacher": ".teachers",
    "OnPolicy": ".data.on_policy",
    "PerEpisode": ".data.rollouts",
    "Policy": ".core.policy",
    "Rollouts": ".data.rollouts",
    "STUDENTS": ".students.registry",
    "Student": ".students.base",
    "TensorBoard": ".training.callbacks",
    "Update": ".training.method",
    "agreement": ".core.policy",
    "as_student": ".students.base",
    "as_teacher": ".teachers",
    "best_restart": ".training.restarts",
    "certify": ".export.certify",
    "check_disjoint": ".core.levels",
    "check_method": ".methods.checks",
    "collect": ".data.rollouts",
    "distribution_of": ".core.distributions",
    "evaluate": ".evaluation",
    "export_c": ".export.c_source.writer",
    "export_onnx": ".export.onnx_graph.writer",
    "gaussian_kl": ".core.losses",
    "hardened": ".students.hardened",
    "imitation_gap": ".data.imitation_gap",
    "kl": ".core.losses",
    "linear_schedule": ".data.rollouts",
    "load_policy": ".export.compiled",
    "load_sb3": ".teachers.sb3",
    "load_student": ".files.students",
    "make_batch": ".core.dataset",
    "make_method": ".training.method",
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
