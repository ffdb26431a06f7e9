"""Students to ONNX: one file, from the environment's observation to the action."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dynamaze.messages import optional_import
from dynamaze.storage import write_atomically

from .card import Card
from .files import stored_form
from .numba_policy import PLANES, PlannerPolicy, policy_of
from .parametrised import plain
from .weights import FORMAT, SAYS

OPSET, IR_VERSION = 20, 10
"""Of the planner's graph, as torch writes them for the others."""

EXAMPLES = 2
"""A batch of one would be taken for a batch that is always one."""


def export_onnx(
    path: str | os.PathLike[str], student: nn.Module, observation: Any, *, card: Card | None = None
) -> None:
    """Write a student as one ONNX file, atomically.

    Its input is "observations", of any batch; its outputs are "logits" and "actions", int64. What
    the student does to an observation first is in it. The recurrent planner is written as a loop
    and takes mazes of any size, with the iterations that each asks for; so does a convolution that
    takes planes, and any other student takes the size that it is exported for.

    Args:
        path: the file.
        student: a network; any torch module from observations to logits.
        observation: a single one as the environment gives it; only its shape counts, and whether
            it is of uint8.
        card: what is known of it.

    Raises:
        TypeError: for tables and trees, and for networks that remember.
        ImportError: without onnx, naming the extra that brings it.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    optional_import("onnx", extra="onnx", purpose="an ONNX file")
    config = getattr(student, "config", {"kind": type(student).__name__})
    kind = config["kind"]
    if not isinstance(student, nn.Module) or hasattr(student, "memory"):
        raise TypeError(
            f"a student of kind {kind!r}; expected a network without a memory, which alone can be "
            "written as ONNX"
        )
    if kind == "recurrent_planner":
        policy = policy_of(stored_form(student))
        assert isinstance(policy, PlannerPolicy)
        model = planner_graph(policy)
    else:
        model = _traced(plain(student), np.asarray(observation))
    about = {
        "format": FORMAT,
        "config": config,
        "card": {} if card is None else card.to_json(),
    }
    del model.metadata_props[:]
    model.metadata_props.add(key=SAYS, value=json.dumps(about))
    write_atomically(path, model.SerializeToString(deterministic=True))


class _Acting(nn.Module):
    """A student that says which action is best, too."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.student(observations)
        return logits, logits.argmax(dim=1)


def _traced(student: nn.Module, observation: Any) -> Any:
    """The graph that torch makes of a student."""
    optional_import("onnxscript", extra="onnx", purpose="an ONNX file")
    kind = torch.uint8 if observation.dtype == np.uint8 else torch.float32
    example = torch.as_tensor(observation).to(kind).expand(EXAMPLES, *observation.shape)
    free = {0: torch.export.Dim("batch")}
    if getattr(student, "asks", False):
        free |= {2: torch.export.Dim("rows"), 3: torch.export.Dim("cols")}
    modes = [(part, part.training) for part in student.modules()]
    try:
        with _quiet():
            program = torch.onnx.export(
                _Acting(student).eval(),
                (example,),
                dynamo=True,
                dynamic_shapes={"observations": free},
                input_names=["observations"],
                output_names=["logits", "actions"],
                opset_version=OPSET,
                verbose=False,
            )
    finally:
        for part, training in modes:
            part.training = training
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:  # where in the sources it comes from is more than the weights
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of its own use of itself, and of torchvision."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        log.setLevel(level)


PLANNER = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
planner (float[batch, {planes}, rows, cols] observations)
    => (float[answers, {actions}] logits, int64[answers] actions)
{{
    walls, agent, goals = Split <axis = 1, num_outputs = {planes}> (observations)
    wide_walls = Pad <mode = "constant"> (walls, border, one)
    wide_goals = Pad <mode = "constant"> (goals, border, zero)
    wide_maze = Concat <axis = 1> (wide_walls, wide_goals)
    rewards = Conv (wide_maze, reward, bias)
    nothing = Mul (walls, zero)
    {count}
    before = Sub (count, one_more)
    values = Loop <body = backup
        (int64 k, bool go, float[batch, 1, rows, cols] v)
        => (bool changed, float[batch, 1, rows, cols] new) {{
            wide = Pad <mode = "edge"> (v, border)
            expected = Conv (wide, moves)
            q = Add (rewards, expected)
            best = ReduceMax <keepdims = 1> (q, map_axis)
            new = Min (best, top)
            moved = Sub (new, v)
            far = Abs (moved)
            farthest = ReduceMax <keepdims = 0> (far)
            changed = Greater (farthest, zero)
        }}> (before, yes, nothing)
    wide_values = Pad <mode = "edge"> (values, border)
    then = Conv (wide_values, moves)
    last = Add (rewards, then)
    by_cell = Transpose <perm = [0, 2, 3, 1]> (last)
    which = Squeeze (agent, map_axis)
    asked = Greater (which, half)
    found = NonZero (asked)
    cells = Transpose <perm = [1, 0]> (found)
    best_of_cells = GatherND (by_cell, cells)
    logits = Mul (best_of_cells, sharpness)
    actions = ArgMax <axis = 1, keepdims = 0> (logits)
}}
"""

FROM_SIZE = """
    shape = Shape (observations)
    rows_cols = Slice (shape, two, four)
    cells_of_all = ReduceProd <keepdims = 1> (rows_cols)
    half_of_all = Div (cells_of_all, two)
    longer = ReduceMax <keepdims = 1> (rows_cols)
    count = Add (half_of_all, longer)
"""
"""`RecurrentPlanner.iterations_for`."""


def planner_graph(policy: PlannerPolicy) -> Any:
    """A recurrent planner as an ONNX model: the formulas of `RecurrentPlanner` as a loop."""
    import onnx

    w = policy.weights
    actions = policy.num_actions
    fixed = f"count = Constant <value = int64[1] {{{policy.iterations}}}> ()"
    text = PLANNER.format(
        ir_version=IR_VERSION,
        opset=OPSET,
        planes=PLANES,
        actions=actions,
        count=FROM_SIZE if policy.iterations is None else fixed,
    )
    model = onnx.parser.parse_model(text)
    floats = {
        "reward": w.reward.reshape(actions, 2, 3, 3),
        "moves": w.moves.reshape(actions, 1, 3, 3),
        "bias": w.bias,
        "top": w.top,
        "sharpness": w.sharpness,
        "zero": 0.0,
        "half": 0.5,
        "one": 1.0,
    }
    numbers = {
        "border": [0, 0, 1, 1, 0, 0, 1, 1],
        "map_axis": [1],
        "one_more": [1],
        "two": [2],
        "four": [4],
    }
    for kind, constants in ((np.float32, floats), (np.int64, numbers), (np.bool_, {"yes": True})):
        for name, value in constants.items():
            tensor = onnx.numpy_helper.from_array(np.asarray(value, dtype=kind), name)
            model.graph.initializer.append(tensor)
    onnx.checker.check_model(model, full_check=True)
    return model
