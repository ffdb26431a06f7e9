"""Students to ONNX: one file, from the environment's observation to the action."""

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
from ...files.safetensors import FORMAT, SAYS
from ...files.students import stored_form
from ...students.composite import ActorCritic
from ...students.gaussian import GaussianStudent
from ...students.gru import GRU
from ...students.parametrised import plain
from ...students.residual import Residual
from ...students.tree import Tree
from ...students.value_iteration import RecurrentPlanner
from ..common.float_tree import FloatTree
from ..compiled import policy_of
from ..compiled.value_iteration import PlannerPolicy
from .graphs import planner_graph
from .onnx_gaussian import gaussian_graph
from .onnx_tree import tree_graph
from .tracing import Acting, RememberingOne, of_any_size, traced


def export_onnx(
    path: str | os.PathLike[str], student: Any, observation: Any, *, card: Card | None = None
) -> None:
    """Write a student as one ONNX file, atomically.

    Its input is "observations", of any batch; its outputs are "logits" and "actions", int64. Of a
    `GaussianStudent` they are "means", "log_deviations", held in [-20, 2], and "actions", float32:
    what the environment takes for the means. What the student does to an observation first is in
    it. A GRU takes "memory" as well, zeros where an episode begins, and gives "memory_after" for
    its next moment. The recurrent planner is written as a loop and takes mazes of any size, with
    the iterations that each asks for; so do a convolution that takes planes and a residual network,
    and any other student takes the size that it is exported for. A tree is written with the
    operators of `ai.onnx.ml`.

    Args:
        path: the file.
        student: a network, any torch module from observations to logits, a tree, or a
            `GaussianStudent` with such a network inside. Of an `ActorCritic` the actor is written.
        observation: a single one as the environment gives it; only its shape counts, and whether
            it is of uint8.
        card: what is known of it.

    Raises:
        TypeError: for tables, other networks that remember, and other policies of continuous
            actions.
        ValueError: for bounds of squashed actions that float32 does not hold.
        ImportError: without onnx, naming the extra that brings it.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    optional_import("onnx", extra="onnx", purpose="an ONNX file")
    student = _actor_of(student)
    is_gaussian = isinstance(student, GaussianStudent)
    acting = _actor_of(student.inner) if is_gaussian else student
    _check_can_be_written(acting)
    model = _graph(acting, np.asarray(observation))
    if is_gaussian:
        gaussian_graph(model, student.bounds)
    about = {
        "format": FORMAT,
        "config": _config_of(student),
        "card": {} if card is None else card.to_json(),
    }
    del model.metadata_props[:]
    model.metadata_props.add(key=SAYS, value=json.dumps(about))
    write_atomically(path, model.SerializeToString(deterministic=True))


def _actor_of(student: Any) -> Any:
    return student.actor if isinstance(student, ActorCritic) else student


def _config_of(student: Any) -> dict[str, Any]:
    config: dict[str, Any] = getattr(student, "config", {"kind": type(student).__name__})
    return config


def _check_can_be_written(student: Any) -> None:
    kind = _config_of(student)["kind"]
    if distribution_of(student) != CATEGORICAL:
        raise TypeError(
            f"a student of kind {kind!r}; expected a GaussianStudent with a network of outputs "
            "inside, which alone of continuous actions can be written as ONNX"
        )
    is_network = isinstance(student, nn.Module) and (
        kind == "gru" or not hasattr(student, "memory")
    )
    if not is_network and not isinstance(student, Tree):
        raise TypeError(
            f"a student of kind {kind!r}; expected a network without a memory, a GRU or a tree, "
            "which alone can be written as ONNX"
        )


def _graph(student: Any, observation: Any) -> Any:
    if isinstance(student, Tree):
        return tree_graph(FloatTree.of(student), observation)
    if isinstance(student, RecurrentPlanner):
        policy = policy_of(stored_form(student))
        assert isinstance(policy, PlannerPolicy)
        return planner_graph(policy)
    network = plain(student)
    if isinstance(network, GRU):
        return traced(RememberingOne(network), observation, memory=True)
    if isinstance(network, Residual):
        return traced(Acting(of_any_size(network)), observation, any_size=True)
    return traced(Acting(network), observation, any_size=getattr(network, "asks", False))
