"""The report's tables, figures and studies against sums by hand."""

import re

import numpy as np
import pytest

from tasks.reporting.report import markdown_report
from tasks.reporting.right_answers import packed
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
def text(full):
    return markdown_report(typed(full))


def test_differences_stand_with_p_and_holm_within_one_k(record):
    # k = 3: t = 15 sqrt 3, sqrt 3, -5 sqrt 3; p = 1 - t / sqrt(2 + t^2): 0.00148, 0.2254, 0.01307;
    # Holm: times 3, 1, 2. k = 2: -6 in every draw has no p and is not counted.
    lines = lines_of(section(markdown_report(typed(record)), "Paired"))
    header = lines[0]
    columns = [header.index(name) for name in ("GradMix minus", "k", "p (t)", "p (Holm)")]
    found = {tuple(line[c] for c in columns[:2]): [line[c] for c in columns[2:]] for line in lines}
    assert found["Target only", "3"] == ["0.001", "0.004"]
    assert found["Joint", "3"] == ["0.225", "0.225"]
    assert found["GradMix hard", "3"] == ["0.013", "0.026"]
    assert found["GradMix hard", "2"] == ["-", "-"]
    assert lines[-1][-1] == "GradMix hard is higher"
    assert "p (signed rank)" not in header
    assert "of signs or ranks alone could not go below p = 0.25" in markdown_report(typed(record))


def test_the_signed_rank_test_comes_with_five_draws(record):
    rows = [row for row in record["rows"] if row["row"] in {"Joint", "GradMix"} and row["k"] == 3]
    record["rows"] = [
        {**rows[0], "row": name, "draw": draw, "test_accuracy": accuracy}
        for draw in range(5)
        for name, accuracy in (("Joint", 0.90), ("GradMix", 0.91 + 0.01 * draw))
    ]
    lines = lines_of(section(markdown_report(typed(record)), "Paired"))
    assert lines[0][-2] == "p (signed rank)"
    assert lines[2][-2] == "0.062"


def test_table_2_gives_test_accuracy_the_selected_cell_and_the_correlation(text):
    part = section(text, "Table 2").split("### k = 3")[1].split("###")[0]
    lines = lines_of(part)
    assert lines[0] == ["", "gamma 0", "gamma 0.4"]
    assert lines[2:4] == [["beta 5", "79.00", "84.00"], ["beta 10", "83.00 (3)", "**86.00** (3)"]]
    # 78, 83, 82, 85: mean 82, sd sqrt(26 / 3) = 2.9439, lift 1.1173 sd; with 80, 84, 86, 90
    # r = 34 / sqrt(52 * 26) = 0.9247, atanh 1.6201 -+ 1.9600.
    figures = ["4", "82.00", "2.94", "85.00", "85.29", "85.00", "+0.92 (-0.33 to +1.00)"]
    assert ["draw 0", *figures] in lines
    assert [
        "mean over draws",
        "4",
        "83.00",
        "2.94",
        "86.00",
        "86.29",
        "86.00",
        figures[-1],
    ] in lines
    assert ["beta 10", "86.00 (3)", "**90.00** (3)"] in lines
    assert "opened for the cells after everything had been selected" in text


def test_the_papers_grid_stands_beside_ours_with_its_own_noise(text, full):
    part = section(text, "Table 2").split("### The paper's own grid")[1]
    lines = lines_of(part)
    assert lines[0][-1] == "gamma 0.8"
    assert lines[7][0] == "beta 10"
    assert lines[7][7] == "**91.45**"
    assert len(lines[2:8]) == 6
    wanted = ["paper, mean over 10 runs", "54", "90.54", "0.36", "91.45", "91.37"]
    assert lines[-1] == wanted
    assert "0.91 points above the mean of the cells" in part
    for name in ("cells", "rows", "ensembles", "curves"):
        full[name] = [entry for entry in full[name] if entry["k"] == 2]
    lines = lines_of(section(markdown_report(typed(full)), "Table 2"))
    assert wanted in lines
    assert "gamma 0.8" not in lines[0]


