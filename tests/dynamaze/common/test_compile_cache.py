"""Cache of compiled code: its folders, and recompilation after an edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dynamaze.common import compile_cache

ROOT = Path(__file__).parents[3]
RULES = """
from dynamaze.common.compiled import compiled
from .cache_test_constants import SHIFT

@compiled
def shifted(x):
    return x + SHIFT
"""
CALLER = """
from dynamaze.common.compiled import compiled
from .cache_test_rules import shifted

@compiled
def twice_shifted(x):
    return 2 * shifted(x)
"""
RUN = """
from dynamaze.agents.cache_test_caller import twice_shifted
from dynamaze.common import compile_cache
print(twice_shifted(1), sum(twice_shifted.stats.cache_hits.values()), compile_cache.cache_folder())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the sources, with a compiled function that calls one in another file."""
    root = tmp_path / "installed"
    for name in ("dynamaze", "envs", "agents", "distill", "benchmarks"):
        target = root / "dynamaze" / name if name != "dynamaze" else root / name
        ignored = shutil.ignore_patterns("__pycache__", "envs", "agents", "distill", "benchmarks")
        shutil.copytree(
            ROOT / name, target, ignore=ignored if name == "dynamaze" else None, dirs_exist_ok=True
        )
    write(root, "cache_test_constants", "SHIFT = 10")
    write(root, "cache_test_rules", RULES)
    write(root, "cache_test_caller", CALLER)
    return root


def write(root: Path, module: str, text: str) -> None:
    (root / "dynamaze" / "agents" / f"{module}.py").write_text(text)


SERVER = """
import json, os, sys, traceback, warnings
import gymnasium, numba
numba.njit(lambda x: x + 1)(1)  # a process's first compilation takes longest
for line in sys.stdin:
    code, root, environment = json.loads(line)
    pipes = [os.pipe() for _ in range(2)]
    child = os.fork()
    if not child:
        for number, (_, writer) in enumerate(pipes, 1):
            os.dup2(writer, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(root)
        sys.path.insert(0, root)
        warnings.simplefilter("always", RuntimeWarning)
        status = 0
        try:
            exec(code, {"__name__": "__main__"})
        except BaseException:
            status = 1
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)
    for _, writer in pipes:
        os.close(writer)
    texts = [os.fdopen(reader).read() for reader, _ in pipes]
    print(json.dumps([os.waitpid(child, 0)[1], *texts]), flush=True)
"""
"""Runs programs in new processes that have Numba, but nothing of ours: it forks itself."""


@cache
def server() -> subprocess.Popen[str]:
    """Start the server, which ends when its standard input is closed."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True)


@pytest.fixture(scope="module", autouse=True)
def stop_server() -> Iterator[None]:
    """Stop the server, if there is one, after the tests."""
    yield
    if server.cache_info().currsize:
        with server():
            server.cache_clear()


def run(root: Path, code: str = RUN, prefix: Sequence[str] = (), **environment: str) -> list[str]:
    """Run code with a copy of the package in a new process; return the printed words and stderr."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA")
    }
    path = os.pathsep.join([str(root), inherited.get("PYTHONPATH", "")])
    variables = inherited | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | environment
    # Numba reads its own variables when it is imported.
    if prefix or sys.platform == "win32" or {*environment} & {*NUMBA_VARIABLES}:
        status, output, errors = in_fresh_process(root, code, prefix, variables)
    else:
        requests, replies = server().stdin, server().stdout
        assert requests is not None
        assert replies is not None
        print(json.dumps([code, str(root), variables]), file=requests, flush=True)
        status, output, errors = json.loads(replies.readline())
    assert status == 0, errors
    return [*output.split(), errors]


NUMBA_VARIABLES = ("NUMBA_OPT", "NUMBA_CPU_NAME", "NUMBA_DISABLE_JIT")


def in_fresh_process(
    root: Path, code: str, prefix: Sequence[str], variables: dict[str, str]
) -> tuple[int, str, str]:
    done = subprocess.run(
        [*prefix, sys.executable, "-W", "always::RuntimeWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        cwd=root,
    )
    return done.returncode, done.stdout, done.stderr


def test_cache_notices_edits_in_other_files(package: Path, tmp_path: Path) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(package, **home)[:2] == ["22", "0"]
    assert run(package, **home)[:2] == ["22", "1"]
    write(package, "cache_test_constants", "SHIFT = 20")
    assert run(package, **home)[:2] == ["42", "0"]
    write(package, "cache_test_rules", RULES.replace("x + SHIFT", "x - SHIFT"))
    assert run(package, **home)[:2] == ["-38", "0"]
    assert not list(package.rglob("*.nb[ic]"))


def test_cache_notices_edits_of_other_packages(package: Path, tmp_path: Path) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    model = """
from typing import NamedTuple
import numpy as np
from dynamaze.agents.core.kernels import rules, sample_outcome
from dynamaze.common.compiled import compiled

