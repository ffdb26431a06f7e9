"""Batches as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import

from ..core.dataset import Batch, check_batch
from ..core.losses import Targets

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402


@dataclass(frozen=True)
class TensorBatch:
    """Observations, perhaps with labels and other columns.

    Attributes:
        observations: (batch, ...).
        labels: the teacher's labels; None for unlabelled observations.
        extra: other columns by name.
        source: class of the source, for messages.
    """

    observations: Tensor
    labels: Targets | None
    extra: Mapping[str, Tensor]
    source: str

    @property
    def targets(self) -> Targets:
        """The teacher's labels.

        Raises:
            TypeError: for unlabelled observations.
        """
        if self.labels is None:
            raise TypeError(f"a batch of {self.source} without labels; expected a labelled one")
        return self.labels


def as_tensors(batch: Batch, source: str, device: torch.device) -> TensorBatch:
    """Return a batch as tensors, its labels checked.

    Args:
        batch: the batch.
        source: class of the source, for messages.
        device: device of the tensors.

    Raises:
        ValueError, TypeError: for invalid labels (see `check_batch`).
    """

    def tensor(column: Any) -> Any:
        return None if column is None else torch.from_numpy(column).to(device)

    *given, extra = Batch(*batch)
    columns = [None if column is None else np.asarray(column) for column in given]
    check_batch(Batch(*columns), source)  # type: ignore[arg-type]  # it checks the types
    observations, logits, weights, values = map(tensor, columns)
    labels = None if logits is None else Targets(logits, weights, values)
    others = {name: tensor(np.asarray(column)) for name, column in (extra or {}).items()}
    return TensorBatch(observations, labels, others, source)
