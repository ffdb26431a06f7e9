"""Trial: forged and damaged files of all kinds, each given to its loaders.

A third of the files are damaged bytes (flips, cuts, insertions, swapped and repeated parts); the
others are forged but whole: another value, shape or name in a valid file with valid checksums. It
is checked that each loader

1. returns, or raises its one documented error, which names the file;
2. takes at most 200 MB of memory and 2 s of CPU time;
3. runs no code of the file: pickles that would make a folder stand in the place of each file,
   behind its content, and in archives in the place of each member and beside them.

    python tests/trials/damaged_files.py --files 10000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle  # noqa: TID251  # written, never loaded
import sqlite3
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.agents import DynaQPlus
from dynamaze.benchmarks.harness.analysis.table import TableError, make_table, read_csv, write_csv
from dynamaze.benchmarks.harness.config_files import config_arguments
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.store.database import Group, RunRecord, Store, StoreError
from dynamaze.benchmarks.harness.store.encoding import EncodedTable, encode_table, table_crc
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.distill.files.weights import StudentFileError, read_weights, write_weights
from dynamaze.envs.mazes.layout import LayoutError

MOST_BYTES, MOST_SECONDS = 200 * 10**6, 2.0

Load = Callable[[Path], object]

Forge = Callable[[Path, np.random.Generator], None]


@dataclass(frozen=True)
class FileKind:
    """Valid file, its loaders, and the error that they document."""

    name: str
    make: Callable[[Path], None]
    loads: tuple[Load, ...]
    error: type[Exception]
    forge: Forge | None = None


# -- values that no file should have -----------------------------------------------------------

HOSTILE: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**9, 10**30, -(2**70), 0.5, 1e308, float("nan"),
    float("inf"), float("-inf"), "", "a", "nan", "../x", "\x00", "é" * 50, [], [[]], [1, "a"], {},
    {"a": {}}, [None] * 3, [[1], [2, 3]], list(range(100)), {"kind": "mlp"}, [0, -1], [10**9] * 4,
]  # fmt: skip


def hostile(rng: np.random.Generator) -> Any:
    """Return a value of the wrong type or size."""
    return HOSTILE[int(rng.integers(len(HOSTILE)))]


def changed_document(document: Any, rng: np.random.Generator) -> Any:
    """Return JSON with one value replaced, removed or added."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items: Any = ()
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, list):
            items = enumerate(value)
        for key, inner in items:
            places.append((value, key))
            walk(inner)

    copy = json.loads(json.dumps(document))
    walk(copy)
    if not places:
        return hostile(rng)
    inside, key = places[int(rng.integers(len(places)))]
    action = rng.integers(4)
    if action == 0 and isinstance(inside, dict):
        del inside[key]
    elif action == 1 and isinstance(inside, dict):
        inside[f"{key}_"] = inside.pop(key)
    elif action == 2:
        inside[key] = [inside[key]]
    else:
        inside[key] = hostile(rng)
    return copy


