"""Tables of summaries in the terminal. One that is too wide is shown in parts below each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table as Grid

from dynamaze.benchmarks.harness.analysis.table import Lines

FRAME = 3
"""Characters of a column beside its text: two spaces and a border; a table has one border more."""


class SummaryGrid:
    """Table that keeps its cells in one line each.

    Names of columns are broken at spaces where the width demands it. Columns that do not fit beside
    the others follow in a further part, behind the first column, which has the names of the rows.
    Only a text that leaves no room for anything else is broken.

    Args:
        title: stands above the first part.
        lines: the cells; the first line has the names of the columns.
    """

    def __init__(self, title: str, lines: Lines) -> None:
        self.title, self.lines = title, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Grid]:
        """Yield the parts."""
        room = options.max_width - 1
        for number, columns in enumerate(parts(self.lines, room)):
            yield self._part(columns, room, title=None if number else self.title)

    def _part(self, columns: Sequence[int], room: int, *, title: str | None) -> Grid:
        widths = fitted_widths(self.lines, columns, room)
        grid = Grid(title=title)
        for column, width in zip(columns, widths, strict=True):
            grid.add_column(self.lines[0][column], width=width, overflow="fold")
        for line in self.lines[1:]:
            cells: list[RenderableType] = [escape(line[column]) for column in columns]
            grid.add_row(*cells)  # "[over 50, over 50]" is no markup
        return grid


def parts(lines: Lines, room: int) -> list[list[int]]:
    """Return the columns of each part of a table; the first column is in all of them.

    Args:
        lines: the cells.
        room: characters of a line, the table's last border excepted.
    """
    names, *others = smallest_widths(lines)
    room -= min(names, room // 2) + FRAME
    found: list[list[int]] = [[0]]
    used = 0
    for column, width in enumerate(others, 1):
        if len(found[-1]) > 1 and used + width + FRAME > room:
            found.append([0])
            used = 0
        found[-1].append(column)
        used += width + FRAME
    return found


def fitted_widths(lines: Lines, columns: Sequence[int], room: int) -> list[int]:
    """Return the width of each column's text, in characters.

    Args:
        lines: the cells.
        columns: those of one part.
        room: characters of a line, the table's last border excepted.
    """
    smallest = smallest_widths(lines)
    widths = [smallest[column] for column in columns]
    free = room - sum(widths) - FRAME * len(columns)
    if free < 0:  # long names of rows are broken first, then a single long column
        cut = min(-free, max(widths[0] - room // 2, 0))
        widths[0] -= cut
        widths[-1] = max(widths[-1] + free + cut, 1)
    for index, column in enumerate(columns):
        wish = cell_len(lines[0][column]) - widths[index]
        if 0 < wish <= free:
            widths[index] += wish
            free -= wish
    return widths


def smallest_widths(lines: Lines) -> list[int]:
    """Return the width of each column at which no cell and no word of its name is broken."""
    header, *rows = lines
    return [
        max((1, *map(cell_len, name.split()), *(cell_len(row[column]) for row in rows)))
        for column, name in enumerate(header)
    ]
