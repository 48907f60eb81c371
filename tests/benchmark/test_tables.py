from dataclasses import replace

import pytest

from deepscribble.benchmark.ablation import Ablation
from deepscribble.benchmark.report import Report
from deepscribble.benchmark.tables import PAPER_TABLE_1, PAPER_TABLE_2, markdown


def row(text: str, head: str, name: str) -> list[str]:
    """The cells of the row that begins with `name`, in the first table below `head`."""
    lines = text[text.index(head) :].splitlines()
    found = next(line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_table_1_stands_beside_the_papers_figures(report: Report) -> None:
    text = markdown(report)
    # Both patches get there, after 1 and 2 strokes, in 0.10 s and 0.10 + 0.11 s.
    ours = ["1.00", "1.5", "1.5", "0.2", "0.10"]
    paper = ["0.8", "6.4", "5.9", "36", "0.6"]
    cells = [cell for pair in zip(ours, paper, strict=True) for cell in pair]
    assert row(text, "### Table 1", "RefineNet") == ["RefineNet", *cells]
    # One of two gets there, with its one stroke that counts.
    assert row(text, "### Table 1", "BRS")[1:7] == ["0.50", "0.5", "1.0", "4.5", "1.0", "4.7"]


def test_a_method_that_the_paper_lacks_has_no_figures_of_it(report: Report) -> None:
    other = replace(
        report,
        trials=tuple(
            replace(trial, method="GrabCut") if trial.method == "BRS" else trial
            for trial in report.trials
        ),
        selections=(replace(report.selections[0], methods=("GrabCut", "RefineNet")),),
    )
    assert row(markdown(other), "### Table 1", "GrabCut")[2::2] == ["–"] * 5


def test_all_figures_have_both_conventions(report: Report) -> None:
    text = markdown(report)
    failed_is_20 = row(text, "### All figures", "NoI@85, failures counted as 20")
    assert [cell.split(" ")[0] for cell in failed_is_20[1:]] == ["10.5", "1.5"]
    assert row(text, "### All figures", "NoI@85, successes only")[1].startswith("1.0")
    assert row(text, "### All figures", "failures @85 / @90")[1:] == ["1 / 1", "0 / 0"]
    assert row(text, "### All figures", "stroke pixels answered against, %")[1:] == ["0", "0"]


def test_a_little_is_told_from_nothing(report: Report) -> None:
    trials = tuple(
        replace(trial, rounds=tuple(replace(one, flips=0.00001) for one in trial.rounds))
        for trial in report.trials
    )
    text = markdown(replace(report, trials=trials))
    assert row(text, "### All", "stroke pixels answered against, %")[1] == "0.00 (0.00 to 0.00)"


def test_sets_are_told_apart(report: Report) -> None:
    text = markdown(report)
    whole = text[text.index("3 patches: the whole set") :]
    assert row(whole, "### NoI@85 by set", "s") == ["s", "3", "0.667", "1.0"]


def test_table_2_stands_beside_the_papers_figures(report: Report) -> None:
    text = markdown(report)
    assert row(text, "## Table 2", "GuideNet") == ["GuideNet", "0.600", "0.862", "0 %", "0 %"]
    assert row(text, "## Table 2", "I + P + D") == ["I + P + D", "0.800", "0.933", "50 %", "51 %"]


def test_a_perfect_first_guess_has_no_error_to_remove(report: Report) -> None:
    perfect = tuple(Ablation(name, 1.0, (1.0,)) for name in ("GuideNet", "I"))
    assert row(markdown(replace(report, ablation=perfect)), "## Table 2", "I")[3] == "–"


def test_where_it_came_from_is_said(report: Report) -> None:
    text = markdown(report)
    assert "Seed: 0" in text
    assert str(report.origin.machine) in text


def test_an_interrupted_run_has_the_tables_it_got_to(report: Report) -> None:
    begun = replace(report, ablation=(), selections=(replace(report.selections[0], methods=()),))
    text = markdown(begun)
    assert "Table" not in text
    assert text.startswith("# Benchmark")


@pytest.mark.parametrize("table", [PAPER_TABLE_1, PAPER_TABLE_2])
def test_the_paper_has_five_rows_in_each_table(table: dict[str, object]) -> None:
    assert len(table) == 5
