"""The student that plans on its own map, with the expert's costs as its weights."""

from __future__ import annotations

import numpy as np
import torch

from dynamaze.common.map_memory import BUMPED, ENTERED, NUM_EVENTS
from dynamaze.distill.core.observations import AGE_FEATURES
from dynamaze.distill.students.map_value_iteration import MapValueIteration

SCALE = 64.0
"""Factor of all costs, from which on the softplus of a cost is the cost itself, in float32."""


def expert_student() -> MapValueIteration:
    """Return the student whose 24 weights are the expert's costs, times `SCALE`."""
    reading = np.zeros((2, NUM_EVENTS, AGE_FEATURES), dtype=np.float32)
    ending, stepping = reading
    ending[:, 0] = [-1000, -3000, 0, -1e5]
    ending[ENTERED, 2] = 200  # 1 less with each move
    stepping[:, 0] = [1, 1, 1, 401]
    stepping[BUMPED, 2] = -200
    student = MapValueIteration("exact")
    # Times SCALE the softplus of a cost is the cost itself, in float32.
    reading *= SCALE
    student.load_state_dict(
        {**student.state_dict(), "reading": torch.from_numpy(reading.reshape(2, -1))}
    )
    return student
