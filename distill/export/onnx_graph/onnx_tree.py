"""A decision tree as an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...students.tree import LEAF
from ..common.float_tree import FloatTree
from .graphs import IR_VERSION, OPSET

TREES, TREES_VERSION = "ai.onnx.ml", 3
"""The operators of trees; a later version has others, which fewer programs run."""


def tree_graph(tree: FloatTree, observation: Any) -> Any:
    """A tree as an ONNX model, from observations of float32, or of uint8 as they are."""
    import onnx
    from onnx import TensorProto, helper

    nodes = np.arange(len(tree.feature))
    asks = tree.feature != LEAF
    leaves, actions = tree.logits.shape
    at_leaf = np.repeat(nodes[~asks], actions)
    # "More", not "no more": what is no number goes where the tree lets it go.
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["numbers"],
        ["logits"],
        domain=TREES,
        n_targets=actions,
        nodes_treeids=[0] * len(nodes),
        nodes_nodeids=nodes.tolist(),
        nodes_featureids=np.where(asks, tree.feature, 0).tolist(),
        nodes_modes=np.where(asks, "BRANCH_GT", "LEAF").tolist(),
        nodes_values=tree.threshold.tolist(),
        nodes_truenodeids=np.where(asks, tree.below[:, 1], 0).tolist(),
        nodes_falsenodeids=np.where(asks, tree.below[:, 0], 0).tolist(),
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
