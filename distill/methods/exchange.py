"""Exchange of weights between worker processes through a folder.

Each worker replaces a file of its own, `NAME.safetensors`, atomically, and reads those of the
others: no worker waits for another, and one that was killed leaves a whole file. A worker whose
file has not changed for a time limit is inactive until it does, unless it has finished.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..files.weights import StudentFileError, read_weights, write_weights
from ..students.base import Student

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

START_SECONDS, POLL_SECONDS = 60.0, 0.05
"""Seconds to wait for the first files of the others, and between two looks for them."""


class WeightExchange:
    """Files of several workers in one folder, as one of them sees them.

    Args:
        folder: the folder; it is made if it is missing.
        name: name of this worker's file, without its ending.
        peers: names of the others' files.
        patience: seconds without a change after which another worker is inactive.
        clock: in seconds.

    Attributes:
        seen: name of another worker -> the training step of its newest weights that were read.

    Raises:
        ValueError: for no other workers, a name that is no file's name, equal names, or a time
            limit that is not above 0.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str,
        peers: Sequence[str],
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        names = [name, *peers]
        wrong = [each for each in names if each != Path(each).name or each.startswith(".")]
        if len(names) < 2 or len(set(names)) < len(names) or wrong:
            raise ValueError(
                f"worker {name!r} with the peers {list(peers)}; expected at least one peer, and "
                "different names that files can have"
            )
        self._folder, self._name, self._patience = Path(folder), name, patience
        checked_number("patience", patience, 0, above=True)
        self._clock = clock
        self.seen: dict[str, int] = {}
        self._finished: set[str] = set()
        self._changed = dict.fromkeys(peers, clock())  # when a file was new for the last time

    def begin(self, student: Student, total_steps: int) -> None:
        """Write the initial weights, and wait a while for the others' first files.

        Raises:
            FileExistsError: if there is a file of this worker from another training.
        """
        path = self._path(self._name)
        if path.exists():
            raise FileExistsError(
                f"{path} exists, from another training; expected a new folder (a worker that goes "
                "on resumes a checkpoint)"
            )
        self.publish(student, 0, total_steps)
        limit = self._clock() + START_SECONDS
        while not all(map(self._exists, self._changed)) and self._clock() < limit:
            time.sleep(POLL_SECONDS)

    def publish(self, student: Student, step: int, total_steps: int) -> None:
        """Replace this worker's file.

        Raises:
            OSError: if it cannot be written; the older one stays as it was.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        weights = {key: array.detach().cpu().numpy() for key, array in student.state_dict().items()}
        # A file of a student, whose card is the state of its training.
        card = {"step": step, "total_steps": total_steps}
        write_weights(self._path(self._name), weights, student.config, card)

    def news(self, peer: str, student: Student) -> dict[str, torch.Tensor] | None:
        """Return the weights of another worker, if they are newer than the last ones.

        Args:
            peer: its name.
            student: one of the same kind and size.

        Raises:
            StudentFileError: (a ValueError) for a file that is damaged or of another student.
        """
        if not self._exists(peer):
            return None
        path = self._path(peer)
        weights, config, card = read_weights(path)
        expected = {key: tuple(array.shape) for key, array in student.state_dict().items()}
        if config != student.config or {k: a.shape for k, a in weights.items()} != expected:
            raise StudentFileError(f"{path} has a student {config}; expected {student.config}")
        if card["step"] == self.seen.get(
            peer
        ):  # it may be smaller, after the resume of an older one
            return None
        self.seen[peer], self._changed[peer] = card["step"], self._clock()
        if card["step"] == card["total_steps"]:
            self._finished.add(peer)
        return {key: torch.from_numpy(array.copy()) for key, array in weights.items()}

    def is_active(self, peer: str) -> bool:
        """Tell whether another worker has written a file that is new enough, or its last one."""
        if peer not in self.seen:
            return False
        age = self._clock() - self._changed[peer]
        return peer in self._finished or age <= self._patience

    def get_state(self) -> dict[str, Any]:
        """Return the steps that were read; times are counted anew after `set_state`."""
        return {"seen": dict(self.seen), "finished": sorted(self._finished)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self.seen, self._finished = dict(state["seen"]), set(state["finished"])
        self._changed = dict.fromkeys(self._changed, self._clock())

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _exists(self, peer: str) -> bool:
        return self._path(peer).exists()
