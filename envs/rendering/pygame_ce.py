"""The one place where pygame is loaded: late, and only in the right flavour."""

from __future__ import annotations

import os

MISSING = "pygame is needed to open a window: pip install pygame-ce"
MIXED_UP = (
    "the installed pygame is not pygame-ce, or lacks half of its files: the two share one folder "
    "and break each other. Run: pip uninstall -y pygame pygame-ce, and then: "
    "pip install --force-reinstall --no-deps pygame-ce"
)


def require_pygame() -> None:
    """Make sure that `import pygame` brings pygame-ce.

    Raises:
        ImportError: it is missing, or the other flavour is installed, or the empty folder that
            is left when one of two installed flavours is uninstalled.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # stdout belongs to the caller
    # Without this SDL turns SIGTERM into an event: an experiment could not be killed politely.
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    try:
        import pygame
    except ModuleNotFoundError as error:
        if error.name != "pygame":
            raise
        raise ImportError(MISSING) from error
    if not getattr(pygame, "IS_CE", False):
        raise ImportError(MIXED_UP)
