"""Walking a maze in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .walk_state import QUIT_KEYS, WalkState

ESCAPES = {"\x1b[a": "up", "\x1b[b": "down", "\x1b[c": "right", "\x1b[d": "left"}
"""Escape sequences of the arrow keys, in lower case."""

TEXT_KEYS = (
    "w a s d (up left down right): walk, several in a line if you like;  "
    "r: new episode;  q: end;  then Enter"
)


def play_in_terminal(walk: WalkState, lines: Iterable[str], title: str) -> None:
    """Play until the lines end or contain a quit key; then print a summary.

    Args:
        walk: the walk; its environment renders text.
        lines: the user's input.
        title: of the summary.
    """
    try:
        _play(walk, lines)
    finally:
        print(f"{title}: {walk.summary()}")


def _play(walk: WalkState, lines: Iterable[str]) -> None:
    print(TEXT_KEYS)
    _show(walk)
    for line in lines:
        for key in read_keys(line):
            if key in QUIT_KEYS:
                return
            if not walk.handle_key(key):
                print(f"unknown key {key!r}; {TEXT_KEYS}")
            if walk.over:
                _show(walk)
                walk.restart()
        _show(walk)


def read_keys(line: str) -> list[str]:
    """Return the keys in a typed line: letters, arrow keys, or up, right, down, left as words."""
    keys = re.findall(r"up|right|down|left|\x1b\[[abcd]|\S", line.lower())
    return [ESCAPES.get(key, key) for key in keys]


def _show(walk: WalkState) -> None:
    print(f"{walk.env.render()}\n{walk.status()}\n", flush=True)
