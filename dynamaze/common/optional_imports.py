"""Imports of libraries that may be missing, with an error that says what installs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

EXTRAS = {
    "imageio_ffmpeg": "video",
    "matplotlib": "figures",
    "moviepy": "video",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "scipy": "models",
    "sklearn": "trees",
    "stable_baselines3": "distill",
    "tensorboard": "tensorboard",
    "threadpoolctl": "models",
    "torch": "distill",
    **dict.fromkeys(
        (
            "PIL",
            "cloudpickle",
            "llvmlite",
            "numba",
            "platformdirs",
            "pygame",
            "rich",
            "safetensors",
            "sb3_contrib",
            "tyro",
        ),
        "",
    ),
}
"""Library -> the extra that installs it; "" for what the package itself depends on."""

OTHERS = {"sb3_contrib": "sb3-contrib"}
"""Library that no extra installs -> its package."""


class MissingLibraryError(ImportError):
    """Error for a missing library; the message has the command that installs it.

    Args:
        library: its name.
        purpose: what needs it.
        extra: the extra that installs it; "" for the package itself, None for that of `EXTRAS`.
    """

    def __init__(self, library: str, *, purpose: str, extra: str | None = None) -> None:
        self.extra = EXTRAS[library] if extra is None else extra
        what = OTHERS.get(library, f"dynamaze[{self.extra}]" if self.extra else "dynamaze")
        super().__init__(
            f'{purpose} needs {library}, which is not installed: pip install "{what}"', name=library
        )


def optional_import(module: str, *, purpose: str, extra: str | None = None) -> ModuleType:
    """Import a library that may be missing.

    Args:
        module: name of the library's module.
        purpose: what needs the library, for the message.
        extra: the extra to name, as in `pip install "dynamaze[extra]"`, where several install the
            library; None for that of `EXTRAS`.

    Raises:
        MissingLibraryError: (an ImportError) if it is missing, or a library that it needs itself.
    """
    library = module.partition(".")[0]
    with naming_extra(purpose, EXTRAS if extra is None else {**EXTRAS, library: extra}):
        return import_module(module)


@contextmanager
def naming_extra(purpose: str, extras: dict[str, str] = EXTRAS) -> Iterator[None]:
    """Name what installs a library that is found to be missing inside the context.

    Of several contexts the outermost says what needs the library.

    Args:
        purpose: what needs the library, for the message.
        extras: library -> extra; other missing modules raise Python's own error.

    Raises:
        MissingLibraryError: (an ImportError) for a missing library.
    """
    try:
        yield
    except MissingLibraryError as error:
        raise MissingLibraryError(str(error.name), purpose=purpose, extra=error.extra) from error
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        # A library that is there, and lacks a module, is not missing.
        if library not in extras or sys.modules.get(library) is not None:
            raise
        raise MissingLibraryError(library, purpose=purpose, extra=extras[library]) from error
