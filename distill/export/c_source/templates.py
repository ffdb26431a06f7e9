"""C templates of exported students, and numbers as C literals.

In the templates NAME stands for the prefix of names and INPUT for the type of an observation.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.operations import ABOVE, BELOW, FARTHEST

ABOUT = "/* Bounds: {document} */"
"""Comment of a header with the bounds of its actions."""

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

FUNCTION = """\
{defines}{tables}

{helpers}/* The {word} of all actions{says}{says_more}. */
static inline int NAME_{word}(const INPUT *observation{takes}, float *{word}) {{
{steps}    return 0;
}}"""

SAYS_ALWAYS = "; always 0"
SAYS_PLANES = """ at the first cell marked as the agent's; -1 if none is, otherwise 0.
   Work arrays have a border of one cell, or only the receptive field of that cell"""
SAYS_MEMORY = """. The state, NAME_MEMORY numbers, is the caller's:
   zeros when an episode begins, updated at each step"""

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

CONTINUOUS = """\
#define NAME_DIMENSIONS {dimensions}

{about}

{body}

/* The means of an action's components, and the logarithms of their standard deviations, in
   [{smallest}, {largest}]{says}. */
static inline int NAME_gaussian(const INPUT *observation{takes}, float *means,
                                float *log_deviations) {{
    float outputs[2 * NAME_DIMENSIONS];
    {ask}
    for (int d = 0; d < NAME_DIMENSIONS; d++) {{
        const float any = outputs[NAME_DIMENSIONS + d];
        means[d] = outputs[d];
        log_deviations[d] = any < {least} ? {least} : any > {most} ? {most} : any;
    }}
    return 0;
}}

/* The action of the means, NAME_DIMENSIONS numbers {way} to the bounds{says}. */
static inline int NAME_act(const INPUT *observation{takes}, float *action) {{
{tables}
    float outputs[2 * NAME_DIMENSIONS];
    {ask}
    for (int d = 0; d < NAME_DIMENSIONS; d++) {{
        const float sample = {sample};
        action[d] = sample < low[d] ? low[d] : sample > high[d] ? high[d] : sample;
    }}
    return 0;
}}"""

FAILS = """;
   -1, with nothing written, if no cell is marked as the agent's, otherwise 0"""

LAYER = """\
{declare}    {{
        float sum[2][{outputs}] = {{{{0}}}}; /* two sums, whose additions overlap */
        int i = 0;
        for (; i + 1 < {run}; i += 2) {{
            const float even = (float){array}[i], odd = (float){array}[i + 1];
            for (int o = 0; o < {outputs}; o++) {{
                sum[0][o] += even * NAME_weight_{number}[i][o];
                sum[1][o] += odd * NAME_weight_{number}[i + 1][o];
            }}
        }}
        for (; i < {run}; i++)
            for (int o = 0; o < {outputs}; o++)
                sum[0][o] += (float){array}[i] * NAME_weight_{number}[i][o];
        for (int o = 0; o < {outputs}; o++)
            {into}[o] = {squash}((sum[0][o] + sum[1][o]){times} + NAME_bias_{number}[o]);
    }}
"""

READ = """\
{declare}    for (int a = 0; a < {outputs}; a++) {into}[a] = NAME_bias_{number}[a];
{each_row}    for (int i = 0; i < {run}; i++)
        for (int a = 0; a < {outputs}; a++)
            {into}[a] += {array}[{at}] * NAME_weight_{number}[{place}][a];
"""
"""As `LAYER`, from a state or from runs of numbers in a map."""

SQUASH = """\
    for (int a = 0; a < {outputs}; a++) {into}[a] = tanhf({into}[a]);
"""

COPY = """\
{declare}{each_row}    for (int i = 0; i < {run}; i++) {into}[{place}] = {array}[{at}];
"""

GRU = """\
    enum {{ WIDTH = {width}, GATES = 3 * WIDTH }}; /* reset, update and new */
    float seen[GATES] = {{0}}, known[GATES];
    for (int i = 0; i < {run}; i++)
        for (int g = 0; g < GATES; g++) seen[g] += (float){array}[i] * NAME_inwards[i][g];
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
"""

TREE = """\
    /* For each node its feature, -1 for a leaf, its threshold and its children: for a number up to
       the threshold, and above it. A leaf's child is its row of the logits. */
{declare}    int node = 0;
    while (NAME_feature[node] >= 0)
        node = NAME_below[node][(float)observation[NAME_feature[node]] > NAME_threshold[node]];
    for (int a = 0; a < {outputs}; a++) {into}[a] = NAME_leaf[NAME_below[node][0]][a];
"""

