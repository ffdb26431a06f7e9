"""Mutation trial on a toy checkout, and its operators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .mutants import FOLDER, ROOT, Records, known_mutants
from .mutation_operators import MODULE, Mutant, mutant_of_line, mutants_of
from .mutation_report import Reasons, print_report
from .mutation_runs import KILLED, SURVIVED, Reach, Result, batches_of, mirrored

SOURCE = '''\
"""Numbers 1 + 1."""

LIMIT: Literal[2] = 3


@compiled(size=1)
def area(x: Array[1], y=0.5):
    """Return 2 things."""
    assert x > 0
    if x < y and not x.any():
        raise ValueError(f"{x + 1}", x + 1)
    x.size -= y[n:]
    return x  # + 1
'''

EDITS = [
    (MODULE, "LIMIT: Literal[2] = 3", "LIMIT: Literal[2] = 2"),
    (MODULE, "LIMIT: Literal[2] = 3", "LIMIT: Literal[2] = 4"),
    (MODULE, "def area(x: Array[1], y=0.5):", "def area(x: Array[1], y=1.5):"),
    ("area", "if x < y and not x.any():", "if not (x < y and not x.any()):"),
    ("area", "if x < y and not x.any():", "if x <= y and not x.any():"),
    ("area", "if x < y and not x.any():", "if x < y or not x.any():"),
    ("area", "if x < y and not x.any():", "if x < y and (x.any()):"),
    ("area", "if x < y and not x.any():", "if x < y and not x.all():"),
    ("area", 'raise ValueError(f"{x + 1}", x + 1)', "pass"),
    ("area", "x.size -= y[n:]", "pass"),
    ("area", "x.size -= y[n:]", "x.size += y[n:]"),
    ("area", "x.size -= y[n:]", "x.size -= y[n + 1:]"),
    ("area", "return x # + 1", "return None # + 1"),
]

RULES = """\
from numba import njit

@njit
def double(x):
    return 2 * x

def half(n):
    return n // 2
"""

USE = """\
from numba import njit

from .rules import double

@njit
def quadruple(x):
    return double(double(x))
"""

TEST_RULES = """\
from toy.rules import half

def test_half():
    assert half(0) == 0
"""

TEST_USE = """\
from toy.use import quadruple

def test_quadruple():
    assert quadruple(3) == 12
"""

RUN = """
import json, sys
from pathlib import Path
import numba
from tests.trials import mutants, mutation_runs
root, records = Path(sys.argv[1]), Path(sys.argv[1], "results.jsonl")
edits = {("return 2 * x", "return 2 / x"), ("return n // 2", "return n * 2")}
for text in sys.argv[2:]:
    (root / "tests/test_rules.py").write_text(text)
    stored = records.read_bytes().count(b'"mutant"') if records.exists() else 0
    trial = mutants.Trial(root, ["tests"], ["toy"], records, 2)
    every = trial.mutants(["toy/rules.py"])
    results = trial.run([each for each in every if (each.before, each.after) in edits])
    tries = records.read_bytes().count(b'"mutant"') - stored
    print(json.dumps([tries, [(each.function, *result) for each, result in results.items()]]))

def hang(copy):
    while True:
        pass

