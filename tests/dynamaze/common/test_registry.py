"""Registries of named parts."""

import sys

import pytest

from dynamaze.common.registry import Registry

PARTS = Registry(
    "part",
    {"wave": "wave:Wave_read", "fraction": "fractions:Fraction", "plain": dict},
)


def test_registry_lists_names_without_import(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    assert list(PARTS) == ["wave", "fraction", "plain"]
    assert len(PARTS) == 3
    assert "wave" in PARTS
    assert "wave" not in sys.modules


def test_registry_imports_on_first_use():
    from fractions import Fraction

    assert PARTS["fraction"] is Fraction
    assert PARTS.find("plain") is dict


def test_registry_relative_to_package():
    parts = Registry("part", {"registry": ".registry:Registry"}, "dynamaze.common")
    assert parts["registry"] is Registry


def test_registry_unknown_name():
    with pytest.raises(KeyError):
        PARTS["fractions"]
    message = (
        r"part='fractions'; expected one of \['wave', 'fraction', 'plain'\] or an object; "
        "did you mean 'fraction'"
    )
    with pytest.raises(ValueError, match=message):
        PARTS.find("fractions", otherwise="an object")
    with pytest.raises(ValueError, match=r"part=\['wave'\]"):
        PARTS.find(["wave"])
