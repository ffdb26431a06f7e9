"""Docstrings as Markdown, and as reStructuredText."""

from __future__ import annotations

from sitebuild.docstrings import as_rst, description, module_text, summary


class Described:
    """Part that is described
    in two lines.

    More about it:

        u = w

    Args:
        number: not in the description.
    """


class WithExample:
    """Part with an example.

        from dynamaze.agents import DynaQ

        DynaQ("DynaMaze-v0")

    And a last paragraph.
    """


def test_summary_is_first_paragraph() -> None:
    assert summary(Described) == "Part that is described in two lines."


def test_description_ends_before_sections() -> None:
    text = description(Described)
    assert text.endswith("More about it:\n\n    u = w")


def test_description_leaves_out_examples() -> None:
    assert description(WithExample) == "Part with an example.\n\nAnd a last paragraph."


def test_module_text_has_no_summary() -> None:
    assert module_text(Described) == ""


def test_rst_of_indented_block_is_code() -> None:
    lines = as_rst(["Text.", "", "    import x", "", "    x.y()", "", "End."])
    assert ".. code-block:: python" in lines
    assert lines[-1] == "End."


def test_rst_keeps_sections_and_lists() -> None:
    given = ["Args:", "    name: text", "", "- one", "", "    more"]
    assert as_rst(given) == given


def test_rst_of_table_is_list_table() -> None:
    lines = as_rst(["| a | b |", "| --- | --- |", "| `c` | |d| |"])
    assert lines[1] == ".. list-table::"
    assert "   * - a" in lines
    assert "   * - `c`" in lines


def test_rst_escapes_text_alone() -> None:
    (line,) = as_rst(["of |x|, theta_ and *args in `a_ | *b`"])
    assert line == r"of \|x\|, theta\_ and \*args in `a_ | *b`"
