"""The numbers of a record: result table, paired differences, selection noise."""

import re

import pytest

from tasks.reporting.measures import IMAGES
from tasks.reporting.paired import difference
from tasks.reporting.result_table import (
    PaperFigure,
    result_table,
    selection_noise,
    signed,
    table_text,
)
from tests.tasks.reporting.typed import typed


def test_the_table_has_the_rows_in_the_records_order_and_means_in_per_cent(record):
    rows = result_table(typed(record))
    assert [found.name for found in rows] == ["Target only", "Joint", "GradMix", "GradMix hard"]
    gradmix = rows[2]
    assert gradmix.datasets == ("S1", "S2", "V")
    assert [cell.k for cell in gradmix.cells] == [2, 3]
    # 90, 92, 94: sd 2, s.e. 2 / sqrt(3).
    assert gradmix.cells[1].ours.mean == pytest.approx(92.0)
    assert gradmix.cells[1].ours.standard_error == pytest.approx(1.154701, abs=1e-6)
    assert gradmix.cells[0].paper == PaperFigure(91.17, 0.37)
    assert gradmix.cells[1].paper == PaperFigure(91.45, None)
    assert rows[1].cells[0].paper is None


def test_the_terminal_table_is_aligned_and_shows_the_papers_figure(record):
    lines = table_text(typed(result_table(typed(record)))).splitlines()
    assert lines[0].split() == ["Method", "Datasets", "k=2", "paper", "k=3", "paper"]
    names = ["Target only", "Joint", "GradMix", "GradMix hard"]
    assert [line.split("  ")[0] for line in lines[2:]] == names
    gradmix = re.split(r"  +", lines[4])
    assert gradmix == [
        *("GradMix", "S1, S2, V", "90.00 ± 0.58", "91.17 ± 0.37", "92.00 ± 1.15", "91.45"),
    ]
    assert len({len(line) for line in lines[:1] + lines[2:]}) == 1


def test_differences_are_taken_on_the_same_draws(record):
    # k = 3: GradMix - Joint = 0, 2, 1 points: mean 1, sd 1, s.e. 0.57735, t 4.302653.
    pair = difference(typed(record), IMAGES, 3, "GradMix", "Joint")
    assert pair.points.mean == pytest.approx(1.0)
    assert pair.points.standard_error == pytest.approx(0.57735, abs=1e-5)
    assert pair.points.interval == pytest.approx((-1.48414, 3.48414), abs=1e-5)
    # The 90 % interval has t 2.919986: 1 + 2.919986 * 0.57735.
    assert pair.points.equality_bound == pytest.approx(2.68585, abs=1e-4)
    assert pair.verdict == "cannot tell, up to 2.7 points apart"
    assert difference(typed(record), IMAGES, 3, "Joint", "GradMix").points.mean == pytest.approx(
        -1.0
    )
    gone = ("Joint", 3, 1)
    record["rows"] = [r for r in record["rows"] if (r["row"], r["k"], r["draw"]) != gone]
    shared = difference(typed(record), IMAGES, 3, "GradMix", "Joint")
    assert (shared.points.n, shared.points.mean) == (2, pytest.approx(0.5))


def test_the_verdict_names_the_higher_one_only_when_the_interval_misses_zero(record):
    # GradMix - Target only at k = 3: 15, 16, 14 points: s.e. 0.57735, interval 12.5 to 17.5.
    assert difference(typed(record), IMAGES, 3, "GradMix", "Target only").verdict == (
        "distinguishable, GradMix is higher"
    )
    assert difference(typed(record), IMAGES, 3, "Target only", "GradMix").verdict == (
        "distinguishable, GradMix is higher"
    )
    assert difference(typed(record), IMAGES, 3, "GradMix hard", "GradMix").verdict.startswith(
        "distinguishable"
    )


def test_the_same_difference_in_every_draw_gives_no_interval(record):
    pair = difference(typed(record), IMAGES, 2, "GradMix hard", "GradMix")
    assert (pair.points.standard_error, pair.points.interval) == (0.0, None)
    assert "no interval can be given" in pair.verdict


def test_selection_noise_is_measured_in_the_cells_own_deviation():
    figures = selection_noise([0.80, 0.84, 0.86, 0.90])
    assert figures.deviation == pytest.approx(4.163332, abs=1e-6)
    assert figures.expected == pytest.approx(85 + 4.163332 * 1.117286, abs=1e-5)
    assert selection_noise([0.8, 0.9]).expected is None
    assert selection_noise([0.8]).deviation is None


def test_rounding_noise_around_zero_shows_no_minus():
    assert [signed(points) for points in (-1e-14, 0.004, -0.006)] == [
        "+0.00",
        "+0.00",
        "-0.01",
    ]
