"""Students to C: one header with constant weights, that allocates nothing."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from dynamaze.common.storage import write_atomically

from ...core.gaussian_actions import GaussianPolicy
from ...core.logits import LogitPolicy
from ...files.safetensors import Stored
from ...students.tree import Tree
from ..common.float_tree import FloatTree
from ..compiled import policy_of, runs_without_torch, told
from ..compiled.conv import ConvPolicy
from ..compiled.gru import GRUPolicy
from ..compiled.mlp import LayersPolicy
from ..compiled.value_iteration import PlannerPolicy, iterations_for
from .c_tables import BRIGHTEST, literal, scaled, table
from .c_tree import tree_body
from .conv import conv_body
from .gaussian import gaussian_body
from .sources import DISCRETE, GRU, HEADER, LAYER, LAYERS, PLANNER

Writable = LayersPolicy | ConvPolicy | GRUPolicy | PlannerPolicy | Tree
"""What can be written, and be inside of a `GaussianPolicy`."""


def export_c(
    path: str | os.PathLike[str], student: Any, observation: Any, *, name: str = "student"
) -> None:
    """Write a student as a C header (C99), atomically.

    It has `int NAME_act(const float *observation)`, the best action, the first of equal ones, and
    `int NAME_logits(const float *observation, float *logits)`, which is 0; an observation lies row
    after row. The recurrent planner and a convolution of planes are written for mazes of one size;
    where no cell is the agent's, both are -1. A GRU's functions take `float *memory` after the
    observation: `NAME_MEMORY` numbers that the caller keeps, zeros when an episode begins. All that
    they work in is on the stack; for a convolution of pictures it is all units of all layers.

    Of a `GaussianStudent` they are `int NAME_gaussian(const float *observation, float *means, float
    *log_deviations)`, the deviations held in [-20, 2], and `int NAME_act(const float *observation,
    float *action)`, what the environment takes for the means: `NAME_DIMENSIONS` numbers each. Both
    are 0, or -1 as above.

    Args:
        path: the file.
        student: a student, or what `load_policy` gives: an MLP, linear, a convolution, a GRU, a
            recurrent planner, a tree, or a `GaussianStudent` with one of these inside, but a tree.
            Of an `ActorCritic` the actor is written.
        observation: a single one as the environment gives it; only its shape counts, and whether
            it is of uint8: then it is `const unsigned char *observation`.
        name: what the names in it begin with.

    Raises:
        TypeError: for another kind of student.
        ValueError: for a name that C does not take, an observation that does not fit, weights that
            are not finite, or bounds of squashed actions that float32 does not hold.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name={name!r}; expected one that C takes, such as 'student'")
    policy = _without_torch(student)
    is_gaussian = isinstance(policy, GaussianPolicy)
    acting, seen = policy.inner if is_gaussian else policy, np.asarray(observation)
    _check_fits(acting, seen)
    remembers = isinstance(acting, GRUPolicy)
    memory = {
        "takes": ", float *memory" if remembers else "",
        "gives": ", memory" if remembers else "",
    }
    body = _body(acting, seen)
    if is_gaussian:
        out = f"a Gaussian of {policy.bounds.dimensions} numbers"
        body = gaussian_body(body, policy.bounds, **memory)
    else:
        out = f"one of {policy.num_actions} actions"
        body = DISCRETE.format(body=body, actions=policy.num_actions, **memory)
    text = HEADER.format(
        guard=f"{name.upper()}_H",
        inputs=seen.size,
        shape=" x ".join(str(n) for n in seen.shape),
        out=out,
        body=body,
    )
    kind = "unsigned char" if seen.dtype == np.uint8 else "float"
    write_atomically(path, text.replace("INPUT", kind).replace("NAME", name).encode())


def _body(policy: Writable, seen: Any) -> str:
    """The tables of a student, and the function of its logits."""
    brightest = BRIGHTEST if seen.dtype == np.uint8 else 1
    if isinstance(policy, LayersPolicy):
        return _layers(policy, brightest=brightest)
    if isinstance(policy, GRUPolicy):
        return _gru(policy, brightest=brightest)
    if isinstance(policy, ConvPolicy):
        return conv_body(policy, seen.shape, brightest)
    if isinstance(policy, Tree):
        return tree_body(FloatTree.of(policy))
    return _planner(policy, seen.shape[1:])


def _check_fits(policy: Any, observation: Any) -> None:
    """Ask it, so that it refuses what does not fit; what it remembers stays as it is."""
    before = getattr(policy, "memory", None)
    if before is not None:
        policy.reset()
    try:
        policy.action_logits(observation[None])
    finally:
        if hasattr(policy, "memory"):
            policy.memory = before


def _without_torch(student: Any) -> Any:
    """One of `Writable`, or a `GaussianPolicy` of one."""
    policy, config = student, getattr(student, "config", {})
    is_network = not isinstance(student, LogitPolicy) and hasattr(student, "state_dict")
    if is_network and runs_without_torch(config):
        from ...students.parametrised import (
            plain_weights,  # and torch, which is there if there is a network
        )

        weights = {key: part.cpu().numpy() for key, part in plain_weights(student).items()}
        policy = policy_of(Stored(weights, config, {}))
    acting = policy.inner if isinstance(policy, GaussianPolicy) else policy
    if not isinstance(acting, Writable):
        what = told(config) if config else f"of type {type(student).__name__}"
        raise TypeError(
            f"a student {what}; expected an MLP, linear, a convolution, a GRU, a recurrent "
            "planner or a tree, which alone can be written as C"
        )
    return policy


def _layers(policy: LayersPolicy, *, brightest: int) -> str:
    tables, steps = [], []
    for number, (weight, bias) in enumerate(policy.layers):
        first, last = number == 0, number == len(policy.layers) - 1
        outputs, inputs = weight.shape
        tables += [table(f"weight_{number}", weight.T), table(f"bias_{number}", bias)]
        steps.append(
            LAYER.format(
                number=number,
                inputs=inputs,
                outputs=outputs,
                source="observation" if first else f"units_{number - 1}",
                into="logits" if last else f"units_{number}",
                declare="" if last else f"    float units_{number}[{outputs}];\n",
                times=scaled(brightest) if first else "",
                squash="" if last else "tanhf",
            )
        )
    return LAYERS.format(tables="\n".join(tables), steps="".join(steps), actions=policy.num_actions)


def _gru(policy: GRUPolicy, *, brightest: int) -> str:
    tables = [
        table(name, array.T if array.ndim == 2 else array)
        for name, array in policy.weights._asdict().items()
    ]
    return GRU.format(
        tables="\n".join(tables),
        width=policy.width,
        inputs=policy.weights.inwards.shape[1],
        actions=policy.num_actions,
        times=scaled(brightest),
    )


def _planner(policy: PlannerPolicy, sides: tuple[int, ...]) -> str:
    w, (rows, cols) = policy.weights, sides
    tables = [
        table("reward", w.reward),
        table("moves", w.moves),
        table("bias", w.bias),
    ]
    return PLANNER.format(
        tables="\n".join(tables),
        rows=rows,
        cols=cols,
        actions=policy.num_actions,
        iterations=iterations_for(policy.iterations, rows, cols),
        top=literal(w.top),
        sharpness=literal(w.sharpness),
    )