def test_figure_3_is_put_into_figures(text):
    lines = lines_of(section(text, "Figure 3"))
    # Draws lie 0.1 apart: s.e. 0.1 / sqrt 3. Moves of 0.5, 0.1, 0.4 and of 0.2, 0.1, 0.05.
    assert [
        *("Source only", "2", "1.30 ± 0.06", "4, 4, 4", "1.30 ± 0.06", "0.33 ± 0.00"),
    ] in lines
    assert ["GradMix", "3", "0.80 ± 0.06", "3, 3, 3", "0.85 ± 0.06", "0.12 ± 0.00"] in lines


def test_figure_4_compares_every_r_with_the_records_own_on_the_same_draws(text):
    lines = lines_of(section(text, "Figure 4"))
    # R = 1 minus R = 2: -3, -4, -2; s.e. 0.57735, t 4.302653.
    assert ["2", "1", "91.00 ± 0.58", "3", "-3.00", "-5.48 to -0.52"] in lines
    assert ["2", "2", "94.00 ± 0.58", "3", "-", "-"] in lines
    assert ["2", "3", "93.00 ± 1.00", "2", "-1.00", "-"] in lines


def test_the_audit_tells_the_effect_of_r_and_threshold_and_the_calibration(text):
    part = section(text, "Pseudo-labels")
    assert ["2", "1", "3", "84.00 ± 0.58", "92.00 ± 0.00", "91.23 ± 0.00"] in lines_of(part)
    assert ["2", "0.9", "600", "60.00", "98.50"] in lines_of(part)
    # (100 * 0.8 + 200 * 0.8 + 300 * 0.9) / 600 = 0.85.
    assert ["3", "0.8 to 0.9", "600", "85.00", "85.00"] in lines_of(part)
    assert ["3", "0.9 to 1", "1,200", "95.00", "90.00"] in lines_of(part)
    assert "(ECE): 3.33 points at k = 2, 3.33 points at k = 3." in part


def test_rho_is_valid_where_its_correlation_is_negative(text):
    part = section(text, "Does rho")
    lines = lines_of(part)
    assert ["2", "0", "random weights", "5", "-0.80 (-0.99 to +0.46)", "100.00"] in lines
    assert ["2", "0", "trained model", "5", "+0.80 (-0.46 to +0.99)", "0.00"] in lines
    assert "from random weights 0 of 6 correlations lie below 0" in part
    assert ["conv1", "-1.00 (-1.00 to -1.00)", "-1.00 (-1.00 to -1.00)"] in lines
    assert ["fc1", "-0.80 (-0.80 to -0.80)", "+0.80 (+0.80 to +0.80)"] in lines
    assert "negative correlation means that rho is valid" in part


def test_the_size_of_hyper_validation_is_told_against_blind_and_best(text):
    part = section(text, "How large")
    assert ["2", "10", "200", "85.00", "2.00", "+0.00"] in lines_of(part)
    assert ["2", "1,000", "1", "88.00", "-", "+3.00"] in lines_of(part)
    assert "k = 2: a cell picked at random has 85.00 %" in part
    assert "the best cell on the test split 90.00 % (mean over 3 draws)" in part
    assert "**Selection only:**" in part


def test_the_overhead_is_paired_and_counts_only_timed_steps(text, full):
    part = section(text, "Time of a step")
    assert (
        "GradMix takes +50 % time per step against Source only: mean of 6 pairs on the same k and "
        "draw, from +40 % to +60 %. The paper says about +40 %" in part
    )
    assert ["GradMix", "45.0", "1.50", "1.40", "1.60", "6"] in lines_of(part)
    for row in full["rows"]:
        row["resumed_from"] = 1000 if row["row"] == "GradMix" else 0
    assert "## Time of a step" not in markdown_report(typed(full))


@pytest.mark.parametrize(
    ("kind", "item", "title"),
    [
        ("tables", 1, "Table 1"),
        ("tables", 1, "Paired differences"),
        ("tables", 2, "Table 2"),
        ("figures", 3, "Figure 3"),
        ("figures", 4, "Figure 4"),
        ("studies", "rho", "Does rho predict"),
        ("studies", "hyper_validation", "How large must"),
    ],
)
def test_what_was_not_asked_for_is_left_out(full, kind, item, title):
    assert f"\n## {title}" in markdown_report(typed(full))
    full["outputs"][kind].remove(item)
    assert f"\n## {title}" not in markdown_report(typed(full))