class Mine(NamedTuple):
    rewards: np.ndarray

@compiled
def sample_mine(model, num_actions, pair, rng):
    return model.rewards[pair] + 1.0, 0, False, rng

rules(Mine, sample_outcome=sample_mine)
"""
    write(
        package,
        "cache_test_caller",
        """
from dynamaze.agents.core.kernels import sample_outcome
from dynamaze.common.compiled import compiled

@compiled
def reward_of(model, pair):
    return sample_outcome(model, 4, pair, 0)[0]
""",
    )
    code = """
import numpy as np
from my_model import Mine
from dynamaze.agents.cache_test_caller import reward_of
print(reward_of(Mine(np.zeros(4)), 1), sum(reward_of.stats.cache_hits.values()))
"""
    (package / "my_model.py").write_text(model)
    assert run(package, code, **home)[:2] == ["1.0", "0"]
    assert run(package, code, **home)[:2] == ["1.0", "1"]
    (package / "my_model.py").write_text(model.replace("+ 1.0", "+ 2.0"))
    assert run(package, code, **home)[:2] == ["2.0", "0"]


CELL = """
from typing import NamedTuple
import numpy as np
from dynamaze.agents.core.kernels import rules, sample_outcome
from dynamaze.common.compiled import compiled
{constant}

class Mine(NamedTuple):
    rewards: np.ndarray

@{decorator}
def sample_mine(model, num_actions, pair, rng):
    return model.rewards[pair] + {name}, 0, False, rng

rules(Mine, sample_outcome=sample_mine)

@compiled
def reward_of(model):
    return sample_outcome(model, 4, 1, 0)[0]

