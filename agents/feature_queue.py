"""A queue of numbered features by priority."""

from __future__ import annotations

import heapq

import numpy as np

from .transitions import FloatArray


class FeatureQueue:
    """The feature of the highest priority comes first; of equal ones, the lowest number.

    Args:
        num_features: how many there are.
        threshold: lower priorities are not queued.

    Attributes:
        priorities: (num_features,) 0 for those that are not in the queue.
    """

    def __init__(self, num_features: int, threshold: float) -> None:
        self.threshold = threshold
        self.priorities = np.zeros(num_features)
        self._heap: list[tuple[float, int]] = []

    def push(self, feature: int, priority: float) -> None:
        """Queue a feature; if it is queued already, the higher priority counts."""
        if priority >= self.threshold and priority > self.priorities[feature]:
            self.priorities[feature] = priority
            heapq.heappush(self._heap, (-priority, feature))  # the older entry is passed over

    def pop(self) -> int | None:
        """Take the first feature; None if there is none."""
        while self._heap:
            priority, feature = heapq.heappop(self._heap)
            if self.priorities[feature] == -priority:
                self.priorities[feature] = 0.0
                return feature
        return None

    def set_priorities(self, priorities: FloatArray) -> None:
        """Queue exactly those whose priority is above 0."""
        self.priorities = priorities.copy()
        self._heap = [(-priorities[i], int(i)) for i in np.flatnonzero(priorities)]
        heapq.heapify(self._heap)