BACKUP = """\
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
"""
"""One backup of all values: (actions, cells) rewards, and transition probabilities."""

WIDEN = """\
        for (int row = 1; row <= ROWS; row++) {{
            value[row * WIDE] = value[row * WIDE + 1];
            value[row * WIDE + COLS + 1] = value[row * WIDE + COLS];
        }}
        for (int col = 0; col < WIDE; col++) {{
            value[col] = value[WIDE + col];
            value[(ROWS + 1) * WIDE + col] = value[ROWS * WIDE + col];
        }}
"""
"""Values of the border: those of the nearest cell."""

CELL_LOGITS = """\
    for (int m = 0; m < MAPS; m++) {{
        float q = rewards[m][agent];
        for (int k = 0; k < 9; k++) q += NAME_moves[m][k] * value[agent + beside[k]];
        {into}[m] = {sharpness} * q;
    }}
"""
"""The last backup, of the agent's cell alone."""

VALUE_ITERATION = (
    """\
{declare}    enum {{ ROWS = {rows}, COLS = {cols}, WIDE = COLS + 2, ALL = WIDE * (ROWS + 2),
           MAPS = {outputs}, FIRST = WIDE + 1, LAST = WIDE * (ROWS + 1) - 1 }};
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
"""
    + BACKUP
    + """\
        for (int row = 1; row <= ROWS; row++)
            for (int at = row * WIDE + 1; at <= row * WIDE + COLS; at++) {{
                const float now = best[at] < {top} ? best[at] : {top};
                changed |= now != value[at];
                value[at] = now;
            }}
"""
    + WIDEN
    + """\
        if (!changed) break; /* no later iteration would change a value */
    }}
"""
    + CELL_LOGITS
)

VALUE_WAVE = """\
{declare}    enum {{ ROWS = {rows}, COLS = {cols}, WIDE = COLS + 2, ALL = WIDE * (ROWS + 2),
           MAPS = {outputs} }};
    static const int ahead[MAPS] = {{ -WIDE, 1, WIDE, -1 }};
    float walls[ALL], goals[ALL], value[ALL], rewards[ALL][MAPS];
    int queue[ALL], later[ALL], head = 0, count = 0, num_later = 0, agent = -1;
    unsigned char waiting[ALL] = {{0}}; /* 1 in the queue, 2 in later */
    for (int at = 0; at < ALL; at++) {{
        walls[at] = 1.0f;
        goals[at] = 0.0f;
        value[at] = INFINITY; /* of the border: it stays as it is */
    }}
    for (int row = 0; row < ROWS; row++)
        for (int col = 0; col < COLS; col++) {{
            const int at = (row + 1) * WIDE + col + 1, from = row * COLS + col;
            walls[at] = (float)observation[from];
            goals[at] = (float)observation[2 * ROWS * COLS + from];
            value[at] = -INFINITY;
            if (agent < 0 && (float)observation[ROWS * COLS + from] > 0.5f) agent = at;
        }}
    if (agent < 0) return -1;
    for (int row = 1; row <= ROWS; row++)
        for (int at = row * WIDE + 1; at <= row * WIDE + COLS; at++) {{
{rewards}        }}
    for (int goal = WIDE + 1; goal < WIDE * (ROWS + 1); goal++)
        for (int m = 0; goals[goal] > 0.0f && m < MAPS; m++) {{
            /* Where entering a goal and coming back gains, the value is the largest. */
            const int at = goal - ahead[m], back = (m + 2) % MAPS;
            if (value[at] < {top} && rewards[at][m] + rewards[goal][back] > 0.0f) {{
                value[at] = {top};
                waiting[at] = 1;
                queue[count++] = at;
            }}
        }}
    for (int at = 0; count == 0 && at < ALL; at++)
        value[at] = 0.0f; /* no goal can be entered and left */
    while (count > 0) {{
        const int at = queue[head];
        head = head + 1 < ALL ? head + 1 : 0;
        count--;
        waiting[at] &= 2;
        for (int m = 0; m < MAPS; m++) {{
            const int before = at - ahead[m]; /* from where the move leads here */
            if (value[before] >= {top}) continue;
            const float reward = rewards[before][m], sum = reward + value[at];
            const float now = sum < {top} ? sum : {top};
            if (now <= value[before]) continue;
            value[before] = now;
            if (reward > {crossing}) {{
                if (waiting[before] & 1) continue;
                waiting[before] |= 1;
                queue[head + count < ALL ? head + count : head + count - ALL] = before;
                count++;
            }} else if (waiting[before] == 0) {{
                waiting[before] = 2;
                later[num_later++] = before;
            }}
        }}
        if (count > 0) continue;
        /* Moves into or out of walls have waited until no other changes a value. */
        for (head = 0; count < num_later; count++) {{
            queue[count] = later[count];
            waiting[later[count]] = 1;
        }}
        num_later = 0;
    }}
    for (int m = 0; m < MAPS; m++) {{
        const float there = value[agent + ahead[m]];
        {into}[m] = {sharpness} * (rewards[agent][m] + (there < INFINITY ? there : value[agent]));
    }}
"""
"""As `VALUE_ITERATION`, for a network that `spreads_from_goals`: `spread_values`, in C."""

