"""Students to C: one header with constant weights, that allocates nothing."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.storage import write_atomically

from .c_sources import HEADER, LAYER, LAYERS, PLANNER
from .logits import LogitPolicy
from .numba_policy import LayersPolicy, PlannerPolicy, iterations_for, policy_of
from .weights import Stored

BRIGHTEST = 255
NUMBERS_A_LINE = 8


def export_c(
    path: str | os.PathLike[str], student: Any, observation: Any, *, name: str = "student"
) -> None:
    """Write a student as a C header (C99), atomically.

    It has `int NAME_act(const float *observation)`, the best action, the first of equal ones, and
    `void NAME_logits(const float *observation, float *logits)`; an observation lies row after row.
    The recurrent planner is written for mazes of one size; where no cell is the agent's, its action
    is -1.

    Args:
        path: the file.
        student: a student, or what `load_policy` gives: an MLP, linear or a recurrent planner.
        observation: a single one as the environment gives it; only its shape counts, and whether
            it is of uint8: then it is `const unsigned char *observation`.
        name: what the names in it begin with.

    Raises:
        TypeError: for another kind of student.
        ValueError: for a name that C does not take, an observation that does not fit, or weights
            that are not finite.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name={name!r}; expected one that C takes, such as 'student'")
    policy = _without_torch(student)
    seen = np.asarray(observation)
    policy.action_logits(seen[None])  # refuses what does not fit
    if isinstance(policy, LayersPolicy):
        body = _layers(policy, brightest=BRIGHTEST if seen.dtype == np.uint8 else 1)
    else:
        body = _planner(policy, seen.shape[1:])
    text = HEADER.format(
        guard=f"{name.upper()}_H",
        inputs=seen.size,
        shape=" x ".join(str(n) for n in seen.shape),
        actions=policy.num_actions,
        body=body,
    )
    kind = "unsigned char" if seen.dtype == np.uint8 else "float"
    write_atomically(path, text.replace("INPUT", kind).replace("NAME", name).encode())


def _without_torch(student: Any) -> LayersPolicy | PlannerPolicy:
    policy = student
    if not isinstance(student, LogitPolicy) and hasattr(student, "state_dict"):
        from .parametrised import plain_weights  # and torch, which is there if there is a network

        weights = {key: part.cpu().numpy() for key, part in plain_weights(student).items()}
        if getattr(student, "config", {}).get("kind") in ("mlp", "linear", "recurrent_planner"):
            policy = policy_of(Stored(weights, student.config, {}))
    if not isinstance(policy, LayersPolicy | PlannerPolicy):
        raise TypeError(
            f"a student of type {type(student).__name__}; expected an MLP, linear or a recurrent "
            "planner, which alone can be written as C"
        )
    return policy


def _layers(policy: LayersPolicy, *, brightest: int) -> str:
    tables, steps = [], []
    for number, (weight, bias) in enumerate(policy.layers):
        first, last = number == 0, number == len(policy.layers) - 1
        outputs, inputs = weight.shape
        tables += [_table(f"weight_{number}", weight.T), _table(f"bias_{number}", bias)]
        steps.append(
            LAYER.format(
                number=number,
                inputs=inputs,
                outputs=outputs,
                source="observation" if first else f"units_{number - 1}",
                into="logits" if last else f"units_{number}",
                declare="" if last else f"    float units_{number}[{outputs}];\n",
                times=f" / {brightest}.0f" if first and brightest != 1 else "",
                squash="" if last else "tanhf",
            )
        )
    return LAYERS.format(tables="\n".join(tables), steps="".join(steps), actions=policy.num_actions)


def _planner(policy: PlannerPolicy, sides: tuple[int, ...]) -> str:
    w, (rows, cols) = policy.weights, sides
    tables = [
        _table("reward", w.reward),
        _table("moves", w.moves),
        _table("bias", w.bias),
    ]
    return PLANNER.format(
        tables="\n".join(tables),
        rows=rows,
        cols=cols,
        actions=policy.num_actions,
        iterations=iterations_for(policy.iterations, rows, cols),
        top=_number(w.top),
        sharpness=_number(w.sharpness),
    )


def _table(what: str, numbers: npt.NDArray[Any]) -> str:
    """A constant array of one or two dimensions, from float32."""
    sides = "".join(f"[{n}]" for n in numbers.shape)
    flat = [_number(number) for number in numbers.ravel()]
    starts = range(0, len(flat), NUMBERS_A_LINE)
    lines = ",\n".join("    " + ", ".join(flat[at : at + NUMBERS_A_LINE]) for at in starts)
    if numbers.ndim == 2:
        rows = [[_number(number) for number in row] for row in numbers]
        lines = ",\n".join("    {" + ", ".join(row) + "}" for row in rows)
    return f"static const float NAME_{what}{sides} = {{\n{lines}\n}};"


def _number(number: Any) -> str:
    """The shortest text that C reads as this very float."""
    if not np.isfinite(number):
        raise ValueError(f"a weight of {number}; expected finite ones")
    return f"{np.float32(number)!s}f"
