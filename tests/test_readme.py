"""Tests of the README and its documents: programs, commands, links, names and the film."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageSequence

import dynamaze.agents
import dynamaze.agents.sb3
from dynamaze.agents import MODELS, PLANNERS
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.version import __version__
from dynamaze.envs.rendering import Animation
from dynamaze.viewer.statistics import format_regret

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DISTILLATION = ROOT / "docs" / "distillation.md"
DOCS = ("guide", "extending", "distillation", "results", "statistics", "faq")
DOCUMENTS = (
    README,
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs" / f"{name}.md" for name in DOCS),
)
TEXT = README.read_text(encoding="utf-8")
FILMS = ("learning", "learner")
"""Films of the README, by their names in docs/film.py."""

MAX_WORDS = 900
MAX_FILM_BYTES = 400_000

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.M | re.S)

LIBRARIES = {
    "dynamaze.distill": "torch",
    "import torch": "torch",
    "stable_baselines3": "stable_baselines3",
    "torchrl": "torchrl",
    "export_onnx": "onnx",
}
"""Text in a program -> the optional library that it needs."""

DRIVER = """
import json, sys
for label, block in json.load(sys.stdin):
    exec(compile(block, label, "exec"), {"__name__": "__main__"})
"""
"""Runs programs one after the other, each in a namespace of its own."""


class Program(NamedTuple):
    """Python blocks that one process runs."""

    name: str
    blocks: tuple[tuple[str, str], ...]  # (label, text)
    libraries: tuple[str, ...]  # optional ones


def python_blocks(document: Path) -> list[tuple[str, str]]:
    """Return labels and texts of the Python blocks of a document."""
    blocks = [text for kind, text in fenced_blocks(document) if kind == "python"]
    return [(f"{document.name}, block {number}", text) for number, text in enumerate(blocks, 1)]


def fenced_blocks(document: Path) -> list[tuple[str, str]]:
    """Return (language, text) of each code block."""
    return FENCED.findall(document.read_text(encoding="utf-8"))


def libraries_of(block: str) -> tuple[str, ...]:
    """Return the optional libraries that a block needs."""
    return tuple(dict.fromkeys(name for text, name in LIBRARIES.items() if text in block))


def programs() -> list[Program]:
    """Return the README's blocks each alone, those of the others by document and libraries."""
    alone = [
        Program(label, ((label, text),), libraries_of(text))
        for label, text in unchecked_blocks(README)
    ]
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    for document in DOCUMENTS[1:]:
        for label, text in unchecked_blocks(document):
            groups.setdefault((document.name, libraries_of(text)), []).append((label, text))
    return alone + [
        Program(" ".join((name, *libraries)), tuple(blocks), libraries)
        for (name, libraries), blocks in groups.items()
    ]


CHECKED_BELOW = ("islice", "PPO(")
"""Text of programs whose output other tests check; they run there."""


def unchecked_blocks(document: Path) -> list[tuple[str, str]]:
    """Return the Python blocks of a document without those that other tests run."""
    return [
        (label, text)
        for label, text in python_blocks(document)
        if not any(part in text for part in CHECKED_BELOW)
    ]


def run(program: Program, folder: Path) -> str:
    """Run a program in a fresh process and an empty folder; return what it prints."""
    for library in program.libraries:
        pytest.importorskip(library)
    return run_script(["-c", DRIVER], folder, json.dumps(program.blocks))


def run_script(arguments: list[str], folder: Path, text: str = "") -> str:
    """Run Python with arguments and standard input in a folder; return what it prints."""
    done = subprocess.run(
        # A deprecated name in a program is an error.
        [sys.executable, "-W", "error::DeprecationWarning:__main__", *arguments],
        input=text,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": absolute_python_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def absolute_python_path() -> str:
    """Return PYTHONPATH with absolute folders, since programs run in another folder."""
    given = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(str(Path(part).resolve()) for part in given.split(os.pathsep) if part)


def program_with(document: Path, text: str) -> Program:
    """Return the only block of a document that contains a text."""
    (found,) = [
        Program(label, ((label, block),), libraries_of(block))
        for label, block in python_blocks(document)
        if text in block
    ]
    return found


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.name)
def test_program_runs_alone(program: Program, tmp_path: Path) -> None:
    run(program, tmp_path)


