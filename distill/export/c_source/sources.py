"""C templates of exported students, and numbers as C literals.

In the templates NAME stands for the prefix of names and INPUT for the type of an observation.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.float32 import FloatTree

HEADER = """\
/* A distilled student, written by DynaMaze: {inputs} numbers ({shape}) in, {out}
   out. It has no allocation and no state. C99; compile with -O3 -march=native -lm. */
#ifndef {guard}
#define {guard}

#include <math.h>

#define NAME_SIZE {inputs}
{body}

#endif
"""

DISCRETE = """\
#define NAME_ACTIONS {actions}

{body}

/* The best action, the first of equal ones. */
static inline int NAME_act(const INPUT *observation{takes}) {{
    float logits[{actions}];
    int best = 0;
    if (NAME_logits(observation{gives}, logits) < 0) return -1;
    for (int action = 1; action < {actions}; action++)
        if (logits[action] > logits[best]) best = action;
    return best;
}}"""

LAYERS = """\
{tables}

/* The logits of all actions; always 0. */
static inline int NAME_logits(const INPUT *observation, float *logits) {{
{steps}    return 0;
}}"""

LAYER = """\
{declare}    {{
        float sum[2][{outputs}] = {{{{0}}}}; /* two sums, whose additions overlap */
        int i = 0;
        for (; i + 1 < {inputs}; i += 2) {{
            const float even = (float){source}[i], odd = (float){source}[i + 1];
            for (int o = 0; o < {outputs}; o++) {{
                sum[0][o] += even * NAME_weight_{number}[i][o];
                sum[1][o] += odd * NAME_weight_{number}[i + 1][o];
            }}
        }}
        for (; i < {inputs}; i++)
            for (int o = 0; o < {outputs}; o++)
                sum[0][o] += (float){source}[i] * NAME_weight_{number}[i][o];
        for (int o = 0; o < {outputs}; o++)
            {into}[o] = {squash}((sum[0][o] + sum[1][o]){times} + NAME_bias_{number}[o]);
    }}
"""

GRU = """\
#define NAME_MEMORY {width}

{tables}

/* The logits of all actions; always 0. The state, NAME_MEMORY numbers, is the caller's:
   zeros when an episode begins, updated at each step. */
static inline int NAME_logits(const INPUT *observation, float *memory, float *logits) {{
    enum {{ WIDTH = {width}, GATES = 3 * WIDTH }}; /* reset, update and new */
    float seen[GATES] = {{0}}, known[GATES];
    for (int i = 0; i < {inputs}; i++)
        for (int g = 0; g < GATES; g++) seen[g] += (float)observation[i] * NAME_inwards[i][g];
    for (int g = 0; g < GATES; g++) {{
        seen[g] = seen[g]{times} + NAME_inwards_bias[g];
        known[g] = NAME_backwards_bias[g];
    }}
    for (int i = 0; i < WIDTH; i++)
        for (int g = 0; g < GATES; g++) known[g] += memory[i] * NAME_backwards[i][g];
    for (int i = 0; i < WIDTH; i++) {{
        const float reset = 1.0f / (1.0f + expf(-(seen[i] + known[i])));
        const float update = 1.0f / (1.0f + expf(-(seen[WIDTH + i] + known[WIDTH + i])));
        const float fresh = tanhf(seen[2 * WIDTH + i] + reset * known[2 * WIDTH + i]);
        memory[i] = (1.0f - update) * fresh + update * memory[i];
    }}
    for (int a = 0; a < {actions}; a++) logits[a] = NAME_outwards_bias[a];
    for (int i = 0; i < WIDTH; i++)
        for (int a = 0; a < {actions}; a++) logits[a] += memory[i] * NAME_outwards[i][a];
    return 0;
}}"""

VALUE_ITERATION = """\
{tables}

/* The logits of all actions at the first cell marked as the agent's; -1 if none is, otherwise 0.
   Maps lie row after row with a border of one cell, of walls and of the values beside it. */
