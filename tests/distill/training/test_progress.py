"""Progress bar with the loss terms: names, numbers and the width of a line."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.progress import terms_text, training_bar


@pytest.mark.parametrize(
    ("terms", "width", "expected"),
    [
        ({"student/soft": 0.69314}, 40, "soft 0.693"),
        ({"student/soft": 1234.5, "student/hints": 2e-5}, 40, "soft 1.23e+03 hints 2e-05"),
        ({"a/soft": 1.0, "critic/a/value": 0.5}, 40, "a/soft 1 critic/a/value 0.5"),
        ({"a/soft": 1.0, "b/soft": 0.5}, 17, "a/soft 1 b/soft …"),
        ({}, 40, ""),
    ],
)
def test_terms_text(terms: dict[str, float], width: int, expected: str) -> None:
    assert terms_text(terms, width) == expected


@pytest.mark.parametrize("width", [40, 80])
def test_bar_fits_the_line(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    with training_bar(2, console) as show:
        for value in (0.5, 0.25):
            show({f"student {number}/soft": value for number in range(9)})
    lines = Text.from_ansi(file.getvalue().replace("\r", "\n")).plain.splitlines()
    assert max(map(cell_len, lines)) == width
    assert "100%" in lines[-1]
    assert "student 0/soft 0.25 student 1/soft 0.25"[: width - 27] in lines[-1]


def test_distil_shows_the_latest_terms(capsys: pytest.CaptureFixture[str]) -> None:
    source = FunctionSource(lambda seen: seen, lambda rng, progress: rng.random((4, 2)))
    loop = Distiller(MLP((2,), 2, 3), source, total_steps=9)
    loop.distil(callback=lambda step: step.step < 2, progress_bar=True)
    shown = capsys.readouterr().out
    assert "22%" in shown  # 2 of 9
    assert " soft 0." in shown
