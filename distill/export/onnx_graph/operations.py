"""ONNX graphs of the operations of a student."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.gaussian_actions import LOG_STD
from ...core.map_state import known_grid
from ...core.observations import MAX_BRIGHTNESS
from ...students.tree import LEAF
from ..common import operations as ops
from .map_operations import MAP_VALUE_ITERATION, map_constants

OPSET, IR_VERSION = 20, 10
"""Versions that torch writes for other networks."""

TREES, TREES_VERSION = "ai.onnx.ml", 3
"""Operators of trees; later versions have others, which fewer runtimes support."""


def graph_of(operations: ops.Operations, observation: Any) -> Any:
    """Return the ONNX model of a student.

    Its outputs are "logits" and "actions", and for a GRU "memory_after".

    Args:
        operations: of the student, without a `Gaussian`.
        observation: a single one; only its shape matters, and whether it is uint8.

    Raises:
        ValueError: for an observation that does not fit.
    """
    (outputs,) = ops.sizes_of(operations, observation.shape)[-1]
    graph = _Graph(operations, of_bytes=observation.dtype == np.uint8)
    graph.read_observations()
    for number, operation in enumerate(operations):
        graph.add(operation, number)
    return graph.model(outputs)


MODEL = """
<ir_version: {ir_version}, opset_import: ["" : {opset}{trees}]>
student ({inputs}) => ({outputs})
{{
{nodes}
    actions = ArgMax <axis = 1, keepdims = 0{order}> (logits)
}}
"""

FLATTEN = """
    {output} = Flatten <axis = 1> ({value})
"""

CHANNELS_FIRST = """
    {output} = Transpose <perm = [0, 3, 1, 2]> ({value})
"""

LINEAR = """
    {output} = Gemm <alpha = 1.0, beta = 1.0, transA = 0, transB = 1>
        ({value}, weight_{n}, bias_{n})
"""

CONVOLUTION = """
    {output} = Conv <auto_pad = "NOTSET", dilations = [1, 1], group = 1, kernel_shape = [3, 3],
        pads = [1, 1, 1, 1], strides = [{stride}, {stride}]> ({value}, weight_{n}, bias_{n})
"""

GRU_STEP = """
    seen = Gemm <alpha = 1.0, beta = 1.0, transA = 0, transB = 1> ({value}, inwards, inwards_bias)
    known = Gemm <alpha = 1.0, beta = 1.0, transA = 0, transB = 1>
        (memory, backwards, backwards_bias)
    reset_in, update_in, new_in = Split <axis = 1, num_outputs = 3> (seen)
    reset_back, update_back, new_back = Split <axis = 1, num_outputs = 3> (known)
    reset_sum = Add (reset_in, reset_back)
    reset = Sigmoid (reset_sum)
    update_sum = Add (update_in, update_back)
    update = Sigmoid (update_sum)
    recalled = Mul (reset, new_back)
    new_sum = Add (new_in, recalled)
    new = Tanh (new_sum)
    share = Sub (one, update)
    from_new = Mul (share, new)
    from_memory = Mul (update, memory)
    {output} = Add (from_new, from_memory)
"""

MAZE = """
    first_plane = Transpose <perm = [1, 0, 2, 3]> ({value})
    walls_and_goals = GatherND <batch_dims = 0> (first_plane, maze_planes)
    {output} = Transpose <perm = [1, 0, 2, 3]> (walls_and_goals)
    agent = Gather <axis = 1> ({value}, agent_plane)
    marked = Greater (agent, half)
"""

MARKED_CELLS = """
    by_cell = Transpose <perm = [0, 2, 3, 1]> ({value})
    found = NonZero (marked)
    cells = Transpose <perm = [1, 0]> (found)
    {output} = GatherND <batch_dims = 0> (by_cell, cells)
"""

VALUE_ITERATION = """
    walls, agent, goals = Split <axis = 1, num_outputs = 3> ({value})
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
    {output} = Mul (best_of_cells, sharpness)
"""

FROM_SIZE = """
    shape = Shape ({value})
    rows_cols = Slice (shape, two, four)
    cells_of_all = ReduceProd <keepdims = 1> (rows_cols)
    half_of_all = Div (cells_of_all, two)
    longer = ReduceMax <keepdims = 1> (rows_cols)
    count = Add (half_of_all, longer)
