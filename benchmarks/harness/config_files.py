"""Options of a command from a TOML file: `--config FILE.toml`.

A key is the name of an option without the dashes before it; `-` and `_` are the same. The file is
turned into arguments of the command line, which come before those given, so that the types are
checked in one place and a given option wins:

    runs = 100
    planning-steps = [0, 5, 50]
    plot-only = true

Options of a record inside the configuration are a table: `[student]`, `width = 8` is the option
`--student.width 8`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from itertools import takewhile
from typing import Any, get_type_hints

from dynamaze.common.reading import read_bytes
from dynamaze.common.validation import did_you_mean

MOST_BYTES, MOST_DOTS = 2**16, 500
"""Limits of a file: its size, and the dots before an equals sign. The parser takes memory and time
that grow with the square of a key's parts."""

OPTION = "--config"
HELP = f"Options may also stand in a TOML file, as `runs = 100`: {OPTION} FILE.toml."


def split_config(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files of `--config FILE` or `--config=FILE`, and the other arguments.

    Raises:
        ValueError: if the file's name is missing.
    """
    paths, others, rest = [], [], iter(arguments)
    for argument in rest:
        flag, equals, path = argument.partition("=")
        if flag != OPTION:
            others.append(argument)
            continue
        path = path if equals else next(rest, "")
        if not path or path.startswith("-"):
            raise ValueError(f"{OPTION} without a file; expected {OPTION} FILE.toml")
        paths.append(path)
    return paths, others


def with_config(paths: Sequence[str], config_type: type, given: Sequence[str]) -> list[str]:
    """Return the arguments of a command line with the options of TOML files before those given.

    Args:
        paths: the files; a later one wins.
        config_type: the dataclass of the command's options.
        given: the other arguments. Words without a name, which come first, stay the first: the list
            of an option would end with them.

    Raises:
        ValueError: as `config_arguments`.
    """
    words = list(takewhile(lambda each: not each.startswith("-"), given))
    stored = []
    for path in paths:
        stored += config_arguments(path, config_type, has_words=bool(words))
    return [*words, *stored, *given[len(words) :]]


def config_arguments(path: str, config_type: type, *, has_words: bool = False) -> list[str]:
    """Read a TOML file and return its options as arguments of the command line.

    Args:
        path: the file.
        config_type: the dataclass of the command's options.
        has_words: whether the command line has the options without names, so that the file's are
            not needed.

    Raises:
        ValueError: in one sentence, for a file that is missing or no TOML, an unknown key, and a
            value that no option can have.
    """
    try:
        text = read_bytes(path, MOST_BYTES, pipes=True).decode()
        if any(line.partition("=")[0].count(".") > MOST_DOTS for line in text.splitlines()):
            raise ValueError(f"a key of more than {MOST_DOTS} parts")
        values = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{OPTION} {path}: {error.strerror or error}") from error
    except RecursionError:
        raise ValueError(f"{path}: no TOML: nested too deeply") from None
    except ValueError as error:  # damaged TOML, or text in another encoding
        raise ValueError(f"{path}: no TOML: {error}") from None
    defaults = {field.name: _default(field) for field in fields(config_type) if field.init}
    positional = _positional(config_type)
    arguments, first = [], []
    for name, value in _known(path, "", values, defaults):
        if name not in positional:
            arguments += _option(path, "", name, value, defaults[name])
        elif not has_words:
            first.append(_word(path, name, value))
    return first + arguments


def _default(field: Any) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def _positional(config_type: type) -> set[str]:
    """Return the fields that are given without their names."""
    from tyro.conf import Positional

    (marker,) = Positional[int].__metadata__  # type: ignore[attr-defined]  # an Annotated type
    hints = get_type_hints(config_type, include_extras=True)
    return {name for name, hint in hints.items() if marker in getattr(hint, "__metadata__", ())}


def _known(
    path: str, prefix: str, values: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the names of fields with their values.

    Raises:
        ValueError: for a key that is no field.
    """
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            options = [each.replace("_", "-") for each in known]
            hint = did_you_mean(key.replace("_", "-"), options)
            raise ValueError(
                f"{path}: unknown key {prefix + key!r}; expected one of {', '.join(options)}{hint}"
            )
        yield name, value


def _option(path: str, prefix: str, name: str, value: Any, default: Any) -> list[str]:
    """Return the arguments of one option, or of the options of a record."""
    full = prefix + name.replace("_", "-")
    inside = _inside(default)
    if inside is not None:
        if isinstance(value, list) and len(value) == len(inside):
            value = dict(zip(inside, value, strict=True))
        if not isinstance(value, dict):
            names = ", ".join(each.replace("_", "-") for each in inside)
            raise ValueError(f"{path}: {full} = {value!r}; expected a table of {names}")
        known = _known(path, f"{full}.", value, inside)
        return [
            argument
            for each, inner in known
            for argument in _option(path, f"{full}.", each, inner, inside[each])
        ]
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{path}: {full} = {value!r}; expected true or false")
        return [f"--{full}" if value else f"--{prefix}no-{name.replace('_', '-')}"]
    if isinstance(value, list):
        return [f"--{full}", *(_word(path, full, each) for each in value)]
    return [f"--{full}={_text(path, full, value)}"]


def _inside(default: Any) -> dict[str, Any] | None:
    """Return the fields of a record, or the numbered records of a tuple; None for another value."""
    if is_dataclass(default) and not isinstance(default, type):
        return {field.name: getattr(default, field.name) for field in fields(default)}
    if hasattr(default, "_asdict"):
        return dict(default._asdict())
    if isinstance(default, tuple) and default and _inside(default[0]) is not None:
        return {str(number): each for number, each in enumerate(default)}
    return None


def _word(path: str, name: str, value: Any) -> str:
    """Return a number or text as an argument of its own, which must not look like an option."""
    if isinstance(value, str) and value.startswith("-"):
        raise ValueError(f"{path}: {name} = {value!r}; expected text that does not begin with '-'")
    return _text(path, name, value)


def _text(path: str, name: str, value: Any) -> str:
    """Return a number or text as an argument."""
    if isinstance(value, dict | list):
        raise ValueError(f"{path}: {name} = {value!r}; expected a single value")
    return str(value)
