"""Reports of clips: table 3, per frame and per video; sums by hand, or from the table of t."""

import csv
import json
import re

import matplotlib as mpl
import numpy as np
import pytest

from tasks.reporting.figures import differences
from tasks.reporting.measures import FRAMES, VIDEOS
from tasks.reporting.paired import difference
from tasks.reporting.render.plotting import STYLE
from tasks.reporting.report import markdown_report, write_report
from tasks.reporting.result_table import PaperFigure, result_table, table_text
from tests.tasks.reporting.typed import typed


def section(text, title):
    return text.split(f"## {title}")[1].split("\n## ")[0]


def lines_of(text):
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.fixture
def text(actions):
    return markdown_report(typed(actions))


def scored(actions):
    """The record with the grid opened: 60, 64, 66, 70 % of frames, 5 points more of videos."""
    for cell in actions["cells"]:
        accuracy = cell["accuracy"] - 0.2
        cell |= {"test_accuracy": accuracy, "test_n": 630}
        cell |= {"test_clip_accuracy": accuracy + 0.05, "test_clips": 63}
    actions["outputs"]["tables"] = [2, 3]
    return actions


def test_a_row_has_a_cell_for_every_measure_and_k_with_the_papers_figure_of_it(actions):
    gradmix = result_table(typed(actions))[2]
    found = [(cell.measure, cell.k, cell.ours.mean, cell.paper) for cell in gradmix.cells]
    assert found == [
        (FRAMES, 3, pytest.approx(56.0), PaperFigure(56.25, None)),
        (FRAMES, 5, pytest.approx(63.0), PaperFigure(61.73, None)),
        (VIDEOS, 3, pytest.approx(64.0), PaperFigure(59.41, None)),
        (VIDEOS, 5, pytest.approx(75.0), PaperFigure(66.27, None)),
    ]
    assert [cell.k for cell in gradmix.by(VIDEOS).cells] == [3, 5]
    assert {cell.measure for cell in gradmix.by(VIDEOS).cells} == {VIDEOS}


def test_differences_of_videos_are_those_of_videos(actions):
    # 0.62 - 0.60 and 0.66 - 0.58; of frames 0.55 - 0.50 and 0.57 - 0.54.
    of_videos = difference(typed(actions), VIDEOS, 3, "GradMix", "Joint")
    assert of_videos.values == pytest.approx((2.0, 8.0))
    assert difference(typed(actions), FRAMES, 3, "GradMix", "Joint").values == pytest.approx(
        (5.0, 3.0)
    )


def test_table_3_has_both_blocks_with_the_paper_beside_ours(text):
    part = section(text, "Table 3: test accuracy")
    lines = lines_of(part)
    assert lines[0] == [
        *("Method", "Datasets", "k=3 per frame", "paper", "k=5 per frame", "paper"),
        *("k=3 per video", "paper", "k=5 per video", "paper"),
    ]
    assert [
        *("GradMix", "S1, S2, V", "56.00 ± 1.00", "56.25", "63.00 ± 2.00", "61.73"),
        *("64.00 ± 2.00", "59.41", "75.00 ± 1.00", "66.27"),
    ] in lines
    assert "over 2 draws of V" in part
    assert "next to it the paper's figure, which has no standard error." in part
    assert "Per video: the softmax is averaged over the frames of a clip" in part
    assert "labelled clips per class" in part
    assert "Table 1" not in text
    assert "per image" not in text


def test_a_block_without_any_figure_of_the_paper_has_no_column_for_it(actions):
    del actions["paper_clips"]
    lines = lines_of(markdown_report(typed(actions)))
    assert lines[0][-2:] == ["k=3 per video", "k=5 per video"]
    actions |= {"paper": {}, "paper_clips": {"GradMix": {"3": [59.41]}}}
    text = markdown_report(typed(actions))
    assert lines_of(text)[0].count("paper") == 1
    assert "the paper's figures, on other data, are only shown for orientation" in text


def test_the_terminal_shows_a_block_after_the_other_within_120_columns(actions):
    wide = [
        {**row, "k": 10, "identity": f"{row['identity']}-10"}
        for row in actions["rows"]
        if row["k"] == 5
    ]
    actions["rows"] += wide
    for key in ("paper", "paper_clips"):
        actions[key]["GradMix"]["10"] = [67.30]
    shown = table_text(result_table(typed(actions)))
    frames, videos = shown.split("\n\n")
    assert frames.splitlines()[0] == "Test accuracy per frame, %:"
    assert videos.splitlines()[0] == "Test accuracy per video, %:"
    columns = ["Method", "Datasets", *("k=3", "paper", "k=5", "paper", "k=10", "paper")]
    assert frames.splitlines()[1].split() == videos.splitlines()[1].split() == columns
    assert re.split("  +", frames.splitlines()[5])[2:4] == ["56.00 ± 1.00", "56.25"]
    assert re.split("  +", videos.splitlines()[5])[2:4] == ["64.00 ± 2.00", "59.41"]
    assert max(map(len, shown.splitlines())) <= 120


def test_headlines_say_of_videos_what_is_not_the_same(text):
    part = section(text, "Table 3")
    best = "GradMix w/ hard label"
    assert f"- k = 3: largest mean **{best}** (63.00 % per frame, 73.00 % per video)." in part
    assert (
        f"- k = 5: largest mean **{best}** (67.00 % per frame), **GradMix** (75.00 % per video)."
    ) in part
    # t(0.975, 1 degree) = 12.7062; s.e. 1.
    assert (
        "GradMix against Joint, per frame: +4.00 ± 1.00 points over 2 draws "
        "(95 % CI -8.71 to +16.71): cannot tell, up to 10.3 points apart; per video the same "
        "(+5.00)."
    ) in part
    # Of videos 0.040 and 0.039: s.e. 0.05.
    assert (
        "cannot tell, up to 8.3 points apart; GradMix against Joint, per video: +3.95 ± 0.05 "
        "points over 2 draws (95 % CI +3.31 to +4.59): distinguishable, GradMix is higher."
    ) in part
    assert f"{best} against GradMix, per frame: +7.00 ± 2.00 points" in part
    assert f"{best} against GradMix, per video: -4.00 ± 0.00 points" in part