def changed_array(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an array with another number, dtype or shape."""
    action = rng.integers(7)
    if action == 0:
        return array[..., None]
    if action == 1:
        return array.ravel()[: array.size // 2]
    if action == 2:
        kinds = ["f4", "f8", "i8", "u1", "?", "i4", "U3", "c8", ">f8"]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return array.astype(kinds[int(rng.integers(len(kinds)))])
    if action == 3:
        return np.concatenate([array.ravel()] * 3)
    array = array.copy()
    if array.size:
        special = [np.nan, np.inf, -np.inf, -1, 1e300] if array.dtype.kind == "f" else [
            -1, -2, 2**31 - 1, 0, 127]  # fmt: skip
        with np.errstate(all="ignore"):
            array.flat[int(rng.integers(array.size))] = special[int(rng.integers(len(special)))]
    return array


def changed_arrays(arrays: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return arrays with one changed, removed or renamed."""
    names = list(arrays)
    if not names:
        return {"a": np.zeros(3)}
    name = names[int(rng.integers(len(names)))]
    action = rng.integers(5)
    if action == 0:
        return {key: array for key, array in arrays.items() if key != name}
    if action == 1:
        return {f"{key}_" if key == name else key: array for key, array in arrays.items()}
    return {**arrays, name: changed_array(arrays[name], rng)}


def forge_checkpoint(path: Path, rng: np.random.Generator) -> None:
    arrays, document = read_checkpoint(path)
    if rng.random() < 0.5:
        document = changed_document(document, rng)
    else:
        arrays = changed_arrays(arrays, rng)
    with contextlib.suppress(TypeError):  # no dictionary: cannot be written
        write_checkpoint(path, arrays, document)


def forge_student(path: Path, rng: np.random.Generator) -> None:
    from dynamaze.distill.files import weights as module

    stored = read_weights(path)
    weights, config, card = stored
    turn = rng.integers(3)
    if turn == 0:
        weights = changed_arrays(weights, rng)
    elif turn == 1:
        config = changed_document(config, rng)
    else:
        card = changed_document(card, rng)
    check, module._check_finite = module._check_finite, lambda weights: None
    try:
        with contextlib.suppress(Exception):  # text, or a card without its entries
            write_weights(path, weights, config, card)
    finally:
        module._check_finite = check


def forge_csv(path: Path, rng: np.random.Generator) -> None:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    row = rows[int(rng.integers(len(rows)))]
    row[int(rng.integers(len(row)))] = str(hostile(rng))
    path.write_text("\n".join(map(",".join, rows)), encoding="utf-8")


def forge_store(path: Path, rng: np.random.Generator) -> None:
    """Change a value of a store, and the CRC of a run with it."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        tables = {
            "sessions": ("provenance", "pid", "heartbeat"),
            "groups": ("digest", "experiment", "configuration", "id"),
            "schemas": ("columns",),
            "runs": ("number", "schema_id", "seconds", "metrics", "body", "crc"),
            "sweeps": ("configuration", "group_ids", "report", "began"),
            "sweep_tables": ("columns", "metrics", "body"),
            "sweep_pictures": ("picture",),
        }
        names = list(tables)
        table = names[int(rng.integers(len(names)))]
        column = tables[table][int(rng.integers(len(tables[table])))]
        values = [
            None, -1, 2**62, 1.5, float("inf"), "", "x", "[" * 5000, "{}", "[]", "5", b"", b"\x01",
            '[["a","|O",[],"body"]]', '[["a","<f8",[1000000000],"body"]]', '[["a"]]',
            '[["a","<f8",[-1],"body"]]', '[["a","<f8",[],"metrics"]]', '{"sections": 5}',
            b"\x01" + (2**60).to_bytes(8, "little") + zlib.compress(bytes(100)),
            b"\x01" + (1).to_bytes(8, "little") + zlib.compress(bytes(10**8), 1),
        ]  # fmt: skip
        with contextlib.suppress(sqlite3.Error):
            connection.execute(
                f"UPDATE {table} SET {column} = ?", (values[int(rng.integers(len(values)))],)
            )
        with contextlib.suppress(Exception):  # a value that has no CRC
            for digest, number, *content in connection.execute(
                "SELECT digest, number, columns, metrics, body FROM runs JOIN groups ON group_id = "
                "groups.id JOIN schemas ON schema_id = schemas.id"
            ).fetchall():
                found = EncodedTable(content[0], content[1] or "", content[2] or b"")
                crc = table_crc(digest, number, found)
                connection.execute("UPDATE runs SET crc = ? WHERE number = ?", (crc, number))
        with contextlib.suppress(Exception):
            for name, sweep, *content in connection.execute(
                "SELECT name, sweep_id, columns, metrics, body FROM sweep_tables"
            ).fetchall():
                crc = table_crc(name, sweep, EncodedTable(*content))
                connection.execute("UPDATE sweep_tables SET crc = ?", (crc,))


def forge_toml(path: Path, rng: np.random.Generator) -> None:
    keys = ["runs", "seed", "plot-only", "output", "x", "a.b.c", '"é"', "", "workers"]
    text = [str(hostile(rng)) for _ in range(3)] + [
        "[[" * 2000,
        "{a={b={}}}",
        '"""' * 3,
        "1979-05-27",
    ]
    path.write_text(
        "\n".join(
            f"{keys[int(rng.integers(len(keys)))]} = {text[int(rng.integers(len(text)))]}"
            for _ in range(3)
        ),
        encoding="utf-8",
    )


