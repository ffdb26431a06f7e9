"""Tables of summaries in a terminal of a given width."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid, parts
from dynamaze.benchmarks.harness.analysis.table import Lines

INTERVAL = "-123.4 [-130.5, -120.25]"


def printed(lines: Lines, width: int = 80, title: str = "Toy") -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(SummaryGrid(title, lines))
    return console.file.getvalue()  # type: ignore[attr-defined]


def wide_table(columns: int, label: str = "Dyna-Q+, 50 steps") -> Lines:
    names = [f"reward after the change {number}" for number in range(columns)]
    rows = [(f"{label} {row}", *[f"{INTERVAL}{row}"] * columns) for row in range(2)]
    return [("agent", *names), *rows]


def test_narrow_table_is_one_part() -> None:
    lines: Lines = [("agent", "steps"), ("a", "50 [over 50, over 50]")]
    assert parts(lines, 79) == [[0, 1]]
    text = printed(lines)
    assert "50 [over 50, over 50]" in text  # a bracket is no markup
    assert text.count("Toy") == 1


@pytest.mark.parametrize("columns", [2, 3, 7])
def test_wide_table_breaks_no_cell(columns: int) -> None:
    text = printed(wide_table(columns))
    assert max(map(cell_len, text.splitlines())) <= 80
    for row in range(2):
        assert text.count(f"{INTERVAL}{row}") == columns
        assert text.count(f"Dyna-Q+, 50 steps {row}") == -(-columns // 2)
    assert text.count("Toy") == 1


def test_names_of_columns_are_broken_only_where_needed() -> None:
    lines: Lines = [("agent", "reward after the change", "n"), ("a", "1", "2")]
    assert "reward after the change" in printed(lines)
    text = printed(lines, width=30)
    assert "reward after the change" not in text
    assert re.search(r"change\s", text)


def test_long_label_and_long_cell_are_broken() -> None:
    lines: Lines = [("setting", "text"), ("word " * 30, "x" * 200)]
    text = printed(lines)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.count("x") == 200 + 1
    assert text.count("word") == 30


@given(
    table=st.integers(1, 5).flatmap(
        lambda n: st.lists(
            st.lists(st.text("ab c", max_size=25), min_size=n, max_size=n).map(tuple),
            min_size=1,
            max_size=4,
        )
    ),
    width=st.integers(60, 100),
)
@settings(max_examples=30)
def test_any_table_fits_the_width(table: Lines, width: int) -> None:
    assert max(map(cell_len, printed(table, width, title="").splitlines()), default=0) <= width
