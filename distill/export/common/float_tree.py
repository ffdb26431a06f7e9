"""A decision tree in float32, that decides as the tree does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...students.tree import LEAF, Tree


class FloatTree(NamedTuple):
    """The nodes of a tree; the first is where the questions begin."""

    feature: npt.NDArray[np.int64]  # (nodes,) the number that is asked about, `LEAF` for none
    threshold: npt.NDArray[np.float32]  # (nodes,)
    below: npt.NDArray[np.int64]  # (nodes, 2) no more than the threshold, or more; of leaves (n, n)
    logits: npt.NDArray[np.float32]  # (leaves, actions), of the n-th leaf

    @classmethod
    def of(cls, tree: Tree) -> FloatTree:
        """All of a tree.

        A float32 is more than a threshold where it is more than the largest float32 that is no
        more than it, so that nothing is lost. Where rounding makes logits equal, the best is set
        one step above.
        """
        state = tree.get_state()
        feature, below, exact = state["feature"], state["below"], state["threshold"]
        with np.errstate(over="ignore"):
            threshold = exact.astype(np.float32)
        above = threshold.astype(np.float64) > exact
        threshold = np.where(above, np.nextafter(threshold, np.float32(-np.inf)), threshold)
        leaves = np.flatnonzero(feature == LEAF)
        below[leaves] = np.arange(len(leaves))[:, None]
        wanted = state["logits"][leaves]
        logits, rows = wanted.astype(np.float32), np.arange(len(leaves))
        best = wanted.argmax(axis=1)
        tied = logits.argmax(axis=1) != best
        raised = np.nextafter(logits[rows, best], np.float32(np.inf))
        logits[rows, best] = np.where(tied, raised, logits[rows, best])
        return cls(feature, threshold, below, logits)