slot = mutation_runs.Slot(root, root.with_name("copy"))
task = mutation_runs.Task("", hang, (), 1.0)
print([answer for _, answer in mutation_runs.run_tasks([slot], [task])])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs the tests in forked children")
def test_trial_of_toy_checkout(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for name, text in (
        *(("toy/__init__.py", ""), ("toy/rules.py", RULES), ("toy/use.py", USE)),
        ("tests/test_use.py", TEST_USE),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    more = TEST_RULES.replace("half(0) == 0", "half(4) == 2")
    # In a process of its own, because one with threads must not fork.
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN, str(root), TEST_RULES, more]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    *found, stopped = ended.stdout.splitlines()
    first, second = map(json.loads, found)
    expected = [
        # Compiled, and called from compiled code of another file only.
        ["double", KILLED, "tests/test_use.py::test_quadruple"],
        ["half", SURVIVED, ""],
    ]
    assert first == [2, expected]
    expected[1] = ["half", KILLED, "tests/test_rules.py::test_half"]
    assert second == [1, expected]  # the survivor alone is tried again
    assert (root / "toy/rules.py").read_text(encoding="utf-8") == RULES
    assert stopped == "[None]"  # what never ends is stopped


def test_operators_edit_once() -> None:
    found = mutants_of("area.py", SOURCE.encode())
    assert [(each.function, each.before, each.after) for each in found] == EDITS
    lines = SOURCE.splitlines()
    for mutant in found:
        edited = mutant.apply(SOURCE.encode()).decode().splitlines()
        changed = [
            n for n, pair in enumerate(zip(lines, edited, strict=True), 1) if pair[0] != pair[1]
        ]
        assert changed == [mutant.line]


def test_known_mutants_exist() -> None:
    assert len(known_mutants(ROOT)) == 10
    mutant = mutant_of_line("area.py", SOURCE.encode(), "area", "x.size -= y[n:]", "x = 0")
    assert mutant.apply(SOURCE.encode()).decode() == SOURCE.replace("x.size -= y[n:]", "x = 0")
    with pytest.raises(ValueError, match=r"area.py, area: 0 lines 'x'; expected one"):
        mutant_of_line("area.py", SOURCE.encode(), "area", "x", "y")


def test_batches_begin_with_mirrored_tests() -> None:
    mutant = mutants_of("envs/maze.py", b"def f():\n    return 1\n")[0]
    calls = frozenset({"envs/maze.py::f"})
    reach = {
        "tests/envs/test_grid.py::a": Reach(0.1, calls),
        "tests/envs/test_maze.py::slow": Reach(2.0, calls),
        "tests/envs/test_maze_copies.py::b": Reach(0.5, calls),
        "tests/envs/test_maze.py::other": Reach(0.1, frozenset({"envs/maze.py::g"})),
    }
    assert mirrored(
        "envs/maze.py", ["tests/envs/test_grid.py", "tests/envs/test_maze_copies.py"]
    ) == {"tests/envs/test_maze_copies.py"}
    first, second = batches_of(mutant, reach, 10.0)
    assert first.files == ("tests/envs/test_maze_copies.py", "tests/envs/test_maze.py")
    assert set(first.tests) == {
        "tests/envs/test_maze_copies.py::b",
        "tests/envs/test_maze.py::slow",
    }
    assert second.files == ("tests/envs/test_grid.py",)
    within = batches_of(mutant, reach, 1.0)  # CPU seconds in all
    assert [set(batch.tests) for batch in within] == [
        {"tests/envs/test_maze_copies.py::b"},
        {"tests/envs/test_grid.py::a"},
    ]


def test_report_counts_equal_ones_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mutants = mutants_of("a/b.py", b"def f(x, y):\n    return x + y * 2\n")
    results = dict.fromkeys(mutants, Result(KILLED, "test"))
    equal, survivor = mutants[:2]
    results.update({equal: Result(SURVIVED), survivor: Result(SURVIVED)})
    path = tmp_path / "reasons.toml"
    path.write_text(
        f'[[mutant]]\nfile = "a/b.py"\nfunction = "f"\nbefore = "{equal.before}"\n'
        f'after = "{equal.after}"\nreason = "because"\n',
        encoding="utf-8",
    )
    assert print_report(results, Reasons(path)) == (len(mutants) - 2, len(mutants) - 1)
    shown = capsys.readouterr().out
    assert f"a/b.py:{equal.line}: f ({equal.kind})" in shown
    assert shown.index(survivor.after) < shown.index(equal.after) < shown.index("because")


def test_stored_reasons_belong_to_mutants() -> None:
    reasons = Reasons(FOLDER / "equivalent_mutants.toml")
    found: set[Mutant] = set()
    for path in reasons.files:
        found.update(
            each for each in mutants_of(path, (ROOT / path).read_bytes()) if reasons.of(each)
        )
    assert reasons.unused(found) == []


def test_records_refuse_other_files(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Records(path, "one").add(mutant="m", status=KILLED, test="t")
    assert Records(path, "one").results["m"][1] == Result(KILLED, "t")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"mutant": "n", "sta')  # killed meanwhile
    assert set(Records(path, "one").results) == {"m"}
    with pytest.raises(ValueError, match="has results of other sources"):
        Records(path, "other")
    path.write_text("{no results}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="holds no results of mutants"):
        Records(path, "one")
