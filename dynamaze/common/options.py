"""Ranges of numbers and kinds of paths, declared with the type of a command's option.

    planning_steps: PlanningSteps = 10
    noise: Annotated[float, Range(0, 10)] = 0.1
    output: OutputFolder = Path()

They are checked before a command does anything. Upper limits keep the memory of a run in that of a
usual machine; they are far above what a run can do in reasonable time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from dynamaze.common.validation import MOST_COUNT, MOST_UPDATES, bound, checked_number, shown


class Range(NamedTuple):
    """Range of an option's numbers; whole ones where its type is `int`."""

    low: float = float("-inf")
    high: float = float("inf")
    above: bool = False
    """Exclude `low`."""
    limit: float = float("inf")
    """Largest number that memory or time allows, where the meaning sets no bound."""
    reason: str = ""
    """Why it has to be at least `low`."""

    def check(self, name: str, value: Any, kind: Any) -> None:
        """Check a value.

        Raises:
            ValueError: outside the range.
            TypeError: no number.
        """
        if isinstance(value, int | float) and value > self.limit:
            raise ValueError(f"{name}={shown(value)}; expected at most {bound(self.limit)}")
        if self.reason and type(value) is int and value < self.low:
            raise ValueError(f"{name}={shown(value)}; expected at least {self.low:g} {self.reason}")
        checked_number(name, value, self.low, self.high, above=self.above, whole=kind is int)


class PathKind(NamedTuple):
    """Kind of the path of an option: a folder or a file to be written."""

    kind: Literal["folder", "file"]
    inside: str = ""
    """Folder in it that is written to."""

    def check(self, name: str, value: Any, kind: Any) -> None:
        """Check that the path can be written; missing folders will be made.

        Raises:
            ValueError: if it is of the other kind, cannot be a path, or cannot be written.
        """
        path = Path(value) / self.inside
        given = f"{name}={os.fspath(value)!r}"
        if "\0" in os.fspath(path):
            raise ValueError(f"{given}; expected a path")
        try:
            if self.kind == "file" and path.is_dir():
                raise ValueError(f"{given} is a folder; expected the name of a file")
            place = path.absolute()
            while not place.exists():  # the nearest that exists: what is missing is made in it
                if len(os.fsencode(place.name)) > LONGEST_NAME:
                    raise ValueError(f"{given}; expected a shorter name")
                place = place.parent
            if not place.is_dir() and (self.kind == "folder" or place != path.absolute()):
                raise ValueError(f"{given}; {os.fspath(place)!r} is a file; expected a folder")
            if not os.access(place, os.W_OK):
                raise ValueError(f"{given}; {os.fspath(place)!r} cannot be written")
        except OSError as error:  # a link to itself, or a path that is too long
            raise ValueError(f"{given}: {error.strerror or error}") from None


LONGEST_NAME = 255
"""Bytes of a file's name that file systems allow, as a rule."""

Runs = Annotated[int, Range(2, limit=10**7, reason="for an interval")]
"""Runs of a setting; each needs some hundred bytes of memory."""
Seed = Annotated[int, Range(0, limit=10**18)]
Seed32 = Annotated[int, Range(0, limit=2**32 - 1)]
"""Seed that torch and Stable-Baselines3 get as it is."""
Count = Annotated[int, Range(1, limit=MOST_COUNT)]
Size = Annotated[int, Range(3, limit=999)]
Steps = Annotated[int, Range(1, limit=10**8)]
"""Real steps of a run that stores each."""
PlanningSteps = Annotated[int, Range(0, limit=MOST_UPDATES)]
"""Simulated updates after each real step, which are drawn at once."""
Depth = Annotated[int, Range(1, limit=10**5)]
"""Steps of a search from its root."""
Mazes = Annotated[int, Range(2, limit=10**5, reason="for an interval")]
"""Mazes of an evaluation."""
Fraction = Annotated[float, Range(0, 1)]
PositiveFraction = Annotated[float, Range(0, 1, above=True)]
NonNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
Seconds = Annotated[float, Range(0, limit=10**9, above=True)]
OutputFolder = Annotated[Path, PathKind("folder")]
ResultsFolder = Annotated[Path, PathKind("folder", "results")]
"""Parent of the folder `results/`."""
OutputFile = Annotated[Path, PathKind("file")]


def check_numbers(config: Any) -> None:
    """Check the numbers of a configuration against the ranges that their types declare.

    Args:
        config: a dataclass, with records and tuples of such types inside.

    Raises:
        ValueError, TypeError: for the first wrong one: "name=value; expected ...".
    """
    for name, value, kind, check in declared(config):
        if isinstance(check, Range):
            check.check(name, value, kind)


def check_lists(config: Any) -> None:
    """Check that no list of a configuration is empty, unless it is by default.

    Raises:
        ValueError: for the first empty one.
    """
    for field in fields(config):
        if getattr(config, field.name) == () and field.default not in ((), MISSING):
            raise ValueError(f"{field.name}=(); expected at least one")


def check_paths(config: Any) -> None:
    """Check that the paths of a configuration that are declared so can be written.

    Raises:
        ValueError: for the first one that cannot.
    """
    for name, value, kind, check in declared(config):
        if isinstance(check, PathKind):
            check.check(name, value, kind)


def check_no_device(config: Any) -> None:
    """Check that no option of a configuration, also of text, names a device or a pipe.

    To read one may never end.

    Raises:
        ValueError: for the first one.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, str | Path) and _is_special(each):
                raise ValueError(f"{field.name}={os.fspath(each)!r} is neither file nor folder")


def _is_special(path: str | Path) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


class Declared(NamedTuple):
    """A value with one of its declared checks."""

    name: str  # that of the option: "steps", "problems.0.states"
    value: Any
    kind: Any  # its type
    check: Range | PathKind


def declared(config: Any, prefix: str = "") -> Iterator[Declared]:
    """Yield the values of a configuration with their declared checks."""
    hints = get_type_hints(type(config), include_extras=True)
    names = [each.name for each in fields(config)] if is_dataclass(config) else config._fields
    for name in names:
        yield from _inside(prefix + name, getattr(config, name), hints[name])


def _inside(name: str, value: Any, hint: Any) -> Iterator[Declared]:
    if value is None:
        return
    if get_origin(hint) is Annotated:
        hint, *metadata = get_args(hint)
        for each in metadata:
            if isinstance(each, Range | PathKind):
                yield Declared(name, value, hint, each)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        for each in get_args(hint):
            if each is not NoneType:
                yield from _inside(name, value, each)
    elif origin is tuple:
        kinds = get_args(hint)
        for number, entry in enumerate(value):
            kind = kinds[0] if kinds[-1] is Ellipsis else kinds[number]
            # The entries of a list share the option's name, those of records have a number.
            is_record = is_dataclass(entry) or hasattr(entry, "_fields")
            yield from _inside(f"{name}.{number}" if is_record else name, entry, kind)
    elif is_dataclass(value) or hasattr(value, "_fields"):
        yield from declared(value, f"{name}.")
