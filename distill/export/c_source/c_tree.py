"""The C of a decision tree; NAME and INPUT stand as in `sources`."""

from __future__ import annotations

from ..common.float_tree import FloatTree
from .c_tables import table

TREE = """\
/* Of each node the number that it asks about, -1 for a leaf, and where to go on: if the number is
   no more than the threshold, or if it is more. A leaf tells its row of the logits. */
{tables}

/* The logits of all actions; always 0. */
static inline int NAME_logits(const INPUT *observation, float *logits) {{
    int node = 0;
    while (NAME_feature[node] >= 0)
        node = NAME_below[node][(float)observation[NAME_feature[node]] > NAME_threshold[node]];
    for (int a = 0; a < {actions}; a++) logits[a] = NAME_leaf[NAME_below[node][0]][a];
    return 0;
}}"""


def tree_body(tree: FloatTree) -> str:
    """The tables and functions of a decision tree."""
    tables = [
        table("feature", tree.feature),
        table("threshold", tree.threshold),
        table("below", tree.below),
        table("leaf", tree.logits),
    ]
    return TREE.format(tables="\n".join(tables), actions=tree.logits.shape[1])
