"""Trial: SIGKILL of writers at random moments during a save.

A writer saves the same files again and again, each time with other content. After a random time it
is killed, and the files are read, as the next start would read them. It is checked that

1. each file is whole, and its content is that of one save;
2. files that belong together (a student and its card's page, tables and their plot) are of the same
   save; a derived one may be missing;
3. no temporary file is left after the next read.

    python tests/trials/kill_saves.py --kills 600
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import csv_content, make_table, read_csv
from dynamaze.benchmarks.harness.store.database import Store
from dynamaze.common.atomic_files import TEMPORARY, remove_strays, write_together
from dynamaze.common.storage import read_checkpoint, write_checkpoint

Save = Callable[[Path, int], None]
"""Writes files of a number into a folder."""

Check = Callable[[Path], None]
"""Reads them; raises an AssertionError if they are not whole or disagree."""


def save_checkpoint(folder: Path, number: int) -> None:
    write_checkpoint(folder / "a.npz", {"a": np.full(200_000, number)}, {"number": number})


def check_checkpoint(folder: Path) -> None:
    arrays, document = read_checkpoint(folder / "a.npz")
    assert (arrays["a"] == document["number"]).all()


def save_tables(folder: Path, number: int) -> None:
    table = csv_content(make_table(number=np.full(5000, number)))
    plot = str(number).encode() * 20_000
    write_together((folder / "t.csv", table), [(folder / "t_2.csv", table), (folder / "t", plot)])


def check_tables(folder: Path) -> None:
    (number,) = set(read_csv(folder / "t.csv")["number"].tolist())
    with suppress(FileNotFoundError):
        assert set(read_csv(folder / "t_2.csv")["number"].tolist()) == {number}
    with suppress(FileNotFoundError):
        assert (folder / "t").read_text() == str(number) * 20_000


def save_store(folder: Path, number: int) -> None:
    """Create a store, always another one: a killed creation leaves no file or a whole one."""
    Store(folder / f"{number % 3}.sqlite").close()
    (folder / f"{number % 3}.sqlite").unlink()


def check_store(folder: Path) -> None:
    for number in range(3):
        with Store(folder / f"{number}.sqlite") as store:
            assert store.groups() == []


def save_agent(folder: Path, number: int) -> None:
    from dynamaze.agents import QLearning

    agent = QLearning("DynaMaze-v0")
    agent.num_timesteps = number
    agent.values.q[:] = number  # type: ignore[attr-defined]  # a table
    agent.save(folder / "agent.npz")


def check_agent(folder: Path) -> None:
    from dynamaze.agents import QLearning

    agent = QLearning.load(folder / "agent.npz")
    assert (agent.values.q == agent.num_timesteps).all()  # type: ignore[attr-defined]  # as above


def save_student(folder: Path, number: int) -> None:
    import torch

    from dynamaze.distill import Card, make_student
    from dynamaze.distill import save_student as save

    student = make_student("mlp", observation_shape=(3,), num_actions=4, width=500)
    with torch.no_grad():
        student.layers[-1].bias.fill_(number)
    save(folder / "s.safetensors", student, card=Card(made=f"Save {number}."))


def check_student(folder: Path) -> None:
    from dynamaze.distill.files.students import load_card, load_student

    (number,) = set(load_student(folder / "s.safetensors").layers[-1].bias.tolist())
    assert load_card(folder / "s.safetensors").made == f"Save {number:.0f}."
    with suppress(FileNotFoundError):
        assert f"\nSave {number:.0f}.\n" in (folder / "s.md").read_text()


def save_video(folder: Path, number: int) -> None:
    from dynamaze.envs.rendering import Animation

    Animation([np.full((64, 64, 3), number % 256, dtype=np.uint8)] * 3).save(folder / "v.gif")


def check_video(folder: Path) -> None:
    from PIL import Image

    remove_strays(folder)  # Pillow does not
    with Image.open(folder / "v.gif") as video:
        assert video.n_frames == 3  # type: ignore[attr-defined]


KINDS: dict[str, tuple[Save, Check]] = {
    "checkpoint": (save_checkpoint, check_checkpoint),
    "tables": (save_tables, check_tables),
    "store": (save_store, check_store),
    "agent": (save_agent, check_agent),
    "student": (save_student, check_student),
    "video": (save_video, check_video),
}


def temporaries(folder: Path) -> list[str]:
    """Return the names of temporary files, with those that SQLite adds."""
    return [path.name for path in folder.iterdir() if TEMPORARY.match(path.name)]


def kill_saves(
    folder: Path, kinds: Sequence[str], kills: int, rng: np.random.Generator, longest: float
) -> Counter[str]:
    """Kill writers, and return the number of kills and of those that left a temporary file.

    Args:
        folder: for the files.
        kinds: some of `KINDS`.
        kills: their number.
        rng: chooses kinds and moments.
        longest: seconds until a kill at most.

    Raises:
        AssertionError: if anything was lost, half, in disagreement or left behind.
    """
    done: Counter[str] = Counter()
    for kind in kinds:
        (folder / kind).mkdir()
        KINDS[kind][0](folder / kind, 0)  # before the fork: what is imported here is not again
        KINDS[kind][1](folder / kind)
    for turn in range(kills):
        kind = kinds[int(rng.integers(len(kinds)))]
        save, check = KINDS[kind]
        writer = os.fork()
        if not writer:
            signal.alarm(60)  # in case it is not killed
            number = 1000 * (turn + 1)
            while True:
                number += 1
                save(folder / kind, number)
        time.sleep(rng.uniform(0, longest))
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        assert os.WIFSIGNALED(status), f"the writer of a {kind} failed"
        done["kills"] += 1
        done["in a save"] += bool(temporaries(folder / kind))
        check(folder / kind)
        left = temporaries(folder / kind)
        assert not left, f"temporary files of a {kind} are left: {left}"
    return done


def main() -> None:
    """Run the trial, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=0.1, help="seconds until a kill")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        done = kill_saves(Path(name), options.kinds, options.kills, rng, options.longest)
    print(f"{dict(done)}: nothing lost or half, all pairs agree, no temporary file left")


if __name__ == "__main__":
    main()
