"""The README's examples run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), flags=re.M | re.S)
LINKS = re.findall(r"\]\(([^)#]+)\)", README.read_text())


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 13


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    if "stable_baselines3" in BLOCKS[number]:
        pytest.importorskip("stable_baselines3")
    # The first block imports what the others use.
    for block in BLOCKS[:1] + BLOCKS[number : number + 1]:
        exec(compile(block, f"README.md, example {number}", "exec"), names)
    assert names.keys() & {"env", "agent", "algorithm", "runs", "LastFew"}


def test_every_link_leads_to_a_file() -> None:
    for link in LINKS:
        assert (README.parent / link).exists(), link