def test_checked_programs_are_three() -> None:
    # Each of them is run by one of the next tests, and by no other.
    documents = (README, DISTILLATION, ROOT / "docs" / "results.md")
    for document in DOCUMENTS:
        checked = len(python_blocks(document)) - len(unchecked_blocks(document))
        assert checked == documents.count(document), document.name


def test_first_steps_find_shortcut(tmp_path: Path) -> None:
    printed = run(program_with(README, 'agent_class("DynaMazeShortcut-v0"'), tmp_path)
    goals = dict(re.findall(r"(\w+): (\d+) goals", printed))
    # The old path has 16 steps: at most 62 goals in 1000 steps without the shortcut.
    assert int(goals["DynaQ"]) <= 62 < int(goals["DynaQPlus"])


def test_distillation_reaches_goal(tmp_path: Path) -> None:
    printed = run(program_with(DISTILLATION, "PPO("), tmp_path)
    rows = re.findall(r"(\d+) parameters: success rate (\d+)%, .* return ([\d.]+)%", printed)
    (teacher, student) = [(int(size), int(rate), float(share)) for size, rate, share in rows]
    assert teacher[0] > 500 * student[0]
    assert min(teacher[1], student[1]) >= 90
    assert min(teacher[2], student[2]) >= 80
    assert {each.name for each in tmp_path.iterdir()} == {"student.safetensors", "student.h"}
    text = DISTILLATION.read_text(encoding="utf-8")
    assert f"with {teacher[0]:,} parameters, and a student with {student[0]}" in text
    assert f"PPO and {student[0]} parameters" in TEXT


def test_results_match_program(tmp_path: Path) -> None:
    document = ROOT / "docs" / "results.md"
    printed = run(program_with(document, "islice"), tmp_path)
    assert ("", printed) in fenced_blocks(document)


def test_readme_is_short() -> None:
    # Words are what stands between spaces, outside code blocks; table pipes count, too.
    assert len(FENCED.sub("", TEXT).split()) <= MAX_WORDS


