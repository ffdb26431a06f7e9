"""ONNX graphs written by hand: value iteration networks, Gaussian actions and decision trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.distributions import Bounds
from ...core.gaussian_actions import LOG_STD
from ...students.tree import LEAF
from ..common.float32 import PLANES, FloatTree, float32_bounds
from ..compiled.value_iteration import CompiledValueIteration

OPSET, IR_VERSION = 20, 10
"""Versions that torch writes for other students."""

VALUE_ITERATION = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
value_iteration (float[batch, {planes}, rows, cols] observations)
    => (float[queries, {actions}] logits, int64[queries] actions)
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
    queried = Greater (which, half)
    found = NonZero (queried)
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
"""`ValueIterationNetwork.iterations_for`."""


def value_iteration_graph(policy: CompiledValueIteration) -> Any:
    """Return a value iteration network as an ONNX model with a loop, for mazes of any size."""
    import onnx

    w = policy.weights
    actions = policy.num_actions
    fixed = f"count = Constant <value = int64[1] {{{policy.iterations}}}> ()"
    text = VALUE_ITERATION.format(
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


ENDING = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
gaussian (float[queries, {outputs}] logits)
    => (float[queries, {dimensions}] means, float[queries, {dimensions}] log_deviations,
        float[{sides}] actions)
{{
    means, any_deviations = Split <axis = 1, num_outputs = 2> (logits)
    log_deviations = Clip (any_deviations, least_deviation, most_deviation)
    {sample}
    not_below = Max (sample, low)
    within = Min (not_below, high)
    actions = Reshape (within, action_shape)
}}
"""

CLIPPED = "sample = Identity (means)"
SQUASHED = """
    squashed = Tanh (means)
    from_middle = Mul (squashed, half_range)
    sample = Add (from_middle, middle)
"""
"""Map from means to actions before clipping; as `Bounds.action`."""


def gaussian_graph(model: Any, bounds: Bounds) -> None:
    """Turn a student's graph with "logits" and "actions" into one of continuous actions, in place.

    Its outputs become "means", "log_deviations" and "actions", of float32; others stay.

    Raises:
        ValueError: for bounds of squashed actions that float32 does not hold.
    """
    import onnx

    graph, shape = model.graph, bounds.low.shape
    text = ENDING.format(
        ir_version=IR_VERSION,
        opset=OPSET,
        outputs=2 * bounds.dimensions,
        dimensions=bounds.dimensions,
        sides=", ".join(["queries", *(str(n) for n in shape)]),
        sample=SQUASHED if bounds.squashed else CLIPPED,
    )
    ending = onnx.parser.parse_model(text).graph
    nodes = [node for node in graph.node if "actions" not in node.output]
    others = [output for output in graph.output if output.name not in ("logits", "actions")]
    del graph.node[:], graph.output[:]
    graph.node.extend([*nodes, *ending.node])
    graph.output.extend([*ending.output, *others])
    for name, value in _constants(bounds).items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    onnx.checker.check_model(model, full_check=True)


def _constants(bounds: Bounds) -> dict[str, Any]:
    constants = {
        **float32_bounds(bounds),
        "least_deviation": np.float32(LOG_STD[0]),
        "most_deviation": np.float32(LOG_STD[1]),
        "action_shape": np.array([0, *bounds.low.shape]),
    }
    return {name: np.asarray(value) for name, value in constants.items()}


TREES, TREES_VERSION = "ai.onnx.ml", 3
"""Operators of trees; later versions have others, which fewer runtimes support."""


def tree_graph(tree: FloatTree, observation: Any) -> Any:
    """Return a tree as an ONNX model, for observations of float32, or unscaled uint8."""
    import onnx
    from onnx import TensorProto, helper

    nodes = np.arange(len(tree.feature))
    is_split = tree.feature != LEAF
    leaves, actions = tree.logits.shape
    at_leaf = np.repeat(nodes[~is_split], actions)
    # BRANCH_GT, not BRANCH_LEQ: NaN then takes the same branch as in the tree.
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["numbers"],
        ["logits"],
        domain=TREES,
        n_targets=actions,
        nodes_treeids=[0] * len(nodes),
        nodes_nodeids=nodes.tolist(),
        nodes_featureids=np.where(is_split, tree.feature, 0).tolist(),
        nodes_modes=np.where(is_split, "BRANCH_GT", "LEAF").tolist(),
        nodes_values=tree.threshold.tolist(),
        nodes_truenodeids=np.where(is_split, tree.below[:, 1], 0).tolist(),
        nodes_falsenodeids=np.where(is_split, tree.below[:, 0], 0).tolist(),
        target_treeids=[0] * len(at_leaf),
        target_nodeids=at_leaf.tolist(),
        target_ids=list(range(actions)) * leaves,
        target_weights=tree.logits.ravel().tolist(),
    )
    kind = TensorProto.UINT8 if observation.dtype == np.uint8 else TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["observations"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["floats"], ["numbers"], axis=1),
            ensemble,
            helper.make_node("ArgMax", ["logits"], ["actions"], axis=1, keepdims=0),
        ],
        "tree",
        [helper.make_tensor_value_info("observations", kind, ["batch", *observation.shape])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", actions]),
            helper.make_tensor_value_info("actions", TensorProto.INT64, ["batch"]),
        ],
    )
    model = helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(TREES, TREES_VERSION)],
    )
    onnx.checker.check_model(model, full_check=True)
    return model
