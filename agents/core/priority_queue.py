"""Compiled priority queue of numbered items, the highest priority first.

An indexed binary heap (Cormen, Leiserson, Rivest and Stein 2009, section 6.5): it stores the
position of each item, so that a priority can be changed in place. Items are numbers from 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled


class Queue(NamedTuple):
    """Record of the queue, changed in place by compiled code."""

    heap: IntArray  # (items,) queued items; none is above one of higher priority
    place: IntArray  # (items,) an item's position in the heap; -1 if it is not queued
    priority: FloatArray  # (items,) priorities of queued items
    size: IntArray  # (1,) number of queued items

    @classmethod
    def empty(cls, items: int) -> Queue:
        """Return an empty queue for items 0 to `items` - 1."""
        return cls(
            np.zeros(items, dtype=np.int64),
            np.full(items, -1, dtype=np.int64),
            np.zeros(items),
            np.zeros(1, dtype=np.int64),
        )


@compiled
def put(queue, item, priority):
    """Insert an item with this priority, or change the priority of a queued one."""
    if queue.place[item] < 0:
        queue.place[item] = queue.size[0]
        queue.heap[queue.size[0]] = item
        queue.size[0] += 1
    queue.priority[item] = priority
    rise(queue, item)
    sink(queue, item)


@compiled
def raise_to(queue, item, priority):
    """Insert an item, or raise its priority to at least this one."""
    if queue.place[item] < 0 or queue.priority[item] < priority:
        put(queue, item, priority)


@compiled
def take(queue):
    """Remove and return the item of highest priority; the queue must not be empty."""
    item = queue.heap[0]
    drop(queue, item)
    return item


@compiled
def drop(queue, item):
    """Remove a queued item."""
    place = queue.place[item]
    queue.size[0] -= 1
    last = queue.heap[queue.size[0]]
    queue.place[item] = -1
    if last != item:
        queue.heap[place] = last
        queue.place[last] = place
        rise(queue, last)
        sink(queue, last)


@compiled
def rise(queue, item):
    """Move an item up to its place in the heap."""
    heap, place, priority = queue.heap, queue.place, queue.priority
    own, here = priority[item], place[item]
    while here > 0:
        above = (here - 1) >> 1
        other = heap[above]
        if priority[other] >= own:
            break
        heap[here], place[other] = other, here
        here = above
    heap[here], place[item] = item, here


@compiled
def sink(queue, item):
    """Move an item down to its place in the heap."""
    heap, place, priority = queue.heap, queue.place, queue.priority
    own, here, size = priority[item], place[item], queue.size[0]
    below = 2 * here + 1
    while below < size:
        if below + 1 < size and priority[heap[below + 1]] > priority[heap[below]]:
            below += 1
        other = heap[below]
        if priority[other] <= own:
            break
        heap[here], place[other] = other, here
        here, below = below, 2 * below + 1
    heap[here], place[item] = item, here
