"""Decision tree: VIPER (Bastani, Pu and Solar-Lezama 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_count, checked_integer

from ..core.dataset import Dataset
from ..core.policy import LogitPolicy
from .shapes import check_size
from .table import checked_rows, flat_rows

LEAF = -1
"""Feature index of a leaf."""


class DecisionTree(LogitPolicy):
    """Decision tree that compares one component of the observation at each node.

    Suited to policies that a person shall read; it is grown, not trained by gradients.

    scikit-learn grows it on the teacher's best actions, each row weighted by its criticality: the
    best logit minus the worst (the paper's l(s, pi), equation 2), which is 0 where all actions are
    equally good. A grown tree runs without scikit-learn.

    Differences from the paper:

    1. Rows are weighted instead of resampled by their weights, which is equal in expectation.
    2. A leaf stores the mean logits of its rows, so that its action is the best for them together.

    The rounds of its algorithm 1 are `collect` with the tree as student, `join` and `fit`.

    Args:
        observation_shape: shape of a single observation; it is flattened.
        num_actions: number of actions.
        leaves: maximum number of leaves, at least 2.
        seed: seed of the choice among equally good splits.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self, observation_shape: Sequence[int], num_actions: int, leaves: int = 32, *, seed: int = 0
    ) -> None:
        self.observation_shape = tuple(int(n) for n in observation_shape)
        self.num_actions = checked_integer("num_actions", num_actions, 1)
        self.leaves = checked_count("leaves", leaves, 2)
        self.seed = checked_integer("seed", seed, 0)
        self.config = {
            "kind": "tree",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.num_actions,
            "leaves": self.leaves,
        }
        check_size(self.config)
        self._feature = np.array([LEAF])
        self._threshold = np.zeros(1)
        self._below = np.zeros((1, 2), dtype=np.int64)  # children: x <= threshold, x > threshold
        self._logits = np.zeros((1, self.num_actions))

    def fit(self, dataset: Dataset) -> DecisionTree:
        """Grow a new tree on a dataset.

        Raises:
            ValueError: for observations of another shape, or another number of actions.
            ImportError: without scikit-learn, naming the extra that installs it.
        """
        trees: Any = optional_import("sklearn.tree", purpose="a decision tree")
        observations, logits, weights = checked_rows(
            dataset, self.observation_shape, self.num_actions
        )
        # Equation 2: rows where the choice of action matters more have more weight.
        critical = weights * (logits.max(axis=1) - logits.min(axis=1))
        grown = trees.DecisionTreeClassifier(max_leaf_nodes=self.leaves, random_state=self.seed)
        grown.fit(
            observations,
            logits.argmax(axis=1),
            sample_weight=critical if critical.any() else None,
        )
        tree = grown.tree_
        is_leaf = tree.children_left < 0
        self._feature = np.where(is_leaf, LEAF, tree.feature)
        self._threshold = np.where(is_leaf, 0.0, tree.threshold)
        self._below = np.stack([tree.children_left, tree.children_right], axis=1)
        leaf = self._leaf_of(observations)
        counts = weights if weights.any() else np.ones(len(weights))
        totals = np.bincount(leaf, counts, len(is_leaf))
        sums = [np.bincount(leaf, counts * column, len(is_leaf)) for column in logits.T]
        self._logits = np.stack(sums, axis=1) / np.maximum(totals, 1e-300)[:, None]
        return self

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (batch, actions) mean logits of the leaf of each observation.

        Raises:
            ValueError: for observations of another shape.
        """
        return self._logits[self._leaf_of(flat_rows(observations, self.observation_shape))]

    @property
    def num_leaves(self) -> int:
        """Number of leaves."""
        return int((self._feature == LEAF).sum())

    @property
    def num_parameters(self) -> int:
        """Number of features and thresholds of the splits, and of logits of the leaves."""
        splits = len(self._feature) - self.num_leaves
        return 2 * splits + self.num_leaves * self.num_actions

    @property
    def depth(self) -> int:
        """Maximum number of comparisons for one decision."""
        depths = np.zeros(len(self._feature), dtype=np.int64)
        for node in np.flatnonzero(self._feature != LEAF):  # parents come before their children
            depths[self._below[node]] = depths[node] + 1
        return int(depths.max())

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return 0: it only compares, at most `depth` times."""
        return 0

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the nodes, for a file."""
        return {
            "feature": self._feature.copy(),
            "threshold": self._threshold.copy(),
            "below": self._below.copy(),
            "logits": self._logits.copy(),
        }

    def set_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError: for nodes that are not a tree for such observations and actions.
        """
        feature = np.array(state["feature"], dtype=np.int64)
        threshold = np.array(state["threshold"], dtype=np.float64)
        below = np.array(state["below"], dtype=np.int64)
        logits = np.array(state["logits"], dtype=np.float64)
        count = len(feature)
        shapes = (feature.shape, threshold.shape, below.shape, logits.shape)
        is_split = feature != LEAF
        # Children come after their parents, so that every path ends.
        onwards = (
            below[is_split] > np.flatnonzero(is_split)[:, None]
            if shapes[2] == (count, 2)
            else is_split
        )
        if (
            shapes != ((count,), (count,), (count, 2), (count, self.num_actions))
            or not count
            or not onwards.all()
            or (below[is_split] >= count).any()
            or (feature[is_split] < 0).any()
            or (feature >= prod(self.observation_shape)).any()
        ):
            raise ValueError(
                f"nodes of shapes {shapes} that are not a tree for observations of shape "
                f"{self.observation_shape} and {self.num_actions} actions"
            )
        self._feature, self._threshold, self._below, self._logits = (
            feature,
            threshold,
            below,
            logits,
        )

    def _leaf_of(self, rows: FloatArray) -> npt.NDArray[np.int64]:
        """Return the (batch,) leaf of each row."""
        # scikit-learn compares in float32.
        values = rows.astype(np.float32)
        node = np.zeros(len(rows), dtype=np.int64)
        active = np.arange(len(rows))
        while True:
            active = active[self._feature[node[active]] != LEAF]
            if not active.size:
                return node
            at = node[active]
            more = values[active, self._feature[at]] > self._threshold[at]
            node[active] = self._below[at, more.astype(np.int64)]
