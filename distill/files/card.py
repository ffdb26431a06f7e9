"""A model card: what a student is, how good, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ..core.levels import LevelRange, check_apart
from ..size import Size


class Kept(NamedTuple):
    """How much of the teacher's return a student keeps, on mazes that neither has seen."""

    share: float  # 1 for all
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
    """What is known of a student. Whatever is not known is left out of the page.

    Attributes:
        made: how it was made: the teacher, the method, the command.
        environment: what `gymnasium.make` takes to make the environment it was made for: "id" and
            options.
        training: the levels that it was trained on.
        held_out: those that it was judged on.
        return_kept: on these.
        size: of the student.

    Raises:
        ValueError: if a level was trained on and held out.
    """

    made: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[LevelRange, ...] = ()
    held_out: tuple[LevelRange, ...] = ()
    return_kept: Kept | None = None
    size: Size | None = None

    def __post_init__(self) -> None:
        """Refuse to tell of mazes that were trained on as if they had not been."""
        check_apart(self.training, self.held_out)

    def to_json(self) -> dict[str, Any]:
        """What `json.dumps` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Card:
        """What `to_json` gave; nothing known for an empty one."""
        known = dict(document)
        for name in ("training", "held_out"):
            known[name] = tuple(LevelRange(*part) for part in known.get(name, ()))
        for name, kind in (("return_kept", Kept), ("size", Size)):
            if known.get(name) is not None:
                known[name] = kind(*known[name])
        return cls(**known)

    def page(self, file: str, config: Mapping[str, Any]) -> str:
        """The card as markdown.

        Args:
            file: the name of the student's file.
            config: the student's description.
        """
        name = file.removesuffix(".safetensors")
        arguments = ", ".join(f"{key} {value}" for key, value in config.items() if key != "kind")
        parts = [
            f"# {name}",
            f"A student of kind `{config['kind']}` ({arguments})."
            if arguments
            else f"A student of kind `{config['kind']}`.",
            self.made,
            *self._environment(),
            *self._size(),
            *self._levels(),
            LOADING.format(file=file),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _environment(self) -> list[str]:
        if not self.environment:
            return []
        options = ", ".join(f"{k}={v!r}" for k, v in self.environment.items() if k != "id")
        made = f'gymnasium.make("{self.environment["id"]}"{", " if options else ""}{options})'
        return [f"Made for `{made}`."]

    def _size(self) -> list[str]:
        if self.size is None:
            return []
        size = self.size
        rows = (
            ("parameters", f"{size.parameters:,}"),
            ("bytes of weights", f"{size.bytes:,}"),
            ("multiply-adds of a decision", f"{size.multiply_adds:,}"),
            ("microseconds of a decision, one thread", f"{size.microseconds:.3g}"),
        )
        table = "\n".join(f"| {what} | {number} |" for what, number in rows)
        return ["## Size", f"| | |\n| --- | --- |\n{table}"]

    def _levels(self) -> list[str]:
        said = []
        if self.return_kept is not None:
            said.append(f"Return kept on levels that were held out: {self.return_kept}.")
        for what, levels in (("Trained on", self.training), ("Held out", self.held_out)):
            if levels:
                said.append(f"{what}: {', '.join(str(part) for part in levels)}.")
        return ["## Return", *said] if said else []


LOADING = """## Use

```python
from dynamaze.distill.export.compiled import load_policy  # without torch, where the kind allows

action = load_policy("{file}").act(observation)
```

`dynamaze.distill.files.students.load_student("{file}")` gives the torch module, for any kind."""
