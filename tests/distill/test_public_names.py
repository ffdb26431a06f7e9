"""The public names of dynamaze.distill, the old ones, and the messages for missing extras."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dynamaze import distill
from dynamaze.distill.core.dataset import make_batch
from dynamaze.distill.data.rollouts import Rollouts, collect
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.evaluation import evaluate, normalised_return
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student
from dynamaze.distill.teachers import MultiTeacher
from dynamaze.distill.training.callbacks import EarlyStopping

from .small_envs import Fixed, clocks

OLD = {
    "Asked": "FunctionSource",
    "Experts": "MultiTeacher",
    "Source": "BatchSource",
    "best_start": "best_restart",
    "check_apart": "check_disjoint",
    "decaying": "linear_schedule",
    "return_kept": "normalised_return",
}


def test_public_names_resolve() -> None:
    assert len(distill.__all__) == len(set(distill.__all__)) == 54
    for name in distill.__all__:
        value = getattr(distill, name)
        if name in ("LOSSES", "METHODS", "STUDENTS"):
            assert isinstance(value, Mapping)
        else:
            assert inspect.isclass(value) or inspect.isfunction(value), name
            assert value.__name__ == name
    assert distill.__dir__() == distill.__all__


def test_exports_are_functions() -> None:
    from dynamaze.distill import export_c, export_onnx

    for function in (export_c, export_onnx):
        assert inspect.isfunction(function)
        assert list(inspect.signature(function).parameters)[:3] == [
            "path",
            "student",
            "observation",
        ]


def test_unknown_name_is_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'dynamaze.distill' has no attribute 'nothing'"):
        distill.nothing  # noqa: B018


@pytest.mark.parametrize(("old", "new"), OLD.items())
def test_old_name_warns(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"distill\.{old} is now .*\.{new};") as record:
        value = getattr(distill, old)
    assert value is getattr(distill, new)
    assert record[0].filename == __file__


def test_old_student_kind_warns() -> None:
    with pytest.warns(DeprecationWarning, match=r"make_student\(\"value_iteration\"\)") as record:
        student = make_student("recurrent_planner", maps=8)
    assert student.config == {"kind": "value_iteration", "maps": 8, "iterations": None}
    assert record[0].filename == __file__


def _batch(rng: Any, progress: float) -> Any:
    return rng.normal(size=(4, 2)).astype("f4")


def _best(students: Any) -> dict[str, float]:
    return dict.fromkeys(students, 1.0)


MLP = {"kind": "mlp", "observation_shape": (2,), "num_actions": 2, "width": 3}


def _old_calls() -> dict[str, Any]:
    teacher, env = Fixed(0.5, 0.5), clocks("SameStep")
    return {
        "ask -> sample_observations": lambda: FunctionSource(teacher, ask=_batch),
        "rule -> router": lambda: MultiTeacher([teacher], rule=lambda seen: [0] * len(seen)),
        "judge -> evaluate": lambda: EarlyStopping(judge=_best, every=1),
        "asks -> per_cell": lambda: Convolution((3, 5, 5), 4, asks=True),
        "per -> granularity": lambda: make_student(**MLP, bits=8, per="tensor"),
        "per -> granularity (quantised)": lambda: quantised(make_student(**MLP), per="tensor"),
        "view -> observation_fn": lambda: Rollouts(teacher, env, view=np.asarray),
        "view -> observation_fn (collect)": lambda: collect(
            teacher, env, 5, np.random.default_rng(0), view=np.asarray
        ),
        "view -> observation_fn (evaluate)": lambda: evaluate(
            teacher, env, 4, gamma=0.9, seed=0, view=np.asarray
        ),
        "view -> observation_fn (normalised_return)": lambda: normalised_return(
            Fixed(0.0, 1.0), Fixed(0.0, 1.0), env, 4, gamma=0.9, seed=0, view=np.asarray
        ),
    }


@pytest.mark.parametrize("name", _old_calls())
def test_old_keyword_warns(name: str) -> None:
    old, new = name.split(" (", maxsplit=1)[0].split(" -> ")
    with pytest.warns(DeprecationWarning, match=rf"{old}= is now called {new}="):
        assert _old_calls()[name]() is not None


def test_old_keyword_takes_effect() -> None:
    with pytest.warns(DeprecationWarning, match="per="):
        student = make_student(**MLP, bits=4, per="tensor")
    assert student.config["granularity"] == "tensor"
    with pytest.warns(DeprecationWarning, match="ask="):
        source = FunctionSource(Fixed(0.25, 0.75), ask=_batch)
    batch = source.batch(np.random.default_rng(0), 0.0)
    expected = make_batch(
        _batch(np.random.default_rng(0), 0.0), np.log(np.tile([0.25, 0.75], (4, 1)))
    )
    for found, column in zip(batch[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(found, column)
