"""Export to ONNX: one file from the environment's observation to the action."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.optional_imports import optional_import

from ...core.distributions import CATEGORICAL, distribution_of
from ...files.card import Card
from ...files.weights import FORMAT, METADATA_KEY
from ..common.operations import Gaussian, bounds_of
from ..common.students import operations_of
from .operations import add_gaussian, graph_of


def export_onnx(
    path: str | os.PathLike[str], student: Any, observation: Any, *, card: Card | None = None
) -> None:
    """Write a student as one ONNX file, atomically.

    Its input is "observations", a batch of any size; its outputs are "logits" and "actions", int64.
    For a `GaussianStudent` they are "means", "log_deviations", clipped to [-20, 2], and "actions",
    float32: the actions of the means. The student's preprocessing of observations is included. A
    GRU also takes "memory", zeros at an episode's start, and returns "memory_after" for its next
    step; so does a student that plans on its own map, written for the maze of its `grid`, whose
    memory outlives episodes: only its last number is set to 0 at an episode's start. A value
    iteration network is written as a loop and takes mazes of any size, with the iterations that
    each needs; a convolution of planes, a residual network and a transformer take any size, too;
    other students take the size of `observation`. A tree uses the operators of `ai.onnx.ml`.

    Args:
        path: the file.
        student: a student of a class with a method `operations()`, any torch module from
            observations to logits, a tree, or a `GaussianStudent` with such a network inside. Of an
            `ActorCritic` the actor is written.
        observation: a single one as the environment returns it; only its shape matters, and whether
            it is uint8.
        card: model card.

    Raises:
        TypeError: for tables, other recurrent networks, and other policies of continuous actions.
        ValueError: for bounds of squashed actions that float32 does not hold.
        ImportError: without onnx, naming the extra that installs it.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    optional_import("onnx", purpose="an ONNX file")
    acting, seen = _acting(student), np.asarray(observation)
    operations = operations_of(acting)
    if operations is not None:
        bounds = bounds_of(operations)
        model = graph_of(operations if bounds is None else operations[:-1], seen)
    else:
        # Imported here, since it needs torch; such a student does anyway.
        from .tracing import traced

        is_gaussian = _config_of(acting)["kind"] == "gaussian"
        bounds = acting.bounds if is_gaussian else None
        network = _acting(acting.inner) if is_gaussian else acting
        _check_traceable(network)
        model = traced(network, seen)
    if bounds is not None:
        add_gaussian(model, Gaussian(bounds))
    config = _config_of(acting)
    if bounds is not None and config["kind"] != "gaussian":
        config = {"kind": "gaussian", "inner": config, **bounds.to_json()}
    about = {
        "format": FORMAT,
        "config": config,
        "card": {} if card is None else card.to_json(),
        "grid": getattr(acting, "grid", None),
    }
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(about))
    write_atomically(path, model.SerializeToString(deterministic=True))


def _acting(student: Any) -> Any:
    """Return the actor of an `ActorCritic`; any other student is returned unchanged."""
    return student.actor if _config_of(student)["kind"] == "actor_critic" else student


def _config_of(student: Any) -> dict[str, Any]:
    config: dict[str, Any] = getattr(student, "config", {"kind": type(student).__name__})
    return config


def _check_traceable(student: Any) -> None:
    kind = _config_of(student)["kind"]
    if distribution_of(student) != CATEGORICAL:
        raise TypeError(
            f"a student of kind {kind!r}; expected a GaussianStudent with a network of outputs "
            "inside, the only continuous actions that can be written as ONNX"
        )
    if not hasattr(student, "state_dict") or hasattr(student, "memory"):
        raise TypeError(
            f"a student of kind {kind!r}; expected a network without recurrent state, a GRU, a "
            "tree or one with a method operations(), which can be written as ONNX"
        )