print(reward_of(Mine(np.zeros(4))), sum(reward_of.stats.cache_hits.values()))
"""


@pytest.mark.parametrize(
    ("decorator", "is_attribute"), [("compiled", False), ("njit", True)], ids=["name", "attribute"]
)
def test_cache_notices_foreign_constants(
    package: Path, tmp_path: Path, decorator: str, is_attribute: bool
) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    constant = "import my_constants" if is_attribute else "from my_constants import BONUS"
    name = "my_constants.BONUS" if is_attribute else "BONUS"
    text = f"from numba import njit\n{CELL}".format(
        constant=constant, name=name, decorator=decorator
    )
    (package / "my_model.py").write_text(text)
    (package / "my_constants.py").write_text("BONUS = 1.0")
    assert run(package, "import my_model", **home)[:2] == ["1.0", "0"]
    assert run(package, "import my_model", **home)[:2] == ["1.0", "1"]
    (package / "my_constants.py").write_text("BONUS = 2.0")
    assert run(package, "import my_model", **home)[:2] == ["2.0", "0"]


@pytest.mark.parametrize("module", ["__main__", "cell_1"])
def test_cache_takes_cells_without_file(package: Path, tmp_path: Path, module: str) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for bonus in ("1.0", "2.0"):
        cell = CELL.format(constant=f"BONUS = {bonus}", name="BONUS", decorator="compiled")
        code = f"exec(compile({cell!r}, '<cell>', 'exec'), {{'__name__': {module!r}}})"
        assert run(package, code, **home) == [bonus, "0", ""]


def test_cache_key_has_options(package: Path, tmp_path: Path) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(package, **home)[:2] == ["22", "0"]
    for option in ({"NUMBA_OPT": "0"}, {"NUMBA_CPU_NAME": "generic"}):
        assert run(package, **home, **option)[:2] == ["22", "0"]
    assert run(package, **home)[:2] == ["22", "1"]


@pytest.mark.skipif(sys.platform == "win32", reason="no folder is deleted while in use there")
def test_cache_is_refused_in_deleted_folder(package: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}){RUN}"
    value, hits, folder, errors = run(package, code, NUMBA_CACHE_DIR="relative")
    assert (value, hits, folder) == ("22", "0", "None")
    assert errors.count("RuntimeWarning") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_cache_warns_once_when_full(package: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    code = RUN.replace("twice_shifted(1)", "twice_shifted(1), twice_shifted(0.5)")
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    *output, errors = run(package, f"{limit}{code}", **home)
    assert output[:2] == ["22", "21.0"]
    assert errors.count("compiled code was not stored") == 1
    assert not list((tmp_path / "cache").rglob("*.nb*"))


INTERPRET = """
from dynamaze.agents import DynaQPlus, TreeSearch
agent = DynaQPlus("DynaMaze-v0", planning_steps=3, seed=0).learn(200)
tree = TreeSearch("DynaMaze-v0", model="latest_outcome", depth=3, seed=0).learn(40)
print(agent.values.q.tobytes().hex(), tree.values.q.tobytes().hex())
"""


def test_interpreted_rules_compute_the_same() -> None:
    *interpreted, errors = run(ROOT, INTERPRET, NUMBA_DISABLE_JIT="1")
    assert errors == ""
    assert interpreted == run(ROOT, INTERPRET)[:-1]


def test_cache_is_temporary_without_home(package: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {"HOME": "/dev/null", "TMPDIR": str(temporary)}
    value, _, folder, errors = run(package, **environment)
    assert (value, errors) == ("22", "")
    assert Path(folder).is_relative_to(temporary)
    assert run(package, **environment)[:2] == ["22", "1"]


def test_cache_warns_once_without_any_folder(package: Path) -> None:
    code = f"import tempfile; tempfile.tempdir = '/dev/null'\n{RUN}"
    value, hits, folder, errors = run(package, code, HOME="/dev/null")
    assert (value, hits, folder) == ("22", "0", "None")
    assert errors.count("RuntimeWarning") == 1
    assert "set NUMBA_CACHE_DIR" in errors


NOBODY = 65534
WITHOUT_NAME = 42424


@pytest.mark.skipif(
    shutil.which("setpriv") is None or os.getuid() != 0, reason="needs root and setpriv"
)
@pytest.mark.parametrize("user", [NOBODY, WITHOUT_NAME], ids=["nobody", "without_name"])
def test_cache_serves_another_user(package: Path, user: int) -> None:
    prefix = [
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        # Read everything, for this Python may lie in a closed folder, and write nothing.
        *(f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps")),
        "--bounding-set=-all,+dac_read_search",
    ]
    if user == WITHOUT_NAME:  # as in a container
        prefix = ["env", "--unset=HOME", *prefix]
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        root = Path(shutil.copytree(package, Path(folder, "installed")))
        temporary = Path(folder, "temporary")
        temporary.mkdir()
        temporary.chmod(0o1777)
        environment = {"HOME": "/nonexistent", "TMPDIR": str(temporary)}
        value, _, cache, errors = run(root, prefix=prefix, **environment)
        assert (value, errors) == ("22", "")
        assert Path(cache) == temporary / f"dynamaze-{user}" / Path(cache).name
        assert run(root, prefix=prefix, **environment)[:2] == ["22", "1"]


def test_cache_survives_damaged_files(package: Path, tmp_path: Path) -> None:
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    run(package, **home)
    files = list((tmp_path / "cache").rglob("*.nb[ic]"))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:20])
    assert run(package, **home)[:2] == ["22", "0"]
    assert run(package, **home)[:2] == ["22", "1"]


def test_cache_serves_concurrent_processes(package: Path, tmp_path: Path) -> None:
    code = RUN.replace("twice_shifted(1)", "twice_shifted(1), twice_shifted(0.5)")
    environment = os.environ | {
        "PYTHONPATH": str(package),
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, cwd=package
        )
        for _ in range(4)
    ]
    outputs = [process.communicate()[0].decode().split() for process in started]
    assert [output[:2] for output in outputs] == [["22", "21.0"]] * 4
    assert run(package, code, NUMBA_CACHE_DIR=str(tmp_path / "cache"))[:3] == ["22", "21.0", "2"]


@pytest.fixture
def fresh_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compile_cache.cache_folder.cache_clear()
    yield tmp_path / "dynamaze"
    compile_cache.cache_folder.cache_clear()


def test_cache_removes_old_folders(fresh_folder: Path) -> None:
    for number in range(10):
        folder = fresh_folder / f"0.1.0-{number:016x}"
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    (fresh_folder / "something-else").mkdir()
    folder = compile_cache.cache_folder()
    assert folder is not None
    left = {path.name for path in fresh_folder.iterdir()}
    latest = {f"0.1.0-{number:016x}" for number in range(10 - compile_cache.KEPT, 10)}
    assert left == {folder.name, "something-else"} | latest


def test_temporary_folder_of_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache.tempfile, "tempdir", str(tmp_path))
    folder = compile_cache._private_temporary_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="belongs to another user"):
        compile_cache._private_temporary_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="belongs to another user"):
        compile_cache._private_temporary_folder()
