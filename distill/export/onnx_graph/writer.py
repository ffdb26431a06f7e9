"""Export to ONNX: one file from the environment's observation to the action."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from torch import nn

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import write_atomically

from ...core.distributions import CATEGORICAL, distribution_of
from ...files.card import Card
from ...files.students import to_stored
from ...files.weights import FORMAT, METADATA_KEY
from ...students.composite import ActorCritic, GaussianStudent
from ...students.gru import GRU
from ...students.parametrised import plain
from ...students.residual import Residual
from ...students.tree import DecisionTree
from ...students.value_iteration import ValueIterationNetwork
from ..common.float32 import FloatTree
from ..compiled import build_policy
from ..compiled.value_iteration import CompiledValueIteration
from .graphs import gaussian_graph, tree_graph, value_iteration_graph
from .tracing import GRUStep, WithBestAction, traced, with_any_size


def export_onnx(
    path: str | os.PathLike[str], student: Any, observation: Any, *, card: Card | None = None
) -> None:
    """Write a student as one ONNX file, atomically.

    Its input is "observations", a batch of any size; its outputs are "logits" and "actions", int64.
    For a `GaussianStudent` they are "means", "log_deviations", clipped to [-20, 2], and "actions",
    float32: the actions of the means. The student's preprocessing of observations is included. A
    GRU also takes "memory", zeros at an episode's start, and returns "memory_after" for its next
    step. A value iteration network is written as a loop and takes mazes of any size, with the
    iterations that each needs; a convolution of planes and a residual network take any size, too;
    other students take the size of `observation`. A tree uses the operators of `ai.onnx.ml`.

    Args:
        path: the file.
        student: a network, any torch module from observations to logits, a tree, or a
            `GaussianStudent` with such a network inside. Of an `ActorCritic` the actor is written.
        observation: a single one as the environment returns it; only its shape matters, and whether
            it is uint8.
        card: model card.

    Raises:
        TypeError: for tables, other recurrent networks, and other policies of continuous actions.
        ValueError: for bounds of squashed actions that float32 does not hold.
        ImportError: without onnx, naming the extra that installs it.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    optional_import("onnx", extra="onnx", purpose="an ONNX file")
    student = _actor_of(student)
    is_gaussian = isinstance(student, GaussianStudent)
    acting = _actor_of(student.inner) if is_gaussian else student
    _check_exportable(acting)
    model = _graph(acting, np.asarray(observation))
    if is_gaussian:
        gaussian_graph(model, student.bounds)
    about = {
        "format": FORMAT,
        "config": _config_of(student),
        "card": {} if card is None else card.to_json(),
    }
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(about))
    write_atomically(path, model.SerializeToString(deterministic=True))


def _actor_of(student: Any) -> Any:
    return student.actor if isinstance(student, ActorCritic) else student


def _config_of(student: Any) -> dict[str, Any]:
    config: dict[str, Any] = getattr(student, "config", {"kind": type(student).__name__})
    return config


def _check_exportable(student: Any) -> None:
    kind = _config_of(student)["kind"]
    if distribution_of(student) != CATEGORICAL:
        raise TypeError(
            f"a student of kind {kind!r}; expected a GaussianStudent with a network of outputs "
            "inside, the only continuous actions that can be written as ONNX"
        )
    is_network = isinstance(student, nn.Module) and (
        kind == "gru" or not hasattr(student, "memory")
    )
    if not is_network and not isinstance(student, DecisionTree):
        raise TypeError(
            f"a student of kind {kind!r}; expected a network without recurrent state, a GRU or a "
            "tree, which can be written as ONNX"
        )


def _graph(student: Any, observation: Any) -> Any:
    if isinstance(student, DecisionTree):
        return tree_graph(FloatTree.of(student), observation)
    if isinstance(student, ValueIterationNetwork):
        policy = build_policy(to_stored(student))
        assert isinstance(policy, CompiledValueIteration)
        return value_iteration_graph(policy)
    network = plain(student)
    if isinstance(network, GRU):
        return traced(GRUStep(network), observation, memory=True)
    if isinstance(network, Residual):
        return traced(WithBestAction(with_any_size(network)), observation, any_size=True)
    return traced(
        WithBestAction(network), observation, any_size=getattr(network, "per_cell", False)
    )