static inline int NAME_logits(const INPUT *observation, float *logits) {{
    enum {{ ROWS = {rows}, COLS = {cols}, WIDE = COLS + 2, ALL = WIDE * (ROWS + 2),
           MAPS = {actions}, FIRST = WIDE + 1, LAST = WIDE * (ROWS + 1) - 1 }};
    static const int beside[9] = {{ -WIDE - 1, -WIDE, -WIDE + 1, -1, 0, 1,
                                   WIDE - 1, WIDE, WIDE + 1 }};
    float walls[ALL], goals[ALL], value[ALL] = {{0}}, best[ALL], rewards[MAPS][ALL];
    int agent = -1;
    for (int at = 0; at < ALL; at++) {{ walls[at] = 1.0f; goals[at] = 0.0f; }}
    for (int row = 0; row < ROWS; row++)
        for (int col = 0; col < COLS; col++) {{
            const int at = (row + 1) * WIDE + col + 1, from = row * COLS + col;
            walls[at] = (float)observation[from];
            goals[at] = (float)observation[2 * ROWS * COLS + from];
            if (agent < 0 && (float)observation[ROWS * COLS + from] > 0.5f) agent = at;
        }}
    if (agent < 0) return -1;
    for (int m = 0; m < MAPS; m++)
        for (int at = FIRST; at < LAST; at++) {{
            float sum = NAME_bias[m];
            for (int k = 0; k < 9; k++)
                sum += NAME_reward[m][k] * walls[at + beside[k]]
                     + NAME_reward[m][9 + k] * goals[at + beside[k]];
            rewards[m][at] = sum;
        }}
    for (int k = 1; k < {iterations}; k++) {{
        int changed = 0;
        for (int m = 0; m < MAPS; m++) {{
            const float *p = NAME_moves[m];
            for (int at = FIRST; at < LAST; at++) {{
                const float q = rewards[m][at]
                    + (p[0] * value[at - WIDE - 1] + p[1] * value[at - WIDE]
                       + p[2] * value[at - WIDE + 1] + p[3] * value[at - 1] + p[4] * value[at]
                       + p[5] * value[at + 1] + p[6] * value[at + WIDE - 1]
                       + p[7] * value[at + WIDE] + p[8] * value[at + WIDE + 1]);
                best[at] = m == 0 || q > best[at] ? q : best[at];
            }}
        }}
        for (int row = 1; row <= ROWS; row++)
            for (int at = row * WIDE + 1; at <= row * WIDE + COLS; at++) {{
                const float now = best[at] < {top} ? best[at] : {top};
                changed |= now != value[at];
                value[at] = now;
            }}
        for (int row = 1; row <= ROWS; row++) {{
            value[row * WIDE] = value[row * WIDE + 1];
            value[row * WIDE + COLS + 1] = value[row * WIDE + COLS];
        }}
        for (int col = 0; col < WIDE; col++) {{
            value[col] = value[WIDE + col];
            value[(ROWS + 1) * WIDE + col] = value[ROWS * WIDE + col];
        }}
        if (!changed) break; /* no later iteration would change a value */
    }}
    for (int m = 0; m < MAPS; m++) {{
        float q = rewards[m][agent];
        for (int k = 0; k < 9; k++) q += NAME_moves[m][k] * value[agent + beside[k]];
        logits[m] = {sharpness} * q;
    }}
    return 0;
}}"""

SHIM = """\
#include "{header}"

void rows_of(const INPUT *observations, long batch, float *memory, float *rows) {{
    (void)memory;
    for (long i = 0; i < batch; i++)
        NAME_{function}(observations + i * NAME_SIZE{of_row}, {outputs});
}}

long act_on(const INPUT *observations, long batch, float *memory, float *actions) {{
    long sum = 0;
    (void)memory;
    (void)actions;
    for (long i = 0; i < batch; i++)
        sum += NAME_act(observations + i * NAME_SIZE{of_row}{action});
    return sum;
}}
"""

SHIM_DISCRETE = {"function": "logits", "outputs": "rows + i * NAME_ACTIONS", "action": ""}
SHIM_GAUSSIAN = {
    "function": "gaussian",
    "outputs": "rows + 2 * i * NAME_DIMENSIONS, rows + (2 * i + 1) * NAME_DIMENSIONS",
    "action": ", actions + i * NAME_DIMENSIONS",
}
"""Functions that `SHIM` calls, and their output arguments."""

MAX_BRIGHTNESS = 255
NUMBERS_PER_LINE = 8


def table(name: str, numbers: npt.NDArray[Any]) -> str:
    """Return a constant array of one or two dimensions: int for integers, otherwise float.

    Args:
        name: suffix of its name in C, after `NAME_`.
        numbers: at least one; floats are written as exact float32.

    Raises:
        ValueError: for a number that is not finite.
    """
    whole = numbers.dtype.kind in "iu"
    as_text = str if whole else literal
    sides = "".join(f"[{n}]" for n in numbers.shape)
    flat = [as_text(each) for each in numbers.ravel()]
    starts = range(0, len(flat), NUMBERS_PER_LINE)
    lines = ",\n".join("    " + ", ".join(flat[at : at + NUMBERS_PER_LINE]) for at in starts)
    if numbers.ndim == 2:
        rows = [[as_text(each) for each in row] for row in numbers]
        lines = ",\n".join("    {" + ", ".join(row) + "}" for row in rows)
    return f"static const {'int' if whole else 'float'} NAME_{name}{sides} = {{\n{lines}\n}};"


def literal(value: Any) -> str:
    """Return the shortest text that C reads as this float32.

    Raises:
        ValueError: if it is not finite.
    """
    if not np.isfinite(value):
        raise ValueError(f"a weight of {value}; expected finite ones")
    return f"{np.float32(value)!s}f"


def scaled(brightest: int) -> str:
    """Return the C operation that divides a number by `brightest`, so that images are in [0, 1]."""
    return "" if brightest == 1 else f" / {brightest}.0f"


TREE = """\
/* For each node its feature, -1 for a leaf, its threshold and its children: for a number up to the
   threshold, and above it. A leaf's child is its row of the logits. */
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
    """Return the tables and functions of a decision tree."""
    tables = [
        table("feature", tree.feature),
        table("threshold", tree.threshold),
        table("below", tree.below),
        table("leaf", tree.logits),
    ]
    return TREE.format(tables="\n".join(tables), actions=tree.logits.shape[1])
