"""Comparison of stores and CSV files, and their export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import mean_interval
from dynamaze.benchmarks.harness.analysis.table import Table, make_table, read_csv, write_csv
from dynamaze.benchmarks.harness.reports.diff import (
    DIFFERS,
    IDENTICAL,
    SAME,
    TOO_FEW,
    Comparison,
    DiffConfig,
    Key,
    compare_files,
    difference_sections,
    main,
)
from dynamaze.benchmarks.harness.reports.export import export_runs
from dynamaze.benchmarks.harness.store.database import (
    Group,
    RunRecord,
    Store,
    StoreError,
    encode_table,
)

GROUP = Group("toy", "n = 5", "DynaMaze-v0", "{}", "old code")
RUNS = 20
NOISE = np.random.default_rng(0).normal(size=RUNS)


def rewards(shift: float = 0.0) -> list[Table]:
    return [{"reward": np.array([noise + shift])} for noise in NOISE]


def fill(path: Path, tables: list[Table], group: Group = GROUP) -> Path:
    with Store(path) as store:
        group_id = store.open_group(group)
        records = [RunRecord(number, encode_table(table)) for number, table in enumerate(tables)]
        store.record(group_id, records)
    return path


def compare(tmp_path: Path, second: list[Table], group: Group = GROUP) -> Comparison:
    first = fill(tmp_path / "a.sqlite", rewards())
    return compare_files(first, fill(tmp_path / "b.sqlite", second, group))


def test_identical_runs_of_other_code_are_told(tmp_path: Path) -> None:
    comparison = compare(tmp_path, rewards(), GROUP._replace(code="new code"))
    (difference,) = comparison.differences
    assert (difference.verdict, difference.n) == (IDENTICAL, RUNS)


def test_one_bit_is_not_identical(tmp_path: Path) -> None:
    tables = rewards()
    tables[3]["reward"] = np.nextafter(tables[3]["reward"], 9)
    (difference,) = compare(tmp_path, tables).differences
    assert difference.verdict == SAME


def test_differences_are_paired_by_run(tmp_path: Path) -> None:
    """The shift is far below the noise of the runs, which they have in common."""
    shift = np.linspace(0.01, 0.02, RUNS)
    tables = [{"reward": np.array([value])} for value in NOISE + shift]
    (difference,) = compare(tmp_path, tables).differences
    assert (difference.verdict, difference.n) == (DIFFERS, RUNS)
    np.testing.assert_allclose(difference.difference, mean_interval(shift), atol=1e-12)
    assert difference.second - difference.first == pytest.approx(0.015)


def test_few_runs_are_marked(tmp_path: Path) -> None:
    (difference,) = compare(tmp_path, rewards(5.0)[:4]).differences
    assert (difference.verdict, difference.n) == (TOO_FEW, 4)
    assert difference.few
    (difference,) = compare(tmp_path / "one", rewards(5.0)[:1]).differences
    assert (difference.verdict, difference.n) == (TOO_FEW, 1)


def test_infinite_numbers_are_left_out(tmp_path: Path) -> None:
    tables = [*rewards(1.0)[:-1], {"reward": np.array([np.nan])}]
    (difference,) = compare(tmp_path, tables).differences
    assert difference.n == RUNS - 1


def test_curves_count_by_their_means(tmp_path: Path) -> None:
    first = fill(tmp_path / "a.sqlite", [{"steps": np.arange(4) + n} for n in range(RUNS)])
    second = fill(tmp_path / "b.sqlite", [{"steps": np.arange(4) * 3 + n} for n in range(RUNS)])
    (difference,) = compare_files(first, second).differences
    assert difference.metric == "mean of steps"
    assert float(difference.difference.mean) == 3.0


def test_settings_of_one_store_are_listed(tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", rewards(), GROUP._replace(label="n = 0"))
    comparison = compare(tmp_path, rewards(), GROUP._replace(configuration='{"steps":2}'))
    assert comparison.only_first == [
        Key("toy", "n = 0", "DynaMaze-v0", "{}"),
        Key("toy", "n = 5", "DynaMaze-v0", "{}"),
    ]
    assert comparison.only_second == [Key("toy", "n = 5", "DynaMaze-v0", '{"steps":2}')]
    assert comparison.differences == []


def test_command_prints_and_stores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fill(tmp_path / "a.sqlite", rewards())
    shifts = np.linspace(0.9, 1.1, RUNS)
    tables = [{"reward": np.array([reward])} for reward in NOISE + shifts]
    second = fill(tmp_path / "b.sqlite", tables)
    main(DiffConfig(first, second, tmp_path / "diff.csv"))
    text = capsys.readouterr().out
    assert "toy, reward: B - A, paired by run" in text
    assert "n = 5 DynaMaze-v0" in text
    assert max(map(len, text.partition("(!)")[0].splitlines())) <= 80
    assert "(!) too few runs for this interval" in text  # the quantity is unknown
    table = read_csv(tmp_path / "diff.csv")
    assert table["difference_mean"] == pytest.approx(1.0)
    assert table["n"].tolist() == [RUNS]
    third = fill(tmp_path / "c.sqlite", rewards(), GROUP._replace(label="n = 0"))
    with pytest.raises(StoreError, match="no setting in common"):
        main(DiffConfig(first, third))


def test_exported_files_compare_like_stores(tmp_path: Path) -> None:
    tables = [{"reward": np.array([0.1 * n]), "agent": np.array(["a"])} for n in range(RUNS)]
    for name, shift in (("a", 0.0), ("b", 1.0)):
        shifted = [{**table, "reward": table["reward"] + shift} for table in tables]
        path = fill(tmp_path / f"{name}.sqlite", shifted)
        fill(
            path, [{"steps": np.arange(3) + n} for n in range(RUNS)], GROUP._replace(label="curve")
        )
        with Store(path) as store:
            store.record(store.open_group(GROUP), [RunRecord(99, None, "Traceback\nError: x")])
            (exported,) = export_runs(store, tmp_path / name)
    assert exported.name == "toy_runs.csv"
    files = [tmp_path / name / "toy_runs.csv" for name in "ab"]
    reward, curve = compare_files(*files).differences
    assert (reward.metric, reward.n, reward.verdict) == ("reward", RUNS, DIFFERS)
    assert (curve.n, curve.verdict) == (RUNS, IDENTICAL)


def test_export_has_all_bits_and_failures(tmp_path: Path) -> None:
    tables = [{"reward": np.array([1 / 3])}, {"curve": np.ones((2, 3)), "done": np.ones(2, bool)}]
    path = fill(tmp_path / "a.sqlite", tables)
    with Store(path) as store:
        store.record(store.open_group(GROUP), [RunRecord(2, None, "Traceback\nError: x, y\n")])
        export_runs(store, tmp_path)
    table = read_csv(tmp_path / "toy_runs.csv")
    assert table["run"].tolist() == [0, 1, 1, 2]
    assert table["row"].tolist() == [0, 0, 1, 0]
    assert float(table["reward"][0]) == 1 / 3
    assert table["curve"].tolist() == ["", "1.0 1.0 1.0", "1.0 1.0 1.0", ""]
    assert table["error"].tolist() == ["", "", "", "Error: x, y"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.sqlite", "toy_runs.csv"]


def test_table_of_single_runs_is_split_by_its_labels(tmp_path: Path) -> None:
    run = np.tile(np.arange(RUNS), 4)
    level, agent = np.repeat([0.0, 0.5, 0.0, 0.5], RUNS), np.repeat(["a", "a", "b", "b"], RUNS)
    for name, shift in (("a.csv", 0.0), ("b.csv", 1.0)):
        reward = np.arange(4 * RUNS) / 3 + shift * (level > 0)
        write_csv(tmp_path / name, make_table(agent=agent, level=level, run=run, reward=reward))
    comparison = compare_files(tmp_path / "a.csv", tmp_path / "b.csv")
    found = {each.key.setting: each.verdict for each in comparison.differences}
    assert found == {
        "a, level 0.0": IDENTICAL,
        "a, level 0.5": DIFFERS,
        "b, level 0.0": IDENTICAL,
        "b, level 0.5": DIFFERS,
    }


def test_table_without_runs_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", make_table(agent=["a"], reward_mean=[1.0]))
    with pytest.raises(ValueError, match=r"a.csv: no single runs; expected a column 'run'"):
        compare_files(tmp_path / "a.csv", tmp_path / "a.csv")


def csv_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_other_columns_are_not_identical(tmp_path: Path) -> None:
    one = csv_file(tmp_path / "a.csv", "run,a\n0,1\n1,2\n")
    other = csv_file(tmp_path / "b.csv", "run,b\n0,1\n1,2\n")
    (difference,) = compare_files(one, other).differences
    assert difference.verdict == "no metric in common"
    ((_, line),) = difference_sections([difference]).values()
    assert line[1:4] == ("", "", "")


def test_a_file_is_identical_to_itself(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", "run,a\n0,1\n1,nan\n")
    (difference,) = compare_files(path, path).differences
    assert difference.verdict == IDENTICAL


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00run", b"run\x00,a\n"])
def test_what_is_no_csv_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv"):
        compare_files(path, path)


def test_empty_tables_are_exported(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        group_id = store.open_group(Group("../toy", "a", "", "{}", ""))
        empty, full = ({"x": np.zeros((rows, 2))} for rows in (0, 1))
        store.record(
            group_id, [RunRecord(n, encode_table(each)) for n, each in enumerate((empty, full))]
        )
        (path,) = export_runs(store, tmp_path / "csv")
    assert path == tmp_path / "csv" / "___toy_runs.csv"  # in the folder
    assert read_csv(path)["run"].tolist() == [1]


def test_empty_store_has_nothing_to_export(tmp_path: Path) -> None:
    with Store() as store, pytest.raises(StoreError, match="no runs; run an experiment first"):
        export_runs(store, tmp_path / "csv")
    assert not (tmp_path / "csv").exists()
