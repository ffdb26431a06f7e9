"""Rows of stored tables about one part."""

from __future__ import annotations

from sitebuild.tables import rows_about, tables_of


def test_rows_of_method_are_found() -> None:
    found = rows_about("methods", "hints")
    assert [table.heading for table in found] == ["Methods of distillation", "Results"]
    assert all(row.startswith("| `hints`") for table in found for row in table.rows)


def test_rows_tell_agents_apart() -> None:
    context, suite = rows_about("agents", "DynaQPlus")
    assert len(context.rows) == len(suite.rows) == 2
    assert all("Dyna-Q+" in row for row in (*context.rows, *suite.rows))
    (table,) = rows_about("agents", "DynaQ")
    assert [row.split(" | ")[0] for row in table.rows] == ["| Dyna-Q"]


def test_suite_shows_its_first_table() -> None:
    (table,) = rows_about("models", "maximum_likelihood")
    assert table.heading.startswith("adaptation-v1")
    assert [row.split(" | ")[0] for row in table.rows] == ["| Dyna-Q, maximum likelihood"]


def test_missing_document_has_no_tables() -> None:
    assert tables_of("adaptation/no_such_page.md") == ()
    assert not rows_about("values", "table")
