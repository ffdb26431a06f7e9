"""C code of continuous actions; NAME and INPUT as in `sources`."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ...core.distributions import Bounds
from ...core.gaussian_actions import LOG_STD
from ..common.float32 import float32_bounds
from .sources import literal

ABOUT = "/* Bounds: {document} */"
"""Comment of a header with the bounds of its actions."""

ENDING = """\
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


def gaussian_body(body: str, bounds: Bounds, *, takes: str, gives: str) -> str:
    """Return functions of continuous actions, around those of the inner student.

    Args:
        body: C code of the inner student.
        bounds: bounds of the actions; they map its outputs to actions.
        takes: C declarations of further parameters of its function, after the observation.
        gives: the same parameters as arguments of a call.

    Raises:
        ValueError: for bounds of squashed actions that float32 does not hold.
    """
    outputs = body.replace("The logits of all actions", "The outputs of the network")
    ask, may_fail = f"NAME_outputs(observation{gives}, outputs)", "return -1;" in body
    return ENDING.format(
        dimensions=bounds.dimensions,
        about=ABOUT.format(document=json.dumps(bounds.to_json())),
        body=outputs.replace("logits", "outputs"),
        takes=takes,
        ask=f"if ({ask} < 0) return -1;" if may_fail else f"{ask};",
        says=FAILS if may_fail else "; always 0",
        smallest=LOG_STD[0],
        largest=LOG_STD[1],
        least=literal(LOG_STD[0]),
        most=literal(LOG_STD[1]),
        way="squashed and scaled" if bounds.squashed else "clipped",
        tables="\n".join(_table(name, side) for name, side in float32_bounds(bounds).items()),
        sample="middle[d] + half_range[d] * tanhf(outputs[d])" if bounds.squashed else "outputs[d]",
    )


def bounds_in(header: str) -> Bounds | None:
    """Return the bounds of a header of continuous actions; None for Discrete ones.

    Raises:
        ValueError: for invalid bounds.
    """
    found = re.search(re.escape(ABOUT).replace(r"\{document\}", r"(\{.*\})"), header)
    return None if found is None else Bounds.from_json(json.loads(found[1]))


def _table(name: str, numbers: Any) -> str:
    return (
        f"    static const float {name}[NAME_DIMENSIONS] = "
        f"{{ {', '.join(_bound(each) for each in numbers)} }};"
    )


def _bound(value: float) -> str:
    if np.isfinite(value):
        return literal(value)
    return "INFINITY" if value > 0 else "-INFINITY"