TANH = """\
/* tanh to within 4e-7, as a rational function, which can be vectorised. */
static inline float NAME_tanh(float x) {{
    const float in = x < -{farthest} ? -{farthest} : x > {farthest} ? {farthest} : x, y = in * in;
    return in * ({above})
           / ({below});
}}"""

MAP = """\
    enum {{ ROWS = {rows}, COLS = {cols} }};
{find}    float units_0[{size}] = {{0}};
    for ({each_row})
        for ({each_col})
            for (int i = 0; i < {inputs}; i++)
                units_0[{into} + i] = (float)observation[{at}]{times};
"""

FIND = """\
    int agent = 0;
    while (agent < ROWS * COLS && !((float)observation[ROWS * COLS + agent] > 0.5f)) agent++;
    if (agent == ROWS * COLS) return -1;
    const int agent_row = agent / COLS, agent_col = agent % COLS;
"""

CELL = """\
/* Convolution {number} at one cell, from 3x3 cells. */
static inline void NAME_cell_{number}(const float *seen, float *units) {{
    float sum[3][{outputs}] = {{{{0}}}}; /* three sums, whose additions overlap */
    for (int i = 0; i < {run}; i++) {{
        const float a = seen[i], b = seen[{wide} + i], c = seen[2 * {wide} + i];
        for (int o = 0; o < {outputs}; o++) {{
            sum[0][o] += a * NAME_weight_{number}[i][o];
            sum[1][o] += b * NAME_weight_{number}[{run} + i][o];
            sum[2][o] += c * NAME_weight_{number}[2 * {run} + i][o];
        }}
    }}
    for (int o = 0; o < {outputs}; o++)
        units[o] = {tanh}(sum[0][o] + sum[1][o] + sum[2][o] + NAME_bias_{number}[o]);
}}"""

STEP = """\
    float units_{number}[{size}] = {{0}};
    for ({each_row})
        for ({each_col})
            NAME_cell_{number}(units_{before} + {source},
                units_{number} + {into});
"""

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


def bounds_table(name: str, numbers: npt.NDArray[Any]) -> str:
    """Return a constant array of bounds, which may be infinite."""
    texts = (
        literal(each) if np.isfinite(each) else "INFINITY" if each > 0 else "-INFINITY"
        for each in numbers
    )
    return f"    static const float {name}[NAME_DIMENSIONS] = {{ {', '.join(texts)} }};"


def reward_sum(bias: Any, weights: npt.NDArray[Any]) -> str:
    """Return the reward of a move, without the weights that are 0.

    Args:
        bias: of the move.
        weights: (2, 9) of the walls and goals in a 3x3.
    """
    text = literal(bias)
    for k, pair in enumerate(weights.T):
        there = ("- WIDE ", "", "+ WIDE ")[k // 3] + ("- 1", "", "+ 1")[k % 3]
        products = (
            f"{literal(weight)} * {plane}[{f'at {there}'.strip()}]"
            for plane, weight in zip(("walls", "goals"), pair, strict=True)
            if weight
        )
        if text_of_cell := " + ".join(products):
            text += f"\n                + ({text_of_cell})"
    return text


def tanh_function() -> str:
    """Return the function of the rational approximation of tanh."""
    return TANH.format(
        farthest=literal(FARTHEST), above=_polynomial(ABOVE), below=_polynomial(BELOW)
    )


def _polynomial(coefficients: npt.NDArray[np.float32]) -> str:
    """Return a polynomial in y (Horner's scheme), from the coefficient of the highest power on."""
    text, *others = (literal(each) for each in coefficients)
    for each in others:
        text = f"({text}) * y + {each}"
    return text
