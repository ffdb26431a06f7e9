"""Functions that compiled code calls: what they refer to is found from the caller's code."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dynamaze.common.compiled import compiled

PRINTS = """
from dynamaze.common.compiled import compiled

@compiled
def shown(n):
    print("number", n)
    return n

@compiled
def after_shown(n):
    return shown(n) + 1

print(after_shown(5))
"""


@compiled
def small(n):
    if n > 3:
        raise ValueError("too large")
    return n


@compiled
def unless_none(n):
    # For unsigned numbers the branch is never taken, and the call disappears.
    return small(2) if n == -1 else n


@compiled
def both_kinds(unsigned, signed):
    return unless_none(unsigned) + unless_none(signed)


def test_callee_of_removed_call_is_linked():
    assert both_kinds(np.uint64(7), np.int64(-1)) == 9
    assert both_kinds(np.uint64(7), np.int64(5)) == 12


@compiled
def after_small(n):
    return small(n) + 1


def test_callee_raises_its_error():
    assert after_small(3) == 4
    with pytest.raises(ValueError, match="too large"):
        after_small(4)


def test_callee_prints():
    # Numbers are printed by means of Python objects, which a callee's environment keeps.
    done = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["number", "5", "6"]