def test_what_was_asked_for_and_is_not_there_is_named(full):
    assert "not in the record" not in markdown_report(typed(full))
    full |= {"ensembles": [], "studies": {"rho": []}}
    text = markdown_report(typed(full))
    assert (
        "**Requested, but not in the record:** figure 4, study rho, study hyper_validation." in text
    )
    assert "## Figure 4" not in text
    assert "## Does rho" not in text


def test_runs_are_links_and_how_they_open_is_said_once(text, full):
    link = "[`run-Join`](http://127.0.0.1:5000/#/experiments/1/runs/run-Joint-3-0?workflowType=machine_learning)"
    assert f"0: {link}" in text
    assert "/runs/final-3-2-1?workflowType=machine_learning)" in text
    assert (
        text.count("(http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning)")
        == 1
    )
    assert text.count("mlflow ui") == 1
    full["tracking"]["ui"] = "javascript:alert(1)//"
    assert "javascript" not in markdown_report(typed(full))


def test_every_table_and_figure_says_how_to_read_it(text):
    """Between a table or figure and the next heading."""
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE):
        if "\n|" in part or "\n![" in part:
            after = re.split(r"^(?:\||!\[).*\n", part, flags=re.MULTILINE)[-1]
            assert "How to read this" in after, part[:60]
            assert "Misleading if" in after


def test_the_difference_to_a_cell_that_nobody_picked_is_said(full):
    # k = 3: cells 78, 83, 82, 85 plus 0, 1, 2 by draw: mean 83.00; the row 90, 92, 94: mean 92.00.
    said = section(markdown_report(typed(full)), "Paired")
    assert "**Tuned unequally:**" in said
    assert re.search(r"8\d\.\d\d % at k = 2", said)
    cells = [100 * c["test_accuracy"] for c in full["cells"] if c["k"] == 3]
    mean = sum(cells) / len(cells)
    assert f"{mean:.2f} % at k = 3 ({mean - 92:+.2f} against the row)" in said


def test_without_scores_of_all_cells_nothing_is_said_of_unpicked_ones(full):
    full["cells"][0]["test_accuracy"] = None
    assert "at k = 2 (" not in section(markdown_report(typed(full)), "Paired")


def test_soft_labels_in_place_of_hard_ones_are_named(full):
    assert "in place of hard ones" not in markdown_report(typed(full))
    row = next(row for row in full["rows"] if row["row"] == "GradMix hard" and row["k"] == 3)
    row["pseudo"] = full["ensembles"][0]["pseudo"] = "soft"
    said = section(markdown_report(typed(full)), "Table 1")
    assert "GradMix hard (k = 3, draw 0); figure 4, R = 1 (k = 2, draw 0)." in said


def test_right_answers_give_an_interval_over_draws_and_images(record):
    rng = np.random.default_rng(0)
    for entry in record["rows"]:
        count = entry["test_n"]
        entry["right"] = packed(rng.permutation(count) < round(entry["test_accuracy"] * count))
    text = markdown_report(typed(record))
    part = text.partition("## Paired differences")[2].partition("\n## ")[0]
    header = next(line for line in part.splitlines() if "by the interval" in line)
    assert "| 95 % CI, images too |" in " ".join(header.split())
    assert "bootstrap in which draws and images are resampled with replacement" in part


def test_without_right_answers_there_is_no_such_interval(record):
    assert "images too" not in markdown_report(typed(record))


def test_what_picking_added_stands_beside_the_number_of_candidates(record):
    for entry in record["rows"]:
        if (entry["row"], entry["k"]) == ("Joint", 2):
            # Above their mean: 2 points.
            entry["candidates"] = [0.90, 0.86, 0.88]
    text = markdown_report(typed(record))
    part = text.partition("## Selection and learning rates")[2].partition("\n## ")[0]
    (joint,) = [line for line in part.splitlines() if line.split()[1:4] == ["Joint", "|", "2"]]
    assert [cell.strip() for cell in joint.split("|")[-3:-1]] == ["3", "+2.00"]


def test_rows_with_u_lack_no_draw_that_the_settings_do_not_ask_for(record):
    record["settings"]["target"] |= {"draws_with_u": 2}
    record["rows"] = [r for r in record["rows"] if r["row"] != "GradMix hard" or r["draw"] < 2]
    assert "Incomplete" not in markdown_report(typed(record))
    record["settings"]["target"] |= {"draws_with_u": None}
    assert "GradMix hard lacks draw 2 at k = 2" in markdown_report(typed(record))
