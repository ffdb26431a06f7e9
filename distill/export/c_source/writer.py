"""Export to C: one header with constant weights, without allocation."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from dynamaze.common.storage import write_atomically

from ...core.gaussian_actions import GaussianPolicy
from ...core.policy import LogitPolicy
from ...files.weights import StoredStudent
from ...students.tree import DecisionTree
from ..common.float32 import FloatTree
from ..compiled import build_policy, describe_kind, runs_without_torch
from ..compiled.conv import CompiledConvolution
from ..compiled.gru import CompiledGRU
from ..compiled.mlp import CompiledMLP
from ..compiled.value_iteration import CompiledValueIteration, iterations_for
from .conv import conv_body
from .gaussian import gaussian_body
from .sources import (
    DISCRETE,
    GRU,
    HEADER,
    LAYER,
    LAYERS,
    MAX_BRIGHTNESS,
    VALUE_ITERATION,
    literal,
    scaled,
    table,
    tree_body,
)

Writable = CompiledMLP | CompiledConvolution | CompiledGRU | CompiledValueIteration | DecisionTree
"""Policies that can be written; all but a tree may be inside a `GaussianPolicy`."""


def export_c(
    path: str | os.PathLike[str], student: Any, observation: Any, *, name: str = "student"
) -> None:
    """Write a student as a C header (C99), atomically.

    It has `int NAME_act(const float *observation)`, which returns the best action, the first of
    equal ones, and `int NAME_logits(const float *observation, float *logits)`, which returns 0;
    observations are row-major. A value iteration network and a convolution of planes are written
    for mazes of one size; their functions return -1 if no cell is marked as the agent's. The
    functions of a GRU take `float *memory` after the observation: `NAME_MEMORY` numbers that the
    caller keeps, zeros at an episode's start. All work arrays are on the stack; for a convolution
    of images these are all units of all layers.

    For a `GaussianStudent` they are `int NAME_gaussian(const float *observation, float *means,
    float *log_deviations)`, the logarithms of the deviations clipped to [-20, 2], and `int
    NAME_act(const float *observation, float *action)`, the action of the means: `NAME_DIMENSIONS`
    numbers each. Both return 0, or -1 as above.

    Args:
        path: the file.
        student: a student, or a policy of `load_policy`: an MLP, linear, a convolution, a GRU, a
            value iteration network, a tree, or a `GaussianStudent` with one of these, but a tree,
            inside. Of an `ActorCritic` the actor is written.
        observation: a single one as the environment returns it; only its shape matters, and whether
            it is uint8: then it is `const unsigned char *observation`.
        name: prefix of all names in the header.

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
    is_recurrent = isinstance(acting, CompiledGRU)
    memory = {
        "takes": ", float *memory" if is_recurrent else "",
        "gives": ", memory" if is_recurrent else "",
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
    """Return the tables of a student, and the function of its logits."""
    brightest = MAX_BRIGHTNESS if seen.dtype == np.uint8 else 1
    if isinstance(policy, CompiledMLP):
        return _layers(policy, brightest=brightest)
    if isinstance(policy, CompiledGRU):
        return _gru(policy, brightest=brightest)
    if isinstance(policy, CompiledConvolution):
        return conv_body(policy, seen.shape, brightest)
    if isinstance(policy, DecisionTree):
        return tree_body(FloatTree.of(policy))
    return _value_iteration(policy, seen.shape[1:])


def _check_fits(policy: Any, observation: Any) -> None:
    """Run the policy once, so that it refuses what does not fit; restore its recurrent state."""
    before = getattr(policy, "memory", None)
    if before is not None:
        policy.reset()
    try:
        policy.action_logits(observation[None])
    finally:
        if hasattr(policy, "memory"):
            policy.memory = before


def _without_torch(student: Any) -> Any:
    """Return one of `Writable`, or a `GaussianPolicy` of one."""
    policy, config = student, getattr(student, "config", {})
    is_network = not isinstance(student, LogitPolicy) and hasattr(student, "state_dict")
    if is_network and runs_without_torch(config):
        # Imported here, since it needs torch; a network needs torch anyway.
        from ...students.parametrised import plain_weights

        weights = {key: part.cpu().numpy() for key, part in plain_weights(student).items()}
        policy = build_policy(StoredStudent(weights, config, {}))
    acting = policy.inner if isinstance(policy, GaussianPolicy) else policy
    if not isinstance(acting, Writable):
        described = describe_kind(config) if config else f"of type {type(student).__name__}"
        raise TypeError(
            f"a student {described}; expected an MLP, linear, a convolution, a GRU, a value "
            "iteration network or a tree, which can be written as C"
        )
    return policy


def _layers(policy: CompiledMLP, *, brightest: int) -> str:
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


def _gru(policy: CompiledGRU, *, brightest: int) -> str:
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


def _value_iteration(policy: CompiledValueIteration, sides: tuple[int, ...]) -> str:
    w, (rows, cols) = policy.weights, sides
    tables = [
        table("reward", w.reward),
        table("moves", w.moves),
        table("bias", w.bias),
    ]
    return VALUE_ITERATION.format(
        tables="\n".join(tables),
        rows=rows,
        cols=cols,
        actions=policy.num_actions,
        iterations=iterations_for(policy.iterations, rows, cols),
        top=literal(w.top),
        sharpness=literal(w.sharpness),
    )
