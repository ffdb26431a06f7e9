"""C source of a hardened value iteration network with ternary weights, written for size.

Its reward weights are signs, times one number that exceeds the steps of any path. So weights are
stored as two bits, and values are whole numbers of steps. In place of the wave front, sweeps over
all cells, until one changes nothing: less code, and a time that grows with the number of cells
times the length of the longest path.

The best action is the network's where a path without walls leads to a goal. Its values are then a
function of the number of steps, and other paths cost more by at least one weight; here this weight
is the number of cells, more than any path has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array

from ...core.maze_maps import ActionMaps, costs_of
from ..common import operations as ops
from .templates import table

MOST_CELLS = 2**23
"""Largest number of cells: values of float32 tell as many steps apart (see `hardened`)."""

LOGITS = """\
{signs}

/* The logits of all actions, whole numbers: minus the steps to a goal by each action, or less.
   Their best is the network's in every cell from which a path leads to a goal; -1, with
   nothing written, if no cell is marked as the agent's, otherwise 0. */
static inline int NAME_logits(const float *observation, float *logits) {{
    enum {{ ROWS = {rows}, COLS = {cols}, CELLS = ROWS * COLS, WIDE = COLS + 2,
           ALL = WIDE * (ROWS + 2), FIRST = WIDE + 1, LAST = ALL - FIRST }};
    static const {offset} ahead[4] = {{ -WIDE, 1, WIDE, -1 }};
    int planes[2 * ALL], rewards[ALL][4], value[ALL], agent = 0, changed;
    for (int at = 0; at < ALL; at++) {{
        const unsigned row = (unsigned)(at / WIDE - 1), col = (unsigned)(at % WIDE - 1);
        planes[at] = 1;
        planes[ALL + at] = 0;
        value[at] = -3 * CELLS; /* less than by any path without walls */
        if (row < ROWS && col < COLS) {{
            planes[at] = (int)observation[0];
            planes[ALL + at] = (int)observation[2 * CELLS];
            if (agent == 0 && observation[CELLS] > 0.5f) agent = at;
            observation++;
        }}
    }}
    if (agent == 0) return -1;
    for (int at = FIRST; at < LAST; at++)
        for (int m = 0; m < 4; m++) {{
            int sum = -1;
            for (int k = 0; k < 18; k++)
                sum += ((NAME_signs[k] >> 2 * m & 3) - 1) * CELLS
                     * planes[at + k / 9 * ALL + (k % 9 / 3 - 1) * WIDE + k % 3 - 1];
            rewards[at][m] = sum;
        }}
    do {{
        changed = 0;
        for (int at = FIRST; at < LAST; at++)
            for (int m = 0; m < 4; m++) {{
                int q = rewards[at][m] + value[at + ahead[m]];
                if (at == agent) logits[m] = (float)q;
                if (q > 0) q = 0; /* beside a goal: entering it and coming back gains */
                if (q > value[at]) {{
                    value[at] = q;
                    changed = 1;
                }}
            }}
    }} while (changed);
    return 0;
}}"""


def small_logits(operations: ops.Operations, shape: ops.Size) -> str:
    """Return the table of signs and the function of the logits.

    Args:
        operations: of the student.
        shape: (3, rows, cols) of an observation.

    Raises:
        ValueError: for another student than a hardened value iteration network with ternary
            weights, or a larger maze than it is hardened for.
    """
    network = operations[0]
    if len(operations) != 1 or not isinstance(network, ops.ValueIteration):
        raise ValueError("small=True for another student; expected a value iteration network")
    _, rows, cols = shape
    costs, cells = costs_of(ActionMaps(network.reward, network.moves, network.bias)), rows * cols
    weights = np.abs(network.reward[network.reward != 0])
    if (
        costs is None
        or network.crossing is None
        or np.ptp(network.bias) != 0
        or cells > MOST_CELLS
        or weights.min() <= cells * costs.step.max()
    ):
        raise ValueError(
            f"small=True for a student whose walls do not cost more than {cells:,} steps, the "
            f"cells of a maze of {rows}x{cols}; expected hardened(student)"
        )
    if np.ptp(weights) != 0:
        raise ValueError(
            "small=True for weights of several sizes; expected ternary ones of one scale: "
            'quantised(student, "ternary", "tensor")'
        )
    signs = table("signs", packed_signs(network.reward)).replace("const int", "const unsigned char")
    offset = "short" if cols + 2 < 2**15 else "int"
    return LOGITS.format(signs=signs, rows=rows, cols=cols, offset=offset)


def packed_signs(weights: Float32Array) -> npt.NDArray[np.uint8]:
    """Return the signs of (4, n) weights, plus 1, as two bits: (n,), row 0 in the lowest ones."""
    digits = (np.sign(weights) + 1).astype(np.uint8)
    places = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    packed: npt.NDArray[np.uint8] = (digits << places).sum(axis=0, dtype=np.uint8)
    return packed
