"""Continuous actions as ONNX: what becomes of the outputs of another student's graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.distributions import Bounds
from ...core.gaussian_actions import LOG_STD
from ..common.float_bounds import float_bounds
from .graphs import IR_VERSION, OPSET

ENDING = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
gaussian (float[answers, {outputs}] logits)
    => (float[answers, {dimensions}] means, float[answers, {dimensions}] log_deviations,
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
"""What becomes of the means before they are clipped; as `Bounds.action`."""


def gaussian_graph(model: Any, bounds: Bounds) -> None:
    """Change the graph of a student with "logits" and "actions" into one of continuous actions.

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
        sides=", ".join(["answers", *(str(n) for n in shape)]),
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
        **float_bounds(bounds),
        "least_deviation": np.float32(LOG_STD[0]),
        "most_deviation": np.float32(LOG_STD[1]),
        "action_shape": np.array([0, *bounds.low.shape]),
    }
    return {name: np.asarray(value) for name, value in constants.items()}
