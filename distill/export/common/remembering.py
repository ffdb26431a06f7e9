"""The memory of a policy without torch, from one call to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Remembering:
    """A policy that remembers: a row of memory for each of a batch of episodes, until `reset`.

    It sets `memory` when it is made: what plays asks whether there is one.

    Attributes:
        width: numbers that are remembered.
        memory: (batch, width) float32 what it remembers, None for nothing. What plays with it in
            between keeps it and puts it back.
    """

    width: int
    memory: npt.NDArray[np.float32] | None

    def recall(self, count: int) -> npt.NDArray[np.float32]:
        """(count, width) a copy of what it remembers of so many episodes; zeros at first.

        Raises:
            ValueError: for another number of observations than the memory is of.
        """
        if self.memory is None:
            return np.zeros((count, self.width), dtype=np.float32)
        if len(self.memory) != count:
            raise ValueError(
                f"{count} observations, and a memory of {len(self.memory)}; expected as many, or "
                "reset() before others"
            )
        return self.memory.copy()

    def reset(self, began: npt.NDArray[np.bool_] | None = None) -> None:
        """Forget.

        Args:
            began: (batch,) True where an episode begins; None for everywhere.
        """
        if began is None or self.memory is None:
            self.memory = None
            return
        kept: Any = ~np.asarray(began, dtype=np.bool_)
        self.memory = self.memory * kept[:, None].astype(np.float32)
