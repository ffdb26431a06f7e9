"""Options of a distillation method on the command line: `--method NAME --method.SETTING VALUE`.

Each method has settings of its own, so the options of a command depend on the method that is named.
In a TOML file they are a table: `[method]`, `name = "mutual"`, `weight = 0.5`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import tyro
from docstring_parser import parse

from dynamaze.distill.training.method import METHODS, Method, make_method

FLAG = "--method"


@dataclass(frozen=True)
class MethodOptions:
    """Name and settings of a distillation method."""

    name: str = "soft"
    """Name of the method; `--method NAME` is the same."""

    def make(self) -> Method:
        """Return the method.

        Raises:
            ValueError, TypeError: for an unknown name, or a setting that it cannot have.
        """
        settings = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return make_method(settings.pop("name"), **settings)

    def __str__(self) -> str:
        settings = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        name = settings.pop("name")
        return " ".join([name, *(f"--method.{key} {value}" for key, value in settings.items())])


@dataclass(frozen=True)
class MethodConfig:
    """Options of a command that trains by a method."""

    method: MethodOptions = field(default_factory=MethodOptions)
    """Distillation method, by `--method NAME`, and its settings."""

    @classmethod
    def options_for(cls, paths: Sequence[str], words: Sequence[str]) -> tuple[type, list[str]]:
        """Return the options with the settings of the method that is named.

        Args:
            paths: files of `--config`.
            words: words of the command line.

        Returns:
            A subclass whose `method` has the method's settings, and the words with `--method.name`.

        Raises:
            ValueError: for an unknown method.
        """
        words = [f"{FLAG}.name{w.removeprefix(FLAG)}" if _is_flag(w) else w for w in words]
        name = _named(words) or next(filter(None, map(_in_file, reversed(paths))), "soft")
        made: Any = settings_type(name)
        kind: Any = Annotated[made, tyro.conf.arg(help=f"{name}: {_summary(name)}")]
        fields: list[Any] = [("method", kind, field(default_factory=made))]
        adapted = dataclasses.make_dataclass(cls.__name__, fields, bases=(cls,), frozen=True)
        adapted.__doc__ = cls.__doc__
        return adapted, words


def settings_type(name: str) -> type[MethodOptions]:
    """Return the dataclass of a method's settings that are numbers, texts or flags.

    Raises:
        ValueError: for an unknown method.
    """
    method: Any = METHODS.find(name)
    texts = {each.arg_name: each.description or "" for each in parse(method.__doc__).params}
    fields: list[Any] = [("name", str, field(default=name))]
    for each in dataclasses.fields(method) if dataclasses.is_dataclass(method) else ():
        if isinstance(each.default, (bool, int, float, str)):
            text = " ".join(texts.get(each.name, "").split())
            kind: Any = Annotated[type(each.default), tyro.conf.arg(help=text)]
            fields.append((each.name, kind, field(default=each.default)))
    return dataclasses.make_dataclass(
        f"{method.__name__}Options", fields, bases=(MethodOptions,), frozen=True
    )


def _is_flag(word: str) -> bool:
    return word.partition("=")[0] == FLAG


def _named(words: Sequence[str]) -> str | None:
    """Return the last name that the words give."""
    found = None
    for number, word in enumerate(words):
        flag, equals, name = word.partition("=")
        if flag == f"{FLAG}.name":
            found = name if equals else next(iter(words[number + 1 :]), None)
    return found


def _in_file(path: str) -> str | None:
    """Return the name in a TOML file; files that cannot be read are refused elsewhere."""
    with suppress(OSError, ValueError, RecursionError):
        table = tomllib.loads(Path(path).read_text()).get("method", {})
        name = table.get("name") if isinstance(table, dict) else None
        return name if isinstance(name, str) else None
    return None


def _summary(name: str) -> str:
    return cleandoc(METHODS.find(name).__doc__ or "").partition("\n")[0]
