"""The experiment on models that find out that they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.table import Table
from dynamaze.benchmarks.studies import model_confidence as model_doubt
from dynamaze.benchmarks.studies.model_confidence import MAZES, METHODS, ModelDoubt, gain


def toy(config: ModelDoubt) -> dict[str, Table]:
    """Dyna-Q earns 1 before and 2 after the change, each further method one more."""
    curves, ends = [], []
    for maze in MAZES:
        for model in config.models:
            for number, method in enumerate(METHODS):
                rewards = np.zeros((3, 6000))
                rewards[:, 500] = 1 + number
                rewards[:, 4000] = [number, 2 + number, 4 + number]
                runs = model_doubt.RunResults(
                    rewards, np.zeros((3, 0), dtype=int), np.zeros((3, 1, 1))
                )
                labels = {"maze": maze, "model": model, "method": method}
                curves.append(model_doubt._curve(runs, labels))
                ends.append(model_doubt._ends(runs, labels, 1000))
    return {
        "model_doubt": model_doubt.stack(curves),
        "model_doubt_runs": model_doubt.stack(ends),
    }


def test_the_summary_and_the_picture_say_what_the_tables_do() -> None:
    config = ModelDoubt(runs=3)
    tables = toy(config)
    sections = model_doubt.summary(tables, config)
    assert len(sections) == len(MAZES) * len(config.models)
    lines = sections["blocking maze, latest outcome"]
    assert len(lines) == 1 + len(METHODS)
    assert lines[1][:2] == ("Dyna-Q", "1.0 [1.0, 1.0]")
    assert lines[2][3].startswith("3.0 [")
    assert lines[2][4] == "1.0 [1.0, 1.0]"  # paired, run by run
    figure = model_doubt.plot(tables, config)
    assert [len(axes.lines) for axes in figure.axes] == [len(METHODS) + 1] * 4
    assert "mean of 3 runs" in str(figure.get_suptitle())


def test_five_goals_are_counted_from_the_change() -> None:
    rewards = np.zeros((2, 30))
    rewards[:, :10] = 1
    rewards[0, 12:18] = 1
    runs = model_doubt.RunResults(rewards, np.zeros((2, 0), dtype=int), np.zeros((2, 1, 1)))
    ends = model_doubt._ends(runs, {"maze": "m"}, 10)
    assert ends["steps_to_five"].tolist() == [7, 20]
    assert ends["reward_before"].tolist() == [10, 10]
    assert ends["reward_after"].tolist() == [6, 0]


def test_doubt_recovers_faster_than_plain_dyna_q_with_no_loss_before() -> None:
    model = "maximum_likelihood"
    config = ModelDoubt(runs=20, models=(model,))
    seen: list[int] = []
    ends = model_doubt.run(config, lambda: seen.append(1))["model_doubt_runs"]
    assert len(seen) == config.total_runs
    for maze in MAZES:
        assert gain(ends, maze, model, "Scored + doubt", "reward_after").low > 20
        assert gain(ends, maze, model, "Scored + doubt", "reward_before").mean > 0
    assert gain(ends, "blocking", model, "Scored + doubt", "steps_to_five").high < -500


def test_the_command_stores_tables_and_picture_and_draws_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ModelDoubt(runs=3, output=tmp_path)
    monkeypatch.setattr(model_doubt, "run", lambda config, callback: toy(config))
    model_doubt.main(config)
    said = capsys.readouterr().out
    assert "shortcut maze, maximum likelihood" in said
    files = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    assert set(files) == {"model_doubt.csv", "model_doubt_runs.csv", "model_doubt.png"}
    monkeypatch.delattr(model_doubt, "run")
    model_doubt.main(ModelDoubt(runs=3, output=tmp_path, plot_only=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()} == files


def test_numbers_that_make_no_experiment_are_refused() -> None:
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        model_doubt.run(ModelDoubt(runs=1))
    with pytest.raises(ValueError, match="did you mean 'latest_outcome'"):
        model_doubt.run(ModelDoubt(models=("latest_outcomes",)))