def forge_layout(path: Path, rng: np.random.Generator) -> None:
    pieces = [
        "S",
        "G",
        "#",
        ".",
        "\n",
        "\n",
        "@ 100\n",
        "@",
        "@ -1\n",
        f"@ {10**30}\n",
        "x",
        "\t",
        " ",
    ]
    path.write_text("".join(rng.choice(pieces, size=int(rng.integers(1, 60)))), encoding="utf-8")


# -- valid files -------------------------------------------------------------------------------


def make_store(path: Path) -> None:
    with Store(path, provenance={"command": "x"}) as store:
        group = store.open_group(Group("toy", "label", "env", "{}", "code"))
        for number in range(3):
            table = {"mean": np.array([0.5]), "curve": np.arange(50.0)[None]}
            store.claim(group, [number])
            store.record(group, [RunRecord(number, encode_table(table), "", 0.1, 1)])
        sweep = store.begin_sweep("toy", "{}", [group])
        store.end_sweep(
            sweep, {"toy": {"mean": np.arange(3.0)}}, sections={"a": [("b",)]}, pictures=[b"png"]
        )


def load_store(path: Path) -> None:
    with Store(path, write=False) as store:
        for stored in store.groups():
            list(store.tables(stored.id))
            store.failures(stored.id)
            store.seconds(stored.id)
            store.column_names([stored.id])
            store.provenances([stored.id])
        store.experiments()
        for sweep in store.sweeps():
            store.sweep_tables(sweep.id)
            store.sweep_pictures(sweep.id)


def make_agent(path: Path) -> None:
    DynaQPlus("DynaMazeBlocking-v0", seed=0).learn(60).save(path)


def make_layout(path: Path) -> None:
    path.write_text("S.#\n..G\n@ 100\nS..\n#.G\n")


def make_toml(path: Path) -> None:
    path.write_text('runs = 3\nplot-only = true\noutput = "x"\n')


def make_csv(path: Path) -> None:
    write_csv(path, make_table(agent=["a", "b"] * 20, run=np.arange(40), reward=np.arange(40) / 7))


def kinds_of_students() -> Iterator[FileKind]:
    """Yield the kinds of files that need torch."""
    from dynamaze.distill import (
        Card,
        load_policy,
        load_student,
        make_student,
        open_policy,
        save_student,
    )
    from dynamaze.distill.core.dataset import Dataset, make_batch
    from dynamaze.distill.core.levels import LevelRange
    from dynamaze.distill.core.size import Size
    from dynamaze.distill.files.students import load_card

    card = Card(made="x", environment={"id": "x"}, training=(LevelRange(0, 9),), size=Size(1, 2, 3))
    arguments: dict[str, dict[str, Any]] = {
        "mlp": {"observation_shape": (4,), "num_actions": 3, "width": 5},
        "gru": {"observation_shape": (4,), "num_actions": 3, "width": 5},
        "conv": {"observation_shape": (3, 5, 5), "num_actions": 4},
        "value_iteration": {"maps": 5},
        "residual": {"channels": 2, "blocks": 1},
        "transformer": {"layers": 1, "width": 8, "heads": 1},
        "table": {"observation_shape": (4,), "num_actions": 3},
        "tree": {"observation_shape": (4,), "num_actions": 3},
    }

    def maker(kind: str) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            save_student(path, make_student(kind, **arguments[kind]), card=card)

        return make

    for kind in arguments:
        loads: tuple[Load, ...] = (load_student, open_policy, load_card)
        if kind not in ("residual", "transformer"):
            loads += (load_policy,)
        yield FileKind(f"{kind}.safetensors", maker(kind), loads, StudentFileError, forge_student)

    def make_dataset(path: Path) -> None:
        rng = np.random.default_rng(0)
        batch = make_batch(rng.random((20, 4)), rng.random((20, 3)), values=rng.random(20))
        Dataset(batch, (LevelRange(0, 9),)).save(path)

    yield FileKind("dataset.npz", make_dataset, (Dataset.load,), CheckpointError, forge_checkpoint)


