"""Walking a maze in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .walk_state import QUIT_KEYS, Game

ESCAPES = {"\x1b[a": "up", "\x1b[b": "down", "\x1b[c": "right", "\x1b[d": "left"}
"""What a terminal sends for the arrow keys, in small letters."""

TEXT_KEYS = (
    "w a s d (up left down right): walk, several in a line if you like;  "
    "r: new episode;  q: end;  then Enter"
)


def play_in_terminal(game: Game, lines: Iterable[str], title: str) -> None:
    """Play until the lines end, or one of them says so; then tell how it went.

    Args:
        game: the walk; its environment renders as text.
        lines: what the person types.
        title: of the last line.
    """
    try:
        _play(game, lines)
    finally:
        print(f"{title}: {game.summary()}")


def _play(game: Game, lines: Iterable[str]) -> None:
    print(TEXT_KEYS)
    _show(game)
    for line in lines:
        for key in read_keys(line):
            if key in QUIT_KEYS:
                return
            if not game.press(key):
                print(f"unknown key {key!r}; {TEXT_KEYS}")
            if game.over:
                _show(game)
                game.restart()
        _show(game)


def read_keys(line: str) -> list[str]:
    """The keys in a typed line: letters, arrow keys, or up, right, down, left as words."""
    keys = re.findall(r"up|right|down|left|\x1b\[[abcd]|\S", line.lower())
    return [ESCAPES.get(key, key) for key in keys]


def _show(game: Game) -> None:
    print(f"{game.env.render()}\n{game.status()}\n", flush=True)
