"""Model card: a student's size, evaluation and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from dynamaze.common.validation import checked_integer, checked_number

from ..core.distances import DistanceRange, distance_lines, rate_texts
from ..core.levels import LevelRange, check_disjoint
from ..core.old_names import current_card
from ..core.size import ObjectCode, Size
from .weights import StudentFileError


class ReturnEstimate(NamedTuple):
    """Normalised return of a student on held-out mazes, with its confidence interval."""

    share: float  # fraction of the teacher's or optimal return
    low: float  # of the interval
    high: float
    mazes: int
    confidence: float = 0.95

    def __str__(self) -> str:
        return (
            f"{self.share:.2%} ({self.confidence:.0%} interval {self.low:.2%} to {self.high:.2%}, "
            f"{self.mazes:,} mazes)"
        )


@dataclass(frozen=True)
class Card:
    """Model card of a student. Unknown entries are left out of the page.

    Attributes:
        made: how it was made: the teacher, the command.
        method: the distillation method, "name", and its settings.
        privileged: information beyond labels that the training used (`Student.privileged`).
        limits: what it was not made for or cannot do.
        environment: arguments of `gymnasium.make` for its environment: "id" and options.
        training: levels it was trained on.
        held_out: levels it was evaluated on.
        normalised_return: its result on the held-out levels.
        by_distance: kind and size of held-out mazes, such as "perfect 31x31" -> the success rates
            by distance to the goal.
        size: its size, without the time of a decision: files of equal runs are equal.

    Raises:
        ValueError: if a level was both trained on and held out.
    """

    made: str = ""
    method: Mapping[str, Any] = field(default_factory=dict)
    privileged: str = ""
    limits: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[LevelRange, ...] = ()
    held_out: tuple[LevelRange, ...] = ()
    normalised_return: ReturnEstimate | None = None
    by_distance: Mapping[str, tuple[DistanceRange, ...]] = field(default_factory=dict)
    size: Size | None = None

    def __post_init__(self) -> None:
        """Check that training and held-out levels are disjoint, and drop the measured time."""
        check_disjoint(self.training, self.held_out)
        if self.size is not None:
            object.__setattr__(self, "size", self.size._replace(microseconds=None))

    def to_json(self) -> dict[str, Any]:
        """Return the entries for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Card:
        """Make a card from the entries of `to_json`, also those of version 0.1.

        Missing entries are unknown; without any it is an empty card.

        Raises:
            TypeError, ValueError: for an unknown or invalid entry.
        """
        entries = current_card(document)
        for name in ("made", "privileged", "limits"):
            if not isinstance(entries.get(name, ""), str):
                raise TypeError(f"{name}={entries[name]!r}; expected text")
        for name in ("environment", "method"):
            if not isinstance(entries.get(name, {}), Mapping):
                raise TypeError(f"{name}={entries[name]!r}; expected arguments by name")
        for name in ("training", "held_out"):
            entries[name] = tuple(_level_range(name, part) for part in entries.get(name, ()))
        if entries.get("normalised_return") is not None:
            estimate = ReturnEstimate(*entries["normalised_return"])
            for name, number in estimate._asdict().items():
                checked_number(name, number)
            entries["normalised_return"] = estimate
        entries["by_distance"] = {
            str(mazes): tuple(_distance_range(part) for part in ranges)
            for mazes, ranges in dict(entries.get("by_distance", {})).items()
        }
        if entries.get("size") is not None:
            size = Size(*entries["size"])
            for name, number in zip(Size._fields[:3], size, strict=False):
                checked_integer(name, number, 0)
            if size.object_code is not None:
                code = ObjectCode(*size.object_code)
                checked_integer("object_code", code.bytes, 0)
                if not isinstance(code.compiler, str):
                    raise TypeError(f"compiler={code.compiler!r}; expected text")
                size = size._replace(object_code=code)
            entries["size"] = size
        return cls(**entries)

    def page(self, file: str, config: Mapping[str, Any], file_bytes: int) -> str:
        """Return the card as markdown.

        Args:
            file: name of the student's file.
            config: the student's `config`.
            file_bytes: size of the file, which the card in it cannot know.
        """
        name = file.removesuffix(".safetensors")
        arguments = ", ".join(f"{key} {value}" for key, value in config.items() if key != "kind")
        parts = [
            f"# {name}",
            f"A student of kind `{config['kind']}` ({arguments})."
            if arguments
            else f"A student of kind `{config['kind']}`.",
            self.made,
            *self._method(),
            f"Privileged information: {self.privileged}." if self.privileged else "",
            f"Limits: {self.limits}." if self.limits else "",
            *self._environment(),
            *self._size(file_bytes),
            *self._levels(),
            LOADING.format(file=file),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _method(self) -> list[str]:
        if not self.method:
            return []
        settings = ", ".join(f"{k} {v}" for k, v in self.method.items() if k != "name")
        return [f"Method: `{self.method.get('name')}`{f' ({settings})' if settings else ''}."]

    def _environment(self) -> list[str]:
        if not self.environment:
            return []
        options = ", ".join(f"{k}={v!r}" for k, v in self.environment.items() if k != "id")
        made = f'gymnasium.make("{self.environment["id"]}"{", " if options else ""}{options})'
        return [f"Made for `{made}`."]

    def _size(self, file_bytes: int) -> list[str]:
        if self.size is None:
            return []
        size = self.size
        rows = (
            ("parameters", f"{size.parameters:,}"),
            ("bytes of weights", f"{size.bytes:,}"),
            ("bytes of the file", f"{file_bytes:,}"),
            *self._object_code(),
            ("multiply-adds per decision", f"{size.multiply_adds:,}"),
        )
        table = "\n".join(f"| {name} | {number} |" for name, number in rows)
        return ["## Size", f"| | |\n| --- | --- |\n{table}"]

    def _object_code(self) -> list[tuple[str, str]]:
        code = None if self.size is None else self.size.object_code
        return (
            [] if code is None else [(f"bytes of object code ({code.compiler})", f"{code.bytes:,}")]
        )

    def _levels(self) -> list[str]:
        lines = []
        if self.normalised_return is not None:
            lines.append(f"Normalised return on held-out levels: {self.normalised_return}.")
        for mazes, ranges in self.by_distance.items():
            lines += [f"Success rate by distance to the goal ({mazes}, held out):", _table(ranges)]
        for name, levels in (("Trained on", self.training), ("Held out", self.held_out)):
            if levels:
                lines.append(f"{name}: {', '.join(str(part) for part in levels)}.")
        return ["## Return", *lines] if lines else []


def _table(ranges: Sequence[DistanceRange]) -> str:
    """Return success rates by distance as a table of markdown."""
    head, *rows = distance_lines(ranges, {"success rate": rate_texts(ranges)})
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _distance_range(part: Any) -> DistanceRange:
    found = DistanceRange(*part)
    for name in ("nearest", "furthest", "mazes"):
        checked_integer(name, getattr(found, name), 1)
    for name in ("cells", "weight", "success", "low", "high"):
        checked_number(name, getattr(found, name), 0, 1)
    return found


def _level_range(name: str, part: Any) -> LevelRange:
    first, levels = part
    return LevelRange(checked_integer(name, first, 0), checked_integer(name, levels, 1))


def stored_card(path: object, document: Mapping[str, Any]) -> Card:
    """Return the card of a student's file.

    Args:
        path: the file, for the message.
        document: entries of its card.

    Raises:
        StudentFileError: if they are no card.
    """
    try:
        return Card.from_json(document)
    except Exception as error:  # a forged card raises many types of errors
        raise StudentFileError(f"{path} has an invalid card: {error!r}") from None


def is_page(text: str) -> bool:
    """Tell whether a text is the page of a card."""
    return text.startswith("# ") and "\nA student of kind `" in text


LOADING = """## Use

```python
from dynamaze.distill import load_policy  # without torch, where the kind allows

action = load_policy("{file}").act(observation)
```

`dynamaze.distill.load_student("{file}")` loads the torch module, for any kind."""
