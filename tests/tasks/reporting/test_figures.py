"""What the figures draw is what the record says."""

import matplotlib as mpl
import numpy as np
import pytest

from tasks.reporting.figures import (
    FIGURES,
    differences,
    draw_figure,
    ensemble_sizes,
    grid,
    loss_curves,
    reliability,
    rho,
    selection_sizes,
    threshold_curves,
)
from tasks.reporting.render.plotting import COLOURS, STYLE, look
from tests.tasks.reporting.typed import typed


@pytest.fixture(autouse=True)
def _styled():
    with mpl.rc_context(STYLE):
        yield


def series(axis):
    """Points of the lines that have a name, by it."""
    return {
        line.get_label(): line.get_xydata().tolist()
        for line in axis.lines
        if not line.get_label().startswith("_")
    }


def test_the_forest_plot_has_the_means_and_intervals(record):
    left, right = differences(typed(record)).axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        *("Target only", "Joint", "GradMix hard"),
    ]
    bars = [list(line.get_xdata()) for line in right.lines if len(line.get_xdata()) == 2]
    # GradMix - Joint at k = 3: 1 +- 4.302653 * 0.57735.
    assert bars[1] == pytest.approx([-1.48414, 3.48414], abs=1e-5)
    dots = [line for line in right.lines if len(line.get_xdata()) == 1]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([15.0, 1.0, -5.0])
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True, False]


def test_the_heat_map_has_the_mean_test_accuracy_and_stars_the_selected(full):
    axis = grid(typed(full)).axes[0]
    drawn = np.asarray(axis.images[0].get_array())
    assert drawn == pytest.approx(np.array([[79.0, 84.0], [83.0, 86.0]]))
    assert [text.get_text() for text in axis.texts] == ["79.00", "84.00", "83.00", "86.00★"]


def test_the_loss_curves_are_the_means_over_draws(full):
    first, second = loss_curves(typed(full)).axes
    found = series(first)
    assert list(found) == ["Source only", "GradMix"]
    assert np.array(found["Source only"]) == pytest.approx(
        np.array([[1, 2.1], [2, 1.6], [3, 1.7], [4, 1.3]])
    )
    assert second.get_title(loc="left") == "k = 3"
    assert len(first.lines) == 2 * (3 + 1)


def test_the_ensembles_have_their_means_and_standard_errors(full):
    (axis,) = ensemble_sizes(typed(full)).axes
    line, _, (bars,) = axis.containers[0]
    assert line.get_ydata() == pytest.approx([91.0, 94.0, 93.0])
    assert [round(x) for x in line.get_xdata()] == [1, 2, 3]
    halves = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    assert halves == pytest.approx([1 / np.sqrt(3), 1 / np.sqrt(3), 1.0])


def test_the_reliability_diagram_pools_the_draws(full):
    (axis,) = reliability(typed(full)).axes
    points = axis.collections[0].get_offsets().tolist()
    assert np.array(points) == pytest.approx(np.array([[0.85, 0.85], [0.95, 0.90]]))


def test_the_thresholds_have_coverage_and_precision(full):
    found = series(threshold_curves(typed(full)).axes[0])
    assert np.array(found["precision"]) == pytest.approx(np.array([[0.8, 97.5], [0.9, 98.5]]))
    assert np.array(found["coverage"]) == pytest.approx(np.array([[0.8, 80.6], [0.9, 60.0]]))
    assert found["used: 0.8"][0][0] == 0.8


def test_the_cloud_of_rho_has_every_probe(full):
    first, second = rho(typed(full)).axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == (
        *("random weights", "trained model"),
    )
    assert [len(cloud.get_offsets()) for cloud in first.collections] == [15, 15]
    assert first.collections[0].get_offsets()[1].tolist() == [2.0, -0.3]
    assert second.collections[0].get_offsets()[1].tolist() == [2.0, 0.3]


def test_the_sizes_lie_between_blind_and_best(full):
    found = series(selection_sizes(typed(full)).axes[0])
    assert np.array(found["selected cell"]) == pytest.approx(
        np.array([[10, 85.0], [100, 87.0], [1000, 88.0]])
    )
    assert found["picked at random"][0][1] == pytest.approx(85.0)
    assert found["best cell"][0][1] == pytest.approx(90.0)


@pytest.mark.parametrize("name", ["figure-4", "rho"])
def test_a_drawing_is_one_element_without_date_or_address(full, name):
    svg = draw_figure(name, typed(full))
    assert svg.startswith("<svg ")
    assert svg.count("<svg") == 1
    assert "<metadata" not in svg
    assert "<!--" not in svg
    assert svg == draw_figure(name, typed(full))
    assert set(FIGURES) >= {name}


def test_names_with_marks_of_mathematics_and_unknown_letters_are_drawn(record):
    for row in record["rows"]:
        row["row"] = row["row"].replace("Joint", "a $x_{ $ \u6f22 " + "long " * 20)
    assert draw_figure("differences", typed(record)).startswith("<svg ")


def test_no_two_series_differ_by_colour_alone():
    looks = [look(typed(place)) for place in range(len(COLOURS))]
    for key in ("color", "marker", "linestyle"):
        assert len({str(one[key]) for one in looks}) == len(looks)
