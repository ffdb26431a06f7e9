"""The registry of models: names, errors and what it imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from gymnasium import spaces

from dynamaze.agents.models import LEARNED_MODELS, MODELS, TABLE_MODELS, make_model, model_for

CODE = """
import sys
from dynamaze.agents.models.registry import MODELS, make_model
assert "maximum_likelihood" in MODELS and len(MODELS) == 12
make_model("latest_outcome", 4, 2)
ours = "dynamaze.agents.models."
print(sorted(name.removeprefix(ours) for name in sys.modules if name.startswith(ours)))
"""


def test_models_are_tables_and_learned_models() -> None:
    assert len(TABLE_MODELS) == len(LEARNED_MODELS) == 6
    assert [*MODELS] == [*TABLE_MODELS, *LEARNED_MODELS]
    for names in (TABLE_MODELS, LEARNED_MODELS):
        assert all(names[name] is MODELS[name] for name in names)
        assert all("sample" in names[name].capabilities for name in names)


def test_registry_imports_the_named_model_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    wanted = ["latest", "protocol", "registry", "table"]
    assert done.stdout.strip() == str(wanted)


def test_make_model_rejects_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"model='latest_outcom'; .*did you mean 'latest_outcome'"):
        make_model("latest_outcom", 4, 2)


def test_model_for_rejects_table_of_vectors() -> None:
    with pytest.raises(TypeError, match="model='maximum_likelihood' is a table"):
        model_for("maximum_likelihood", spaces.Box(0, 1, (2,)), 2, observes="vectors")
