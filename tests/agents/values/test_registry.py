"""Names of action values."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, TableValues
from dynamaze.agents.values import LEARNING_RATES, VALUES


def test_names_have_learning_rates() -> None:
    assert set(VALUES) == set(LEARNING_RATES) == {"table", "tile_coding", "network"}


def test_values_reject_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"values='tabel'; expected one of .*did you mean 'table'"):
        DynaQ("DynaMaze-v0", values="tabel")


@pytest.mark.parametrize(
    ("wrong", "match"), [(TableValues, "is a class"), (3, "has no 'values'"), ([], "has no")]
)
def test_values_reject_other_object(wrong: Any, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        DynaQ("DynaMaze-v0", values=wrong)


def test_table_imports_no_other_values() -> None:
    code = (
        "import sys, dynamaze; from dynamaze.agents import DynaQ; DynaQ('DynaMaze-v0'); "
        "print([name for name in sys.modules if name.startswith(('dynamaze.agents.values.linear', "
        "'dynamaze.agents.values.network', 'dynamaze.agents.planning.table', "
        "'dynamaze.agents.planning.pair', 'dynamaze.agents.models.learned'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