def test_readme_installation_is_from_clone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "clone of this repository" in TEXT
    clone, wheel = re.findall(r"^python -m pip install (.*)", TEXT, flags=re.M)
    # The package is in no registry: a name without a path would install another one, or nothing.
    assert shlex.split(clone) == ["-c", "constraints.txt", ".[figures]"]
    name = f"{project['name']}-{__version__}-py3-none-any.whl"
    assert shlex.split(wheel) == [f"dist/{name}[figures]"]
    extras = re.search(r"Extras are (.*?)\. ", TEXT)
    assert extras is not None
    assert {*re.findall(r"`(\w+)`", extras[1])} == {*project["optional-dependencies"]} - {
        "dev",
        "docs",
    }
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in TEXT


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_to_files(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    links += re.findall(r'(?:href|src)="([^"]+)"', text)
    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_to_headings(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path, heading in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text):
        target = (document.parent / path).read_text(encoding="utf-8") if path else text
        assert heading in {slug(line) for line in re.findall(r"^#+ (.*)", target, flags=re.M)}


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_pictures_of_readme_cover_environments() -> None:
    cells = re.findall(r"\[!\[(.*?)\]\((.*?)\)\]\((.*?)\)", TEXT)
    expected = [
        (env_id, f"docs/environments/{env_id}.gif", f"docs/environments/{env_id}.md")
        for env_id in ENVIRONMENTS
    ]
    assert sorted(cells) == sorted(expected)


def commands(document: Path) -> set[str]:
    """Return the `dynamaze` command lines of a document, without comments."""
    text = document.read_text(encoding="utf-8")
    lines = [line for _, block in fenced_blocks(document) for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    return {
        shlex.join(shlex.split(line, comments=True))
        for line in lines + spans
        if line.startswith("dynamaze ")
    }


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"\bmake (\w+)\s+#", TEXT)
    assert targets == ["demo", "figures", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def table_row(label: str) -> str:
    """Return the second cell of the README's table row that begins with a label."""
    found = re.search(rf"^\| {re.escape(label)} \| (.*?) \|$", TEXT, flags=re.M)
    assert found is not None, label
    return found[1]


def test_readme_lists_every_model() -> None:
    tables = re.findall(r'"(\w+)"', table_row("`DynaQ(model=...)`, tables"))
    assert tables.pop() == "forgetting_"
    learned = re.findall(r'"(\w+)"', table_row("`DynaQ(model=...)`, learned"))
    assert {*tables, *(f"forgetting_{name}" for name in tables), *learned} == {*MODELS}


def test_readme_lists_every_planner() -> None:
    assert {*re.findall(r'"(\w+)"', table_row("`DynaQ(planning=...)`"))} == {*PLANNERS}


def test_readme_lists_existing_agents() -> None:
    rows = ("agents", "other agents", "search before each action", "wrappers of models")
    names = [name for row in rows for name in re.findall(r"`(\w+)`", table_row(row))]
    assert len(names) == 15
    for name in names:
        assert isinstance(getattr(dynamaze.agents, name), type), name
    pytest.importorskip("stable_baselines3")
    for name in re.findall(r"`(\w+)`", table_row("Stable-Baselines3")):
        assert isinstance(getattr(dynamaze.agents.sb3, name), type), name


def test_readme_sections_stand_in_code() -> None:
    table = TEXT.partition("## Agents, models and planners\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]* \| ([^|]*\(\d\.\d+\)[^|]*) \| ([^|]*) \|$", table, flags=re.M)
    assert len(rows) == 5
    for names, places in rows:
        paths = [ROOT / place for place in re.findall(r"\]\(([^)]+)\)", places)]
        files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
        code = " ".join(file.read_text(encoding="utf-8") for file in files if file.suffix == ".py")
        for section in re.findall(r"\((\d+\.\d+)\)", names):
            assert re.search(rf"sections? (?:\d+\.\d+ and )?{re.escape(section)}\b", code), section


def test_readme_results_stand_in_documents() -> None:
    rows = TEXT.partition("| result | command |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) == 5
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for row in rows:
        result, command = row.strip("| ").split(" | ")
        assert all(word in results for word in command.strip("`").split()), command
        for number in re.findall(r"\d[\d,]*\.\d+|\d[\d,]{3,}\d|\d+%", result):
            assert number in results, number


def test_distillation_names_callable_exports() -> None:
    pytest.importorskip("torch")
    import dynamaze.distill

    for name in ("export_c", "export_onnx", "load_policy"):
        assert f"`{name}`" in DISTILLATION.read_text(encoding="utf-8")
        assert callable(getattr(dynamaze.distill, name)), name


@pytest.mark.parametrize("name", FILMS)
def test_film_is_near_top_and_small(name: str) -> None:
    assert f"(docs/{name}.gif)" in "".join(TEXT.splitlines(keepends=True)[:12])
    assert (ROOT / "docs" / f"{name}.gif").stat().st_size <= MAX_FILM_BYTES


@pytest.mark.parametrize("name", FILMS)
def test_film_command_makes_same_film(name: str, tmp_path: Path) -> None:
    assert "`python docs/film.py`" in TEXT
    script = load_film_script()
    film = script.FILMS[name]
    made = list(islice(script.frames(film), 20))
    Animation(made, fps=film.fps).save(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as image:
        assert len(list(ImageSequence.Iterator(image))) == len(made)
    with Image.open(ROOT / "docs" / f"{name}.gif") as image:
        stored = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    assert len(stored) == sum(map(len, film.shown)) - 1 + script.LAST_FRAMES
    for frame, expected in zip(stored, made, strict=False):
        # Similar colors share an entry of the film's table.
        assert np.abs(frame.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("name", FILMS)
def test_results_tell_regret_of_film(name: str) -> None:
    script = load_film_script()
    film = script.FILMS[name]
    comparison = script.start(film)
    layouts: list[set[object]] = [set(), set()]
    for step in islice(comparison.steps(), max(map(max, film.shown))):
        comparison.add(step)
        for seen, run in zip(layouts, comparison.runs, strict=True):
            seen.add(run.view.maze.layout)
    assert layouts[0] == layouts[1]
    assert len(layouts[0]) == 2
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    first, second = (format_regret(run.recorded.total_regret) for run in comparison.runs)
    assert re.search(rf"`python docs/film.py {name}` .* {first}\b.* and {second}\b", text)
    (change,) = comparison.events.changes
    assert f"At step {change} " in TEXT or f"at step {change}." in TEXT


def load_film_script() -> ModuleType:
    """Import docs/film.py."""
    spec = importlib.util.spec_from_file_location("film", ROOT / "docs" / "film.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_targets_are_complete() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, flags=re.M)
    # `-n` names what a target needs that no rule makes, and runs nothing.
    done = subprocess.run(
        ["make", "-n", *phony.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
