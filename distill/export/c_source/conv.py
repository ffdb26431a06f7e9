"""C code of a convolution; NAME and INPUT as in `sources`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compiled.conv import CompiledConvolution
from ..compiled.conv_kernels import ABOVE, BELOW, FARTHEST
from .sources import literal, scaled, table

CONV = """\
{tables}

/* tanh to within 4e-7, as a rational function, which can be vectorised. */
static inline float NAME_tanh(float x) {{
    const float in = x < -{farthest} ? -{farthest} : x > {farthest} ? {farthest} : x, y = in * in;
    return in * ({above})
           / ({below});
}}

{cells}

/* The logits of all actions{says}.
   Units lie row after row, the channels of a cell side by side. */
static inline int NAME_logits(const INPUT *observation, float *logits) {{
    enum {{ ROWS = {rows}, COLS = {cols} }};
{find}    float units_0[{size}] = {{0}};
    for ({each_row})
        for ({each_col})
            for (int i = 0; i < {inputs}; i++)
                units_0[{into} + i] = (float)observation[{at}]{times};
{steps}    for (int a = 0; a < {actions}; a++) logits[a] = NAME_last_bias[a];
    for (int row = 0; row < {rows_read}; row++)
        for (int i = 0; i < {run}; i++)
            for (int a = 0; a < {actions}; a++)
                logits[a] += units_{last}[row * {wide} + {first} + i]
                             * NAME_last[row * {run} + i][a];
    return 0;
}}"""

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
        units[o] = NAME_tanh(sum[0][o] + sum[1][o] + sum[2][o] + NAME_bias_{number}[o]);
}}"""

STEP = """\
    float units_{number}[{size}] = {{0}};
    for ({each_row})
        for ({each_col})
            NAME_cell_{number}(units_{before} + {source},
                units_{number} + {into});
"""

FIND = """\
    int agent = 0;
    while (agent < ROWS * COLS && !((float)observation[ROWS * COLS + agent] > 0.5f)) agent++;
    if (agent == ROWS * COLS) return -1;
    const int agent_row = agent / COLS, agent_col = agent % COLS;
"""

SAYS = """ at the first cell marked as the agent's; -1 if none is, otherwise 0.
   Only the receptive field of that cell is computed"""


class _Map(NamedTuple):
    """C expressions for the cells of one layer; (row, col) is a cell of the maze or image."""

    high: int  # rows of the map, with its border
    wide: int  # columns of the map, with its border
    each_row: str  # header of the loop over cells
    each_col: str
    into: tuple[str, str]  # row and column of a cell in this map
    source: tuple[str, str]  # in the previous map, of the first of its nine inputs


def conv_body(policy: CompiledConvolution, shape: tuple[int, ...], brightest: int) -> str:
    """Return the tables and functions of a convolution, for observations of one shape."""
    last, sizes = len(policy.layers), policy.sizes(shape)
    maps = [
        _around(last - n) if policy.per_cell else _whole(*sizes[n][:2]) for n in range(last + 1)
    ]
    tables, cells, steps = [], [], []
    for number, (weight, bias) in enumerate(policy.layers, 1):
        before, here, inputs, channels = maps[number - 1], maps[number], *weight.shape[1::-1]
        by_input = weight.transpose(2, 3, 1, 0).reshape(-1, channels)
        tables += [table(f"weight_{number}", by_input), table(f"bias_{number}", bias)]
        about = {"number": number, "run": 3 * inputs, "outputs": channels}
        cells.append(CELL.format(**about, wide=before.wide * inputs))
        steps.append(
            STEP.format(
                **about,
                before=number - 1,
                size=here.high * here.wide * channels,
                each_row=here.each_row,
                each_col=here.each_col,
                source=_offset(here.source, before.wide, inputs),
                into=_offset(here.into, here.wide, channels),
            )
        )
    seen, read, (rows, cols, inputs), channels = maps[0], maps[-1], sizes[0], sizes[-1][2]
    rows_read, cols_read = policy.read
    by_unit = policy.weights.last.reshape(policy.num_actions, -1).T
    tables += [table("last", by_unit), table("last_bias", policy.last[1])]
    down, right, deeper = policy.steps(shape)
    return CONV.format(
        tables="\n".join(tables),
        cells="\n\n".join(cells),
        farthest=literal(FARTHEST),
        above=_polynomial(ABOVE),
        below=_polynomial(BELOW),
        says=SAYS if policy.per_cell else "; always 0",
        find=FIND if policy.per_cell else "",
        rows=rows,
        cols=cols,
        inputs=inputs,
        size=seen.high * seen.wide * inputs,
        each_row=seen.each_row,
        each_col=seen.each_col,
        into=_offset(seen.into, seen.wide, inputs),
        at=f"row * {down} + col * {right} + i * {deeper}",
        times="" if policy.per_cell else scaled(brightest),
        steps="".join(steps),
        actions=policy.num_actions,
        last=last,
        rows_read=rows_read,
        run=cols_read * channels,
        wide=read.wide * channels,
        first=0 if policy.per_cell else (read.wide + 1) * channels,
    )


def _around(reach: int) -> _Map:
    """Return the map of the agent's cell and of the cells up to `reach` away in each direction."""
    row, col = (
        f"int {way} = agent_{way} > {reach} ? agent_{way} - {reach} : 0; "
        f"{way} < {sides} && {way} <= agent_{way} + {reach}; {way}++"
        for way, sides in (("row", "ROWS"), ("col", "COLS"))
    )
    place = f"row - agent_row + {reach}", f"col - agent_col + {reach}"
    return _Map(2 * reach + 1, 2 * reach + 1, row, col, place, place)


def _whole(rows: int, cols: int) -> _Map:
    """Return the map of all cells, with a border of one, for a convolution of stride 2."""
    row, col = (
        f"int {way} = 0; {way} < {side}; {way}++" for way, side in (("row", rows), ("col", cols))
    )
    return _Map(rows + 2, cols + 2, row, col, ("row + 1", "col + 1"), ("2 * row", "2 * col"))


def _polynomial(coefficients: npt.NDArray[np.float32]) -> str:
    """Return a polynomial in y (Horner's scheme), from the coefficient of the highest power on."""
    text, *others = (literal(each) for each in coefficients)
    for each in others:
        text = f"({text}) * y + {each}"
    return text


def _offset(place: tuple[str, str], wide: int, channels: int) -> str:
    row, col = place
    return f"(({row}) * {wide} + {col}) * {channels}"
