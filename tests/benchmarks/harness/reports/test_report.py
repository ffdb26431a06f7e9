"""Reports: self-contained, valid HTML of stored experiments."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dynamaze.app import cli
from dynamaze.benchmarks.harness.reports.report import (
    MAX_TRACEBACKS,
    FailedRun,
    Report,
    ReportConfig,
    main,
    report_html,
    shown,
    stored_report,
    write_report,
)
from dynamaze.benchmarks.harness.store.database import (
    Group,
    RunRecord,
    Store,
    StoreError,
    encode_table,
)

PNG = b"\x89PNG\r\n\x1a\n picture"
NASTY = "<script>alert('1')</script> & \x1b[31m\x00 \udc80 \"quoted\""
VOID = {"meta", "img"}


class Document(HTMLParser):
    """Text, tags and addresses of a document; its tags must be closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def full_report() -> Report:
    lines = [("agent", "return"), (NASTY, "1.0 [0.9, 1.1]")]
    return Report(
        title=NASTY,
        sections={"First": lines, NASTY: lines},
        caption=NASTY,
        pictures=[PNG, b"<svg xmlns='http://www.w3.org/2000/svg'/>"],
        configuration={NASTY: NASTY},
        runs=lines,
        failures=[FailedRun(NASTY, 3, 2, f"Traceback\n{NASTY}"), FailedRun("b", 4, 1, "")],
        command=f"dynamaze {NASTY}",
        machines=lines,
        began=NASTY,
        note=NASTY,
    )


def test_report_is_self_contained_and_escaped() -> None:
    text = report_html(full_report())
    document = Document(text)
    assert {"html", "head", "title", "table", "img", "details"} <= set(document.tags)
    assert not {"script", "link", "iframe"} & set(document.tags)
    assert all(address.startswith(("data:image/", "#")) for address in document.addresses)
    assert "".join(document.text).count("<script>alert('1')</script>") >= 10
    assert "\x1b" not in text
    assert "\x00" not in text
    text.encode()


def test_empty_report_is_whole() -> None:
    assert "table" not in Document(report_html(Report("Nothing"))).tags


def test_report_lists_failures() -> None:
    failures = [FailedRun("a", number, 1, "ValueError: x") for number in range(MAX_TRACEBACKS + 2)]
    document = Document(report_html(Report("Toy", failures=failures)))
    assert document.tags.count("details") == MAX_TRACEBACKS
    assert f"2 others: a, run {MAX_TRACEBACKS}, a, run" in "".join(document.text)


def fill(path: Path, ended: bool = True) -> None:
    with Store(path, provenance={"command": "dynamaze bench run toy", "versions": {}}) as store:
        group_id = store.open_group(Group("toy", "n = 5", "DynaMaze-v0", "{}", "code"))
        runs = [
            RunRecord(number, encode_table({"reward": np.array([float(number)])}))
            for number in range(20)
        ]
        store.record(group_id, [*runs, RunRecord(20, None, "Traceback\nValueError: bad")])
        sweep_id = store.begin_sweep("toy", '{"runs":21}', [group_id])
        if ended:
            lines = [("agent", "return"), ("n = 5", "9.5")]
            store.end_sweep(
                sweep_id, {}, title="Toy", sections={"Toy": lines}, caption="c", pictures=[PNG]
            )


def test_stored_report_shows_last_sweep(tmp_path: Path) -> None:
    fill(tmp_path / "runs.sqlite")
    with Store(tmp_path / "runs.sqlite", write=False) as store:
        report = stored_report(store, "toy")
    assert (report.title, report.caption, list(report.pictures)) == ("Toy", "c", [PNG])
    assert report.runs[1][:4] == ("n = 5", "DynaMaze-v0", "20", "1")
    assert report.failures == [FailedRun("n = 5, DynaMaze-v0", 20, 1, "Traceback\nValueError: bad")]
    assert report.command == "dynamaze bench run toy"
    assert report.configuration == {"runs": 21}
    assert report.machines[0] == ("", "20 runs")
    assert not report.note


def test_unfinished_report_shows_means(tmp_path: Path) -> None:
    fill(tmp_path / "runs.sqlite", ended=False)
    with Store(tmp_path / "runs.sqlite", write=False) as store:
        report = stored_report(store, "toy")
        ((_, line),) = report.sections.values()
        assert line == ("n = 5", "DynaMaze-v0", "reward", "9.5 [6.7, 12.3] (!)", "20")
        assert "has not ended" in report.note
        with pytest.raises(StoreError, match=r"no runs of 'other'; expected one of \['toy'\]"):
            stored_report(store, "other")


def test_command_writes_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "results" / "runs.sqlite")
    main(ReportConfig(output=tmp_path))
    path = tmp_path / "results" / "toy.html"
    assert capsys.readouterr().out == f"{path}\n"
    assert "ValueError: bad" in path.read_text()
    with pytest.raises(ValueError, match=r"NAME='toi'; expected one of .*did you mean 'toy'"):
        main(ReportConfig(names=("toi",), output=tmp_path))
    with pytest.raises(StoreError, match="no such store"):
        main(ReportConfig(output=tmp_path / "elsewhere"))


def test_write_report_creates_its_folder(tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "toy.html", Report("Toy"))
    assert (tmp_path / "new" / "toy.html").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2.5, "x", None], "1, 2.5, x, none"),
        ([], "none"),
        ({"file": "0f", "path": "teacher.safetensors"}, "teacher.safetensors"),
        ({"class": "my:Agent"}, "my:Agent"),
        (
            {"partial": {"class": "my:Agent"}, "arguments": [1], "keywords": {"n": 2}},
            "my:Agent(1, n=2)",
        ),
        ({"type": "my:Part", "fields": {"size": 3}}, "Part(size=3)"),
        ({"type": "my:Thing", "arguments": []}, "my:Thing"),
        ({"a": 1, "b": [2]}, "a: 1, b: 2"),
    ],
)
def test_shown_reads_descriptions(value: object, text: str) -> None:
    assert shown(json.loads(json.dumps(value))) == text


@pytest.mark.parametrize("words", [["report", "--store"], ["diff", "missing"], ["export"]])
def test_missing_store_ends_in_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", *words, str(tmp_path / "missing.sqlite")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("dynamaze: ")
    assert ": no such store; run an experiment first, such as `dynamaze" in error
    assert error.count("\n") == 1
