"""Registries: tables of named parts, each imported when it is first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, TypeVar, cast

from .optional_imports import naming_extra
from .validation import checked_choice

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Read-only mapping from names to parts.

    Args:
        argument: the argument whose value is a name, for error messages.
        entries: name -> part, or "module:attribute" of a part to be imported on first use; a module
            that begins with a dot is relative to `package`.
        package: `__package__` of the caller.
    """

    def __init__(
        self, argument: str, entries: Mapping[str, Entry | str], package: str | None = None
    ) -> None:
        self.argument = argument
        self._entries = dict(entries)
        self._package = package

    def __getitem__(self, name: str) -> Entry:
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            with naming_extra(f"{self.argument} {name!r}"):
                entry = cast(Entry, getattr(import_module(module, self._package), attribute))
            self._entries[name] = entry
        return entry

    def __contains__(self, name: object) -> bool:
        return name in self._entries  # without the import that `__getitem__` does

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: object, *, otherwise: str = "") -> Entry:
        """Return the part of a name.

        Args:
            name: value of the argument.
            otherwise: what else the argument may be, for the message.

        Raises:
            ValueError: for an unknown name; lists the known ones and suggests the closest.
        """
        return self[checked_choice(self.argument, name, self._entries, otherwise=otherwise)]