def kinds_of_onnx() -> Iterator[FileKind]:
    """Yield ONNX files."""
    from dynamaze.distill import export_onnx, make_student, open_policy

    def make(path: Path) -> None:
        student = make_student("mlp", observation_shape=(4,), num_actions=3, width=5)
        export_onnx(path, student, np.zeros(4, dtype=np.float32))

    def forge(path: Path, rng: np.random.Generator) -> None:
        import onnx

        model = onnx.load(path)
        turn = rng.integers(4)
        tensor = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
        if turn == 0:
            tensor.dims[0] = [10**9, -1, 0, 2**62][int(rng.integers(4))]
        elif turn == 1:
            tensor.data_type = int(rng.integers(0, 20))
        elif turn == 2:
            about = json.loads(model.metadata_props[0].value)
            model.metadata_props[0].value = json.dumps(changed_document(about, rng))
        else:
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", "/etc/passwd"
            tensor.data_location = 1
        path.write_bytes(model.SerializeToString())

    yield FileKind("policy.onnx", make, (open_policy,), StudentFileError, forge)


def kinds_of_sb3() -> Iterator[FileKind]:
    """Yield files of Stable-Baselines3; the warning of pickles counts as having been read."""
    from stable_baselines3 import PPO

    from dynamaze.distill.teachers.sb3 import load_sb3

    def make(path: Path) -> None:
        PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, device="cpu").save(path)

    def load(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            with contextlib.suppress(UserWarning):
                load_sb3(path, "PPO")

    def forge(path: Path, rng: np.random.Generator) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = list(members)[int(rng.integers(len(members)))]
        turn = rng.integers(4)
        if turn == 0:
            members[name] = json.dumps(hostile(rng)).encode()
        elif turn == 1:
            members[name] = bytes(10**8)
        elif turn == 2:
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as bomb:
                bomb.writestr("archive/data/0", bytes(10**8))
            members["policy.pth"] = inner.getvalue()
        else:
            del members[name]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if turn == 1 else 0) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    yield FileKind("teacher.zip", make, (load,), CheckpointError, forge)


def basic_kinds() -> Iterator[FileKind]:
    """Yield the kinds of files that need neither torch nor ONNX."""
    yield FileKind(
        "agent.npz",
        make_agent,
        (DynaQPlus.load, lambda path: DynaQPlus.load(path, env="DynaMazeBlocking-v0")),
        CheckpointError,
        forge_checkpoint,
    )
    yield FileKind("table.csv", make_csv, (read_csv,), TableError, forge_csv)
    yield FileKind("store.sqlite", make_store, (load_store,), StoreError, forge_store)
    toml = lambda path: config_arguments(str(path), ExperimentConfig)  # noqa: E731
    yield FileKind("options.toml", make_toml, (toml,), ValueError, forge_toml)
    layout = lambda path: gym.make("DynaMaze-v0", layout=path)  # noqa: E731
    yield FileKind("layout.txt", make_layout, (layout,), LayoutError, forge_layout)


GROUPS: dict[str, Callable[[], Iterator[FileKind]]] = {
    "basic": basic_kinds,
    "students": kinds_of_students,
    "onnx": kinds_of_onnx,
    "sb3": kinds_of_sb3,
}