def test_other_pairs_of_the_best_are_named_by_their_measure(actions):
    for row in actions["rows"]:
        if row["row"] == "Joint" and row["k"] == 3:
            row["test_clip_accuracy"] += 0.1
    said = section(markdown_report(typed(actions)), "Table 3")
    assert re.search(
        r"after the fact: GradMix w/ hard label against GradMix, per frame: .*; "
        r"GradMix w/ hard label against Joint, per video: ",
        said,
    )


def test_a_missing_draw_is_named_once(actions):
    gone = ("Joint", 3, 1)
    actions["rows"] = [r for r in actions["rows"] if (r["row"], r["k"], r["draw"]) != gone]
    text = markdown_report(typed(actions))
    assert text.count("Joint lacks draw 1 at k = 3") == 1
    assert text.count("(1 of 2 draws)") == 2


def test_the_paired_differences_come_by_measure_each_its_own_family(text):
    part = section(text, "Paired differences to GradMix")
    frames, videos = part.split("Per frame:")[1].split("Per video:")
    # Two draws: p = 1 - 2 / pi * atan(t); frames at k = 3: t = 4, 2.5, -3.5; Holm: the largest
    # of 3 * 0.156, 2 * 0.177, 0.242 so far.
    joint = lines_of(frames)[2]
    assert joint[:6] == ["Joint", "3", "+4.00", "1.00", "2", "-8.71 to +16.71"]
    assert joint[6:8] == ["0.156", "0.468"]
    # Videos at k = 5: t = 79 and 29, and one without a spread that is not of the family.
    found = {(line[0], line[1]): line for line in lines_of(videos)}
    assert found["Joint", "5"][-3:] == ["0.008", "0.016", "GradMix is higher"]
    assert found["EnergyNet (our reading)", "5"][-3:-1] == ["0.022", "0.022"]
    assert found["GradMix w/ hard label", "5"][2:5] == ["+4.00", "0.00", "2"]
    assert "corrected for the rows of one k in one table." in part
    assert "Of 11 intervals" in part


def test_the_noise_of_the_test_split_is_that_of_clips(text):
    # sqrt(0.62 * 0.38 / 63) = 0.061152
    assert (
        "not the choice of test clips: with 63 of them, an accuracy of 62.00 % alone has a "
        "binomial standard error of 6.12 points; clips of one recording are alike, so that it is "
        "larger."
    ) in text


def test_a_cell_that_nobody_picked_is_told_by_both_measures(actions):
    said = section(markdown_report(typed(scored(actions))), "Paired")
    assert "65.00 % at k = 3 (+9.00 against the row) per frame" in said
    assert "70.00 % at k = 3 (+6.00 against the row) per video" in said


def test_the_grid_is_per_frame_and_without_the_papers_which_is_of_digits(actions):
    part = section(markdown_report(typed(scored(actions))), "Table 2")
    assert "Accuracy per frame in per cent" in part
    assert ["beta 5", "60.00", "64.00"] in lines_of(part)
    assert "paper's own grid" not in part


def test_the_forest_plot_has_the_measures_of_one_k_side_by_side(actions):
    with mpl.rc_context(STYLE):
        axes = differences(typed(actions)).axes
    titles = [axis.get_title(loc="left") for axis in axes]
    assert titles == [
        *("k = 3, per frame", "k = 3, per video", "k = 5, per frame", "k = 5, per video"),
    ]
    dots = [
        [line.get_xdata()[0] for line in axis.lines if len(line.get_xdata()) == 1] for axis in axes
    ]
    assert np.array(dots) == pytest.approx(
        np.array([[4, 5, -7], [5, 8.5, -9], [2, 4, -4], [3.95, 14.5, 4]])
    )


def read(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_csv_files_have_the_figures_of_clips_where_there_are_some(actions, tmp_path):
    write_report(typed(scored(actions)), tmp_path)
    results = read(tmp_path / "results.csv")
    for line, row in zip(results, actions["rows"], strict=True):
        assert float(line["test_clip_accuracy"]) == row["test_clip_accuracy"]
        assert (line["test_n"], line["test_clips"]) == ("630", "63")
    gradmix = next(line for line in results if line["row"] == "GradMix")
    assert (gradmix["paper_percent"], gradmix["paper_clip_percent"]) == ("56.25", "59.41")
    assert gradmix["paper_clip_standard_error"] == ""
    assert read(tmp_path / "cells.csv")[0]["test_clips"] == "63"
    labels = read(tmp_path / "pseudo_labels.csv")[1]
    assert [labels[name] for name in ("clips", "soft_disagree", "count_Diving")] == [
        *("50", "0.4", "60"),
    ]


def test_the_csv_files_of_images_have_no_columns_of_clips(record, tmp_path):
    write_report(typed(record), tmp_path)
    for name in ("results", "cells", "pseudo_labels"):
        assert "clip" not in (tmp_path / f"{name}.csv").read_text(encoding="utf-8")


def test_the_page_shows_both_blocks_and_the_note(actions, tmp_path):
    actions["note"] = "S1 and S2 are stand-ins."
    write_report(typed(json.loads(json.dumps(actions))), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<strong>S1 and S2 are stand-ins.</strong>" in page.split("</header>")[0]
    assert "k=5 per video</th>" in page
    assert "66.27</td>" in page
