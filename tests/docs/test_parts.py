"""Sections of agents, models, planners, values, students and methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sitebuild import pages
from sitebuild.docstrings import description
from sitebuild.parts import KINDS, METHOD_PROGRAMS, PROGRAMS, Part
from sitebuild.tables import rows_about

from dynamaze.agents import MODELS, PLANNERS
from dynamaze.agents.values import VALUES

from ..test_readme import Program, run

NUMBER_OF_AGENTS = 13

LIBRARIES = {"models": ("torch", "scipy"), "students": ("torch", "sklearn"), "methods": ("torch",)}
"""Kind of parts -> optional libraries that its examples need."""


def parts_of(kind: str) -> list[Part]:
    """Return the parts of a kind."""
    for library in LIBRARIES.get(kind, ()):
        pytest.importorskip(library)
    if kind == "values":
        pytest.importorskip("torch")
    return list(KINDS[kind].find())


def names_of(kind: str) -> list[str]:
    return [part.name for part in parts_of(kind)]


def test_parts_are_those_of_registries() -> None:
    assert names_of("models") == [*MODELS]
    assert names_of("planners") == [*PLANNERS]
    assert names_of("values") == [*VALUES]
    assert len(names_of("agents")) == NUMBER_OF_AGENTS


def test_parts_cover_distillation() -> None:
    pytest.importorskip("torch")
    from dynamaze.distill import METHODS, STUDENTS

    assert names_of("students") == [*STUDENTS]
    assert names_of("methods") == [*METHODS]
    listed = [name for names in METHOD_PROGRAMS.values() for name in names]
    assert sorted(listed) == sorted(METHODS)
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {*METHOD_PROGRAMS}


@pytest.mark.parametrize("kind", KINDS)
def test_part_has_description_and_source(kind: str) -> None:
    for part in parts_of(kind):
        text = description(part.described)
        assert len(text) > 20, part.name
        assert "Args:" not in text, part.name


@pytest.mark.parametrize("kind", KINDS)
def test_part_says_when_it_is_suitable(kind: str) -> None:
    for part in parts_of(kind):
        if kind == "methods":  # the table of methods has what each is for
            headings = [table.heading for table in rows_about(kind, part.name)]
            assert "Methods of distillation" in headings, part.name
        else:
            assert re.search(r"^Suited to ", description(part.described), re.M), part.name


@pytest.mark.parametrize("kind", KINDS)
def test_page_has_section_and_example_of_each(kind: str) -> None:
    text = pages.parts(kind)
    for part in parts_of(kind):
        assert part.example in text, part.name
        assert re.search(rf'^## `.*\b{part.name}"?`$', text, re.M), part.name
        assert part.name in part.example


def test_examples_run(tmp_path: Path) -> None:
    # in one process, which imports and compiles once
    blocks = [(f"{kind}, {part.name}", part.example) for kind in KINDS for part in parts_of(kind)]
    run(Program("all", tuple(blocks), ()), tmp_path)


def test_example_scripts_are_all_shown() -> None:
    text = pages.examples("")
    names = [path.name for path in (pages.ROOT / "examples").glob("*.py")]
    assert len(names) >= 10
    assert all(f"literalinclude}} ../../examples/{name}" in text for name in names)


def test_page_lists_environments() -> None:
    text = (pages.ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    assert "environments/*" in text