# -- damage ------------------------------------------------------------------------------------


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return content with flipped bits, cut, with inserted, swapped or repeated parts."""
    size = max(1, len(content))
    at, other = sorted(int(n) for n in rng.integers(size, size=2))
    action = rng.integers(7)
    if action == 0:
        return content[:at]
    if action == 1:
        return content[:at] + rng.bytes(int(rng.integers(1, 20))) + content[at:]
    if action == 2:
        return content[:at] + content[other:]
    if action == 3:
        return content[:other] + content[at:]
    if action == 4:
        return content[:at] + bytes(other - at) + content[other:]
    if action == 5:
        extreme = [0, 255, 127, 128][int(rng.integers(4))]
        return content[:at] + bytes([extreme] * min(8, size - at)) + content[at + 8 :]
    flipped = bytearray(content)
    for place in rng.integers(size, size=int(rng.integers(1, 8))):
        flipped[place % max(1, len(flipped))] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


# -- the trial ---------------------------------------------------------------------------------


def peak_memory(reset: bool = False) -> int:
    """Return the largest resident memory since the last reset, in bytes."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def outcome(kind: FileKind, load: Load, path: Path) -> str:
    """Load a file, and return "loaded" or "refused".

    Raises:
        AssertionError: for another error, or too much memory or time.
    """
    before, began = peak_memory(reset=True), time.process_time()
    result, message = "loaded", path.name
    try:
        load(path)
    except kind.error as error:
        result, message = "refused", str(error)
    took, memory = time.process_time() - began, peak_memory() - before
    assert path.name in message, f"the error does not name the file: {message}"
    assert "\n" not in message, f"an error of several lines: {message}"
    assert took < MOST_SECONDS, f"{took:.1f} s"
    assert memory < MOST_BYTES, f"{memory:,} bytes"
    return result


def damage_files(
    folder: Path,
    kinds: Sequence[FileKind],
    files: int,
    rng: np.random.Generator,
    report: Callable[[str], None] = print,
    failures: int = 20,
) -> Counter[str]:
    """Load damaged and forged files, and return the counts of what happened.

    Raises:
        AssertionError: after all files, if a loader did not do as it must; the first are reported.
    """
    contents = {}
    for kind in kinds:
        kind.make(folder / kind.name)
        contents[kind.name] = (folder / kind.name).read_bytes()
        for load in kind.loads:
            load(folder / kind.name)  # imports and compiles what it needs
    done: Counter[str] = Counter()
    for number in range(files):
        kind = kinds[number % len(kinds)]
        path = folder / kind.name
        for old in folder.glob(f"{kind.name}-*"):  # the logs of a store
            old.unlink()
        path.write_bytes(contents[kind.name])
        if kind.forge is not None and rng.random() < 2 / 3:
            kind.forge(path, rng)
        else:
            path.write_bytes(damaged(path.read_bytes(), rng))
        for load in kind.loads:
            try:
                done[outcome(kind, load, path)] += 1
            except Exception as error:
                done["failures"] += 1
                done[f"{kind.name}: {type(error).__name__}"] += 1
                if done["failures"] <= failures:
                    report(f"file {number}, {kind.name}, {load}: {error!r}"[:600])
    assert not done["failures"], dict(done)
    return done


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of files of up to 10 MB that could take far more memory or time."""
    size = 10**7
    number = "12,34,56\n" * (size // 9)
    yield "table.csv", f"a,b,c\n{number}".encode()
    yield "table.csv", ("a,b\n" + "x,1\n" * (size // 4)).encode()
    yield "table.csv", ("a\n" + "1\n" * (size // 2 - 9) + "xy\n").encode()
    yield "table.csv", ("a\n" + "y" * 100_000 + "\n" + "x\n" * (size // 3)).encode()
    yield "table.csv", ",".join(map(str, range(size // 8))).encode()
    yield "table.csv", ("a\n" + "1," * (size // 2)).encode()
    yield "table.csv", ("a\n" + '"\n",' * (size // 5)).encode()
    yield "table.csv", b"a\n" + b'"' * size
    yield "options.toml", b"a = " + b"[" * 60_000
    yield "options.toml", b".".join([b"a"] * 30_000) + b" = 1"
    yield "options.toml", b"\n".join(b".".join([b"%d" % n] * 500) + b" = 1" for n in range(9))
    yield "options.toml", b"runs = 1\n" * (size // 9)
    yield "layout.txt", b"." * size
    yield "layout.txt", b".\n" * (size // 2)
    yield "layout.txt", b"S.G\n" + b"".join(b"@ %d\nS.G\n" % n for n in range(1, 300_000))
    yield "layout.txt", (b"." * 1999 + b"\n") * 2000
    for text in (b"[" * size, b"[" + b"[]," * (size // 3), b"[" + b'"aa",' * (size // 5)):
        yield "agent.npz", archive({"__document__": np.frombuffer(text, np.uint8)})
    yield "agent.npz", archive({f"a{n}": np.zeros(0) for n in range(40_000)})
    yield "agent.npz", archive({"a": np.broadcast_to(np.array("", "U1"), 10).astype("U1")}) * 2
    yield "mlp.safetensors", (10**6).to_bytes(8, "little") + b"[" * 10**6
    yield "mlp.safetensors", size.to_bytes(8, "little") + b'{"a":' * (size // 5)
    yield "policy.onnx", b"\x3a\x80\xad\xe2\x04" + b"\x0a\x00" * (size // 2)  # empty nodes
    yield "policy.onnx", b"\x3a\x00" * (size // 2)


def archive(arrays: dict[str, Any]) -> bytes:
    """Return an archive of NumPy's with stored members."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