"""
"""Number of iterations; see `iterations_for`."""


class _Graph:
    """Text of a graph that grows by one operation after the other, and its constants.

    Args:
        operations: all of them.
        of_bytes: True for observations of uint8.
    """

    def __init__(self, operations: ops.Operations, *, of_bytes: bool) -> None:
        self.operations, self.of_bytes = operations, of_bytes
        self.first = ops.first_of(operations)
        self.value = "observations"  # name of the latest output
        self.text = ""  # of the nodes
        self.tree: Any = None  # a node that is not in the text, which does not hold every float
        self.weights: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}

    def model(self, outputs: int) -> Any:
        """Return the model with its inputs, and with a number of logits."""
        import onnx

        if self.value != "logits":
            self._write("    {output} = Identity ({value})\n", "logits")
        shape, width = self.first.observation_shape, ops.memory_width(self.operations)
        queries = "queries" if None in shape else "batch"
        kind = "uint8" if self.of_bytes else "float"
        given = [f"{kind}[{', '.join(ops.named_sides(shape, batch=True))}] observations"]
        results = [f"float[{queries}, {outputs}] logits", f"int64[{queries}] actions"]
        if width:
            given.append(f"float[batch, {width}] memory")
            results.append(f"float[batch, {width}] memory_after")
        # The first of equal ones is the default, but torch writes it.
        from_layer = isinstance(self.operations[-1], ops.Dense)
        text = MODEL.format(
            ir_version=IR_VERSION,
            opset=OPSET,
            trees=f', "{TREES}" : {TREES_VERSION}' if isinstance(self.first, ops.Tree) else "",
            inputs=", ".join(given),
            outputs=", ".join(results),
            nodes=self.text,
            order=", select_last_index = 0" if from_layer else "",
        )
        model = onnx.parser.parse_model(text)
        if self.tree is not None:
            model.graph.node.insert(2, self.tree)  # after the conversion of observations
        return with_constants(model, {**self.weights, **self.constants})

    def read_observations(self) -> None:
        """Convert bytes to floats, and images to [0, 1]; a tree converts everything."""
        if self.of_bytes or isinstance(self.first, ops.Tree):
            self._write("    {output} = Cast <to = 1> ({value})\n", "floats")
        if self.of_bytes and self.first.is_image:
            self.constants["brightest"] = np.float32(MAX_BRIGHTNESS)
            self._write("    {output} = Div ({value}, brightest)\n", "brightness")

    def add(self, operation: ops.Operation, number: int) -> None:
        """Add an operation."""
        is_last = number == len(self.operations) - 1
        output = "logits" if is_last else f"value_{number}"
        match operation:
            case ops.Vector() if len(operation.observation_shape) != 1:
                self._write(FLATTEN, output)
            case ops.Image() if operation.channels_last:
                self._write(CHANNELS_FIRST, output)
            case ops.Planes():
                self.constants |= {
                    "maze_planes": np.array([[0], [2]]),
                    "agent_plane": np.array(1),
                    "half": np.float32(0.5),
                }
                self._write(MAZE, output)
            case ops.ValueIteration():
                self._value_iteration(operation, output)
            case ops.MapValueIteration():
                self.constants |= map_constants(operation)
                rows, cols = known_grid(operation.grid)
                self._write(MAP_VALUE_ITERATION, output, rows=rows, cols=cols)
            case ops.Tree():
                self._tree(operation, output)
            case ops.Conv3x3():
                self._layer(CONVOLUTION, operation, output, number, stride=operation.stride)
            case ops.MarkedCells():
                self._write(MARKED_CELLS, output)
            case ops.Flatten():
                self._write(FLATTEN, output)
            case ops.Dense():
                self._layer(LINEAR, operation, output, number)
            case ops.GRUCell():
                names = ("inwards", "backwards", "inwards_bias", "backwards_bias")
                self.weights |= {name: getattr(operation, name) for name in names}
                self.constants["one"] = np.float32(1)
                self._write(GRU_STEP, "memory_after")

    def _layer(self, template: str, layer: Any, output: str, number: int, **settings: Any) -> None:
        """Add a layer with weights and biases, and tanh if it has one."""
        self.weights |= {f"weight_{number}": layer.weight, f"bias_{number}": layer.bias}
        self._write(template, f"sum_{number}" if layer.tanh else output, n=number, **settings)
        if layer.tanh:
            self._write("    {output} = Tanh ({value})\n", output)

    def _value_iteration(self, network: ops.ValueIteration, output: str) -> None:
        fixed = f"count = Constant <value = int64[1] {{{network.iterations}}}> ()"
        actions = len(network.bias)
        floats = {
            "reward": network.reward.reshape(actions, 2, 3, 3),
            "moves": network.moves.reshape(actions, 1, 3, 3),
            "bias": network.bias,
            "top": network.top,
            "sharpness": network.sharpness,
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
        self.constants |= {
            name: np.asarray(each, dtype=np.float32) for name, each in floats.items()
        }
        self.constants |= {name: np.asarray(each) for name, each in numbers.items()}
        self.constants["yes"] = np.array(True)
        count = FROM_SIZE.format(value=self.value) if network.iterations is None else fixed
        self._write(VALUE_ITERATION, output, count=count)

    def _tree(self, tree: ops.Tree, output: str) -> None:
        from onnx import helper

        self._write(FLATTEN, "numbers")
        nodes = np.arange(len(tree.feature))
        is_split = tree.feature != LEAF
        leaves, actions = tree.leaf.shape
        at_leaf = np.repeat(nodes[~is_split], actions)
        # BRANCH_GT, not BRANCH_LEQ: NaN then takes the same branch as in the tree.
        self.tree = helper.make_node(
            "TreeEnsembleRegressor",
            [self.value],
            [output],
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
            target_weights=tree.leaf.ravel().tolist(),
        )
        self.value = output

    def _write(self, template: str, output: str, **entries: Any) -> None:
        """Add nodes that read the latest output and give another."""
        self.text += template.format(value=self.value, output=output, **entries)
        self.value = output


def with_constants(model: Any, constants: dict[str, Any]) -> Any:
    """Return a model with more constants, after a check of all of it."""
    import onnx

    for name, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    onnx.checker.check_model(model, full_check=True)
    return model


GAUSSIAN = """
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


def add_gaussian(model: Any, operation: ops.Gaussian) -> None:
    """Turn a graph with "logits" and "actions" into one of continuous actions, in place.

    Its outputs become "means", "log_deviations" and "actions", of float32; others stay.

    Raises:
        ValueError: for bounds of squashed actions that float32 does not hold.
    """
    import onnx

    bounds = operation.bounds
    graph, shape = model.graph, bounds.low.shape
    text = GAUSSIAN.format(
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
    constants = {
        **operation.sides(),
        "least_deviation": np.float32(LOG_STD[0]),
        "most_deviation": np.float32(LOG_STD[1]),
        "action_shape": np.array([0, *shape]),
    }
    with_constants(model, constants)
