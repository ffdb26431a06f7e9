"""C templates of a student that plans on its own map; see `templates`."""

from .templates import BACKUP, CELL_LOGITS, WIDEN

SAYS_CELLS = "; -1, with nothing changed, if the maze has no such cell, otherwise 0"

SAYS_MAP = """.
   An observation is the cell, row * NAME_COLS + col, the last action and the last reward.
   The map, NAME_MEMORY numbers, is the caller's: zeros at first, kept from one episode to
   the next. At the beginning of an episode the last number is set to 0"""

MAP_DEFINES = """\
#define NAME_ROWS {rows}
#define NAME_COLS {cols}
"""

PRESENT = """\
/* Record that the agent is in a cell; a goal remains one. */
static inline void NAME_present(float *memory, int cell) {
    enum { CELLS = NAME_ROWS * NAME_COLS };
    if (memory[cell] != 2.0f) memory[cell] = 1.0f;
    memory[CELLS + cell] = memory[2 * CELLS];
}"""

MAP_VALUE_ITERATION = (
    """\
{declare}    enum {{ ROWS = {rows}, COLS = {cols}, CELLS = ROWS * COLS, WIDE = COLS + 2,
           ALL = WIDE * (ROWS + 2), MAPS = {outputs}, FIRST = WIDE + 1,
           LAST = WIDE * (ROWS + 1) - 1 }};
    static const int beside[9] = {{ -WIDE - 1, -WIDE, -WIDE + 1, -1, 0, 1,
                                   WIDE - 1, WIDE, WIDE + 1 }};
    /* Last events: 0 none, 1 entered, 2 entered with a reward, 3 bumped into; and their times. */
    float *event = memory, *time = memory + CELLS, *clock = memory + 2 * CELLS;
    const int cell = (int)observation[0], action = (int)observation[1];
    const int before = (int)clock[1] - 1;
    if (cell < 0 || cell >= CELLS) return -1;
    if (before < 0 || action < 0 || action >= MAPS) {{
        NAME_present(memory, cell);
    }} else {{
        const int row = before / COLS + (action == 2) - (action == 0);
        const int col = before % COLS + (action == 1) - (action == 3);
        NAME_present(memory, before);
        *clock += 1.0f;
        if (cell != before) {{
            event[cell] = (float)observation[2] > 0.0f ? 2.0f : 1.0f;
            time[cell] = *clock;
        }} else {{
            if (row >= 0 && row < ROWS && col >= 0 && col < COLS) {{
                event[row * COLS + col] = 3.0f;
                time[row * COLS + col] = *clock;
            }}
            NAME_present(memory, before);
        }}
    }}
    clock[1] = (float)(cell + 1);
    float ending[ALL] = {{0}}, stepping[ALL], value[ALL] = {{0}}, best[ALL], rewards[MAPS][ALL];
    for (int at = 0; at < ALL; at++) stepping[at] = NAME_reading[1][9]; /* the edge */
    for (int row = 0; row < ROWS; row++)
        for (int col = 0; col < COLS; col++) {{
            const int from = row * COLS + col, at = (row + 1) * WIDE + col + 1;
            const float *u = NAME_reading[0] + 3 * (int)event[from], *w = u + 12;
            const float age = *clock - time[from], short_age = log1pf(age) / 6.0f;
            const float long_age = age / 200.0f;
            value[at] = ending[at] = u[0] + u[1] * short_age + u[2] * long_age;
            stepping[at] = w[0] + w[1] * short_age + w[2] * long_age;
        }}
    for (int m = 0; m < MAPS; m++)
        for (int at = FIRST; at < LAST; at++) {{
            float sum = {bias};
            for (int k = 0; k < 9; k++) sum += NAME_costs[m][k] * stepping[at + beside[k]];
            rewards[m][at] = -(fmaxf(sum, 0.0f) + log1pf(expf(-fabsf(sum))));
        }}
    for (int k = 0; k < {iterations}; k++) {{
        int changed = 0;
"""
    + WIDEN
    + """\
        if (k == {iterations} - 1) break; /* the last iteration is that of one cell, below */
"""
    + BACKUP
    + """\
        for (int row = 1; row <= ROWS; row++)
            for (int at = row * WIDE + 1; at <= row * WIDE + COLS; at++) {{
                const float now = best[at] > ending[at] ? best[at] : ending[at];
                changed |= now != value[at];
                value[at] = now;
            }}
        if (!changed) break; /* no later iteration would change a value */
    }}
    const int agent = (cell / COLS + 1) * WIDE + cell % COLS + 1;
"""
    + CELL_LOGITS
)
