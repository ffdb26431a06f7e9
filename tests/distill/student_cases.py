"""Students and observations for the tests of files and exports."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.distill.students.registry import make_student

from .exact_value_iteration import exact_value_iteration

WINDOW, PLANES = (7, 7, 3), (3, 11, 11)
IMAGE, OTHER_PLANES = (13, 10, 3), (4, 7, 6)

CONFIGS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "mlp": ({"kind": "mlp", "observation_shape": WINDOW, "num_actions": 7, "width": 8}, WINDOW),
    "deep mlp": (
        {"kind": "mlp", "observation_shape": [5], "num_actions": 3, "width": 6, "layers": 11},
        (5,),
    ),
    "linear": ({"kind": "linear", "observation_shape": WINDOW, "num_actions": 7}, WINDOW),
    "value iteration": ({"kind": "value_iteration"}, PLANES),
    "value iteration of 8 maps": ({"kind": "value_iteration", "maps": 8}, PLANES),
    "value iteration of 7 iterations": ({"kind": "value_iteration", "iterations": 7}, PLANES),
    "conv": ({"kind": "conv", "observation_shape": PLANES, "num_actions": 4}, PLANES),
    "conv of an image": (
        {"kind": "conv", "observation_shape": IMAGE, "num_actions": 5, "channels": 6},
        IMAGE,
    ),
    "conv of a window": (
        {"kind": "conv", "observation_shape": OTHER_PLANES, "num_actions": 3, "layers": 3},
        OTHER_PLANES,
    ),
    "tree": ({"kind": "tree", "observation_shape": WINDOW, "num_actions": 7}, WINDOW),
}
"""Name -> arguments of `make_student`, and the shape of an observation."""

COUNTS = {
    "deep mlp": 1000,
    "exact": 1000,
    "value iteration of 8 maps": 1000,
    "value iteration of 7 iterations": 1000,
}
"""Number of observations for variants; 10,000 for all others."""


def student(name: str) -> Any:
    """Make a student of `CONFIGS`, or "exact": a value iteration network that solves every maze."""
    if name == "exact":
        return exact_value_iteration()
    made = make_student(**CONFIGS[name][0], seed=3)
    return random_tree(made) if name == "tree" else made


def random_tree(tree: Any, splits: int = 63, seed: int = 0) -> Any:
    """Fill a tree with random nodes: the children of n are 2n + 1 and 2n + 2."""
    rng, nodes = np.random.default_rng(seed), np.arange(2 * splits + 1)
    below, is_split = 2 * nodes[:, None] + [1, 2], nodes < splits
    features = rng.integers(int(np.prod(tree.observation_shape)), size=len(nodes))
    tree.set_state(
        {
            "feature": np.where(is_split, features, -1),
            "threshold": rng.random(len(nodes)),
            "below": np.where(is_split[:, None], below, -1),
            "logits": rng.normal(size=(len(nodes), tree.num_actions)),
        }
    )
    return tree


def shape_of(name: str) -> tuple[int, ...]:
    return PLANES if name == "exact" else CONFIGS[name][1]


def observations(name: str, count: int, *, agents: int | None = 1, seed: int = 0) -> Any:
    """Return (count, ...) random observations; planes with `agents` marked cells, None for many."""
    rng = np.random.default_rng(seed)
    shape = shape_of(name)
    if shape == IMAGE:
        return rng.integers(0, 256, size=(count, *shape), dtype=np.uint8)
    if shape != PLANES:
        return rng.random((count, *shape), dtype=np.float32)
    planes = (rng.random((count, *shape)) < [[[0.4]], [[0.2]], [[0.05]]]).astype(np.float32)
    if agents is not None:
        planes[:, 1] = 0.0
        cells = rng.integers(shape[1] * shape[2], size=(count, agents))
        np.put_along_axis(planes[:, 1].reshape(count, -1), cells, 1.0, axis=1)
    return planes
