"""What the project publishes about itself comes from the one JSON that lies beside it."""

from pathlib import Path

import pytest

from deepscribble.benchmark.report import Report, read_report
from deepscribble.benchmark.roster import RIVALS
from deepscribble.benchmark.tables import markdown
from deepscribble.models import SHIPPED, Registry

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def report() -> Report:
    return read_report(DOCS / "benchmark" / "results.json")


def test_the_tables_are_those_of_the_run(report: Report) -> None:
    tables = markdown(report).partition("\n")[2]
    assert tables.strip() in (DOCS / "benchmark.md").read_text()


def test_the_run_was_made_with_the_shipped_weights(report: Report) -> None:
    cards = [*Registry(SHIPPED).cards(), *Registry(RIVALS).cards()]
    assert report.origin.models == {card.name: card.digest for card in cards}


def test_the_readmes_figures_are_those_of_the_run(report: Report) -> None:
    readme = (ROOT / "README.md").read_text()
    assert [chosen.protocol for chosen in report.selections] == ["paper", "whole"]
    for one in (one for chosen in report.selections for one in report.figures_of(chosen)):
        row = (
            f"{one.at85.interactions.value:.1f}",
            f"{one.at90.interactions.value:.1f}",
            f"{one.at85.share.value:.2f}",
            f"{one.seconds.value:.2f}",
        )
        assert f"| {one.method} | {' | '.join(row)} |" in readme
    prior = report.ablation[0].iou
    for one in report.ablation[1:]:
        removed = 100 * (1 - (1 - one.iou) / (1 - prior))
        assert f"| {one.name} | {one.iou:.3f} | {removed:.0f} % |" in readme


def test_no_path_of_a_machine_is_published(report: Report) -> None:
    for path in (report.setting.data, report.setting.models, report.setting.rivals):
        assert path is None or not Path(path).is_absolute()
