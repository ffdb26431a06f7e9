"""The recurrent planner as an ONNX graph: a loop, for mazes of any size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.float32 import PLANES
from ..compiled.value_iteration import PlannerPolicy

OPSET, IR_VERSION = 20, 10
"""As torch writes them for other students."""

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