class Pickled:
    """Object whose pickle makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def planted(content: bytes, pickled: bytes, objects: bytes) -> Iterator[bytes]:
    """Yield variants of a file with a pickle inside.

    Args:
        content: the valid file.
        pickled: the pickle.
        objects: the same as an array of objects in NumPy's format, which is a pickle, too.
    """
    yield from (pickled, objects, content + pickled)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in members:
        for member in (pickled, objects):
            yield zipped({**members, name: member})
    yield zipped({**members, "more.npy": objects, "more.pkl": pickled, "data.pkl": pickled})


def zipped(members: dict[str, bytes]) -> bytes:
    """Return an archive with stored members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def load_pickles(folder: Path, kinds: Sequence[FileKind]) -> Counter[str]:
    """Load files with pickles in them, which none may run.

    Raises:
        AssertionError: if one did, or a loader raised another error than its own.
    """
    done: Counter[str] = Counter()
    made = folder / "made by a pickle"
    pickled, objects = pickle.dumps(Pickled(made)), io.BytesIO()
    np.save(objects, np.array([Pickled(made)], dtype=object), allow_pickle=True)
    for kind in kinds:
        path = folder / kind.name
        kind.make(path)
        for content in planted(path.read_bytes(), pickled, objects.getvalue()):
            path.write_bytes(content)
            for load in kind.loads:
                done[f"pickles {outcome(kind, load, path)}"] += 1
                assert not made.exists(), f"{kind.name}, {load} ran a pickle"
    return done


def load_bombs(folder: Path, kinds: Sequence[FileKind]) -> Counter[str]:
    """Load each bomb by the loaders of its kind.

    Raises:
        AssertionError: if one did not do as it must.
    """
    known = {kind.name: kind for kind in kinds}
    done: Counter[str] = Counter()
    for number, (name, content) in enumerate(bombs()):
        if name not in known:
            continue
        (folder / name).write_bytes(content)
        for load in known[name].loads:
            try:
                done[f"bombs {outcome(known[name], load, folder / name)}"] += 1
            except Exception as error:
                raise AssertionError(f"bomb {number}, {name}, {load}: {error!r}") from error
    return done


def main() -> None:
    """Run the trial, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    kinds = [kind for name in options.groups for kind in GROUPS[name]()]
    with tempfile.TemporaryDirectory() as name:
        rng = np.random.default_rng(options.seed)
        folder = Path(name)
        done = load_pickles(folder, kinds) + damage_files(folder, kinds, options.files, rng)
        done += load_bombs(folder, kinds)
    print(f"{options.files} files of {len(kinds)} kinds: {dict(done)}; one error for each loader")


if __name__ == "__main__":
    main()
