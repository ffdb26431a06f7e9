"""Pages of the adaptation suite: the table of all, a card for each agent, and one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.app import cli
from dynamaze.benchmarks.adaptation import cards
from dynamaze.benchmarks.adaptation.suite_agents import SUITE_AGENTS
from dynamaze.benchmarks.harness.analysis.table import read_csv, write_csv

OWN = "def right(observation):\n    return 1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three agents in two settings, and their pages."""
    place = tmp_path_factory.mktemp("cards")
    (place / "mine.py").write_text(OWN)
    options = ["--runs", "4", "--workers", "1", "--setting", "partially_seen", "continuous"]
    agents = ["--baselines", "random", "oracle", "--agent", f"my agent={place}/mine.py:right"]
    command = ["bench", "run", "adaptation", *options, *agents, "--output", str(place)]
    assert cli.main(command) == 0
    assert cli.main(["bench", "cards", "--results", str(place), "--output", str(place / "p")]) == 0
    return place


def test_a_page_for_each_agent(folder: Path) -> None:
    pages = {path.name for path in (folder / "p").iterdir()}
    assert pages == {"README.md", "adaptation.png", "random.md", "oracle.md", "my_agent.md"}
    index = (folder / "p" / "README.md").read_text()
    for name in pages - {"README.md"}:
        assert f"({name})" in index


def test_card_has_numbers_of_the_tables(folder: Path) -> None:
    table = read_csv(folder / "results" / "adaptation.csv")
    rows = (table["agent"] == "random") & (table["setting"] == "partially_seen")
    card = (folder / "p" / "random.md").read_text()
    assert f"| partially_seen | 4 | {table['regret'][rows].mean():.1f} [" in card
    assert f"| {table['reward_before'][rows].mean():.4f} |" in card
    assert "What it cannot serve" not in card
    assert "| never reported | delay | false alarms |" in card
    assert "| does not report |  |  |" in card


def test_card_tells_what_is_not_served_and_what_is_told(folder: Path) -> None:
    card = (folder / "p" / "oracle.md").read_text()
    assert "knows or sees more: the maze as it is." in card
    assert "| oracle | continuous | an oracle in" in card


def test_own_agent_has_a_card(folder: Path) -> None:
    card = (folder / "p" / "my_agent.md").read_text()
    assert card.startswith("# my agent\n\nAn agent of one's own.")


def test_tables_of_a_page_have_one_width(folder: Path) -> None:
    for page in (folder / "p").glob("*.md"):
        for block in page.read_text().split("\n\n"):
            if block.startswith("| "):
                assert len({line.count(" | ") for line in block.splitlines()}) == 1


def test_results_of_another_version_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "results").glob("adaptation*.csv"):
        table = read_csv(path)
        if path.stem == "adaptation":
            table["suite"] = np.full(len(table["suite"]), "adaptation-v0")
        write_csv(tmp_path / "results" / path.name, table)
    command = ["bench", "cards", "--results", str(tmp_path), "--output", str(tmp_path / "pages")]
    assert cli.main(command) == 1
    assert not (tmp_path / "pages").exists()


def test_missing_results_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such table"):
        cards.main(cards.CardsConfig(tmp_path, tmp_path / "pages"))


def test_calls_of_agents() -> None:
    assert cards.call_of(SUITE_AGENTS["dyna_q_plus"].make) == (
        "DynaQPlus(kappa=0.001, learning_rate=0.5, epsilon=0.1, planning_steps=50)"
    )
    assert cards.call_of(SUITE_AGENTS["oracle"].make) == "Oracle()"
    assert cards.call_of(SUITE_AGENTS["student"].make) == "builtin:map_value_iteration"
    assert cards.call_of(SUITE_AGENTS["dqn"].make).startswith("DQN(learning_starts=200, ")
