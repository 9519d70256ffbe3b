"""The report: every figure from the record, nothing said that the record does not show."""

import json
import re

from tasks.reporting.record import decode_record, record_text
from tasks.reporting.report import markdown_report
from tests.tasks.reporting.typed import typed


def without(record, **wanted):
    """The record without the rows that have all of these values."""
    record["rows"] = [
        entry
        for entry in record["rows"]
        if any(entry[name] != value for name, value in wanted.items())
    ]
    return record


def one_draw(record):
    for part in ("rows", "cells", "pseudo_labels"):
        record[part] = [entry for entry in record[part] if entry["draw"] == 0]
    record["settings"]["target"]["draws"] = 1
    return record


def one_k(record):
    for part in ("rows", "cells", "pseudo_labels"):
        record[part] = [entry for entry in record[part] if entry["k"] == 3]
    record["settings"]["target"]["k"] = [3]
    return record


def section(text, title):
    """The part of a Markdown text under a heading."""
    return text.split(f"## {title}")[1].split("\n## ")[0]


def lines_of(text):
    """Table rows of a Markdown text, as lists of cells."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_the_first_screen_says_on_what_data_and_what_came_out(record):
    text = markdown_report(typed(record))
    first = text.split("## Paired")[0]
    assert first.startswith(
        "# SVHN 5-9 + MNIST 0-4 -> MNIST 5-9\n\nThe experiment `digits` at scale"
    )
    assert "`small` (k = 2, 3; 3 draws of V; seed 7)" in first
    assert "real data that are not all official" in first
    assert "8,007 of the official 73,257 rows: not the official split" in first
    assert "MNIST idx" not in first
    assert "- k = 3: largest mean **GradMix hard** (97.00 %)." in first
    assert (
        "GradMix against Joint: +1.00 ± 0.58 points over 3 draws (95 % CI -1.48 to +3.48): "
        "cannot tell, up to 2.7 points apart." in first
    )
    assert "GradMix hard against GradMix: +5.00 ± 0.58 points" in first
    assert ["GradMix", "S1, S2, V", "90.00 ± 0.58", "91.17 ± 0.37", "92.00 ± 1.15", "91.45"] in (
        lines_of(first)
    )


def test_a_joint_that_wins_is_said_to_win(record):
    for entry in record["rows"]:
        if entry["row"] == "Joint":
            entry["test_accuracy"] += 0.08 + 0.001 * entry["draw"]
    text = markdown_report(typed(record))
    assert "- k = 3: largest mean **Joint** (99.10 %)." in text
    assert "GradMix against Joint: -7.10 ± 0.55 points over 3 draws" in text
    assert re.search(r"GradMix against Joint: .*: distinguishable, Joint is higher", text)


def test_equal_means_share_the_first_place(record):
    for entry in record["rows"]:
        if entry["row"] == "GradMix" and entry["k"] == 3:
            entry["test_accuracy"] += 0.05
    assert "largest mean **GradMix and GradMix hard** (97.00 %)" in markdown_report(typed(record))


def test_embedded_data_are_called_stand_ins_and_official_data_official(record):
    for entry, reader in zip(record["data"], ("street", "handwritten"), strict=True):
        entry |= {"reader": reader, "official": False, "origin": f"drawn by {reader}", "raw": {}}
    text = markdown_report(typed(record))
    assert "on **embedded stand-ins, not SVHN and MNIST**: drawn by street; drawn by" in text
    assert "the paper's figures, on other data, are only shown for orientation" in text
    assert "No raw files" in text
    for entry, reader in zip(record["data"], ("svhn", "mnist"), strict=True):
        entry |= {"reader": reader, "official": True}
    text = markdown_report(typed(record))
    assert "seed 7), on real data with the official counts." in text
    assert "stand-ins" not in text


def test_rows_that_lack_a_draw_are_named_and_counted(record):
    text = markdown_report(typed(without(record, row="Joint", k=2, draw=1)))
    assert "**Incomplete:** Joint lacks draw 1 at k = 2." in text
    assert "88.50 ± 0.50 (2 of 3 draws)" in text
    assert "over 2 or 3 draws of V" in text


def test_a_draw_that_the_settings_ask_for_and_no_row_has_is_named(record):
    record["settings"]["target"]["draws"] = 4
    assert "GradMix lacks draw 3 at k = 2; GradMix lacks draw 3 at k = 3" in markdown_report(
        typed(record)
    )


def test_a_row_without_any_draw_at_a_k_is_named_and_shown_empty(record):
    for draw in range(3):
        record = without(record, row="Joint", k=2, draw=draw)
    text = markdown_report(typed(record))
    assert "Joint lacks draws 0, 1, 2 at k = 2" in text
    assert ["Joint", "S1, S2, V", "-", "-", "91.00 ± 1.00", "-"] in lines_of(text)


def test_one_draw_and_one_k_give_a_report_without_standard_errors(record):
    text = markdown_report(typed(one_k(one_draw(record))))
    assert ["GradMix", "S1, S2, V", "90.00", "91.45"] in lines_of(text)
    assert "over 1 draw of V" in text
    assert (
        "GradMix against Joint: +0.00 points over 1 draw (no interval): one draw cannot tell"
        in text
    )
    assert "One draw proves nothing" in text
    assert "mean over draws" not in section(text, "Table 2").split("###")[1]
    assert "k = 2" not in text.split("## Against")[0]


def test_the_caution_about_few_draws_goes_with_them(record):
    assert "3 draws prove nothing by themselves" in markdown_report(typed(record))
    more = [{**entry, "draw": entry["draw"] + 3 * i} for i in range(4) for entry in record["rows"]]
    record["rows"] = more
    assert "prove nothing" not in markdown_report(typed(record))


def test_the_noise_of_the_test_images_is_told(record):
    # sqrt(0.89 * 0.11 / 4861) = 0.004488
    assert "an accuracy of 89.00 % alone has a binomial standard error of 0.45 points" in (
        markdown_report(typed(record))
    )


def test_hyper_validation_shows_best_and_last_step(record):
    lines = lines_of(section(markdown_report(typed(record)), "Hyper-validation"))
    assert ["GradMix", "3", "93.00 ± 1.15", "90.00 ± 1.15", "-3.00", "900, 901, 902"] in lines


def test_the_grid_marks_selected_cells_and_gives_the_noise_of_selection(record):
    for cell in record["cells"]:
        if (cell["k"], cell["draw"], cell["beta"], cell["gamma"]) == (3, 0, 5.0, 0.0):
            cell["accuracy"], cell["rank"] = 0.92, 1
        elif (cell["k"], cell["draw"], cell["accuracy"]) == (3, 0, 0.90):
            cell["rank"] = 2
    grid = section(markdown_report(typed(record)), "Table 2")
    lines = lines_of(grid.split("### k = 3")[1].split("###")[0])
    assert lines[0] == ["", "gamma 0", "gamma 0.4"]
    assert lines[2] == ["beta 5", "**84.00** (1)", "84.00"]
    assert lines[3] == ["beta 10", "86.00 (3)", "**90.00** (3)"]
    # Draw 1: 80, 84, 86, 90: mean 85, sd 4.1633, lift 1.1173 sd -> 89.65.
    assert ["draw 1", "4", "85.00", "4.16", "90.00", "89.65"] in lines
    # Draw 0: 92, 84, 86, 90: mean 88, sd 3.6515 -> 92.08, so its best is the one below.
    assert ["draw 0", "4", "88.00", "3.65", "92.00", "92.08"] in lines
    assert "by 1.12 sd for 4 cells. The best cell lies above that in 2 of 3 draws." in grid


def test_cells_that_are_missing_in_a_draw_are_named(record):
    record["cells"] = [c for c in record["cells"] if c["identity"] != "cell-2-1-5.0-0.4"]
    assert "**Incomplete:** not in every draw: beta 5, gamma 0.4." in markdown_report(typed(record))


def test_pseudo_labels_may_be_none_at_all_in_a_class(record):
    record["pseudo_labels"][0] |= {
        "agreed": 0,
        "coverage": 0.0,
        "precision": None,
        "precision_per_class": [None, None],
        "count_per_class": [0, 0],
        "enlarged_v": [2, 100],
    }
    part = section(markdown_report(typed(record)), "Pseudo-labels")
    assert ["2", "0", "2", "0.8", "1,000", "0", "0.00", "-", "91.23"] in lines_of(part)
    assert ["2", "0", "0; -; 2", "0; -; 100"] in lines_of(part)
    assert ["2", "1", "406; 95.00; 100", "400; 100.00; 100"] in lines_of(part)
    assert "class 5 (k = 2, draw 0: 2)." in part
    assert "only used for this audit" in part


def test_a_record_without_finals_grid_and_paper_is_reported_too(record):
    record |= {"cells": [], "pseudo_labels": [], "paper": {}}
    record["settings"]["final"] = []
    record["rows"] = [entry for entry in record["rows"] if entry["row"] != "GradMix hard"]
    text = markdown_report(typed(record))
    assert "## Table 2" not in text
    assert "## Pseudo-labels" not in text
    assert "Best with U" not in text
    assert "orientation" not in text
    assert lines_of(text)[0] == ["Method", "Datasets", "k=2", "k=3"]
    assert "the paper's figure." not in text


def test_a_record_without_the_first_stages_row_has_no_differences(record):
    record["rows"] = [entry for entry in record["rows"] if entry["row"] == "Joint"]
    text = markdown_report(typed(record))
    assert "## Paired" not in text
    assert "largest mean **Joint** (91.00 %)" in text


def test_selection_lists_the_rates_and_how_many_trainings_were_compared(record):
    lines = lines_of(section(markdown_report(typed(record)), "Selection"))
    assert ["Joint", "3", "0.05, 0.02", "0.02, 0.02, 0.02", "2", "-"] in lines
    assert ["GradMix", "3", "-", "0.02, 0.02, 0.02", "4 cells", "-"] in lines
    assert ["GradMix hard", "3", "-", "0.02, 0.02, 0.02", "1", "-"] in lines


def test_selection_lists_searched_settings_beside_the_rates(record):
    for entry in record["rows"]:
        if entry["row"] == "Joint" and entry["k"] == 3:
            entry["searched_settings"] = {"weight": [0.1, 0.5, 1.0]}
            entry["settings"] = {"weight": 0.5}
    lines = lines_of(section(markdown_report(typed(record)), "Selection"))
    chosen = ", ".join(["0.02 weight 0.5"] * 3)
    assert ["Joint", "3", "0.05, 0.02; weight 0.1, 0.5, 1.0", chosen, "6", "-"] in lines


def test_deviations_are_read_off_the_settings(record):
    lines = lines_of(section(markdown_report(typed(record)), "Against"))
    assert ["draws of V", "10 (§4.2)", "3"] in lines
    assert ["k, labelled samples per class", "2, 3, 4, 5 (§4.2)", "2, 3"] in lines
    assert ["learning rate", "0.05 (§4.1)", "0.05, 0.02"] in lines
    assert not any(line[0] in ("momentum", "hyper-validation samples", "gamma ") for line in lines)
    record["settings"]["training"]["momentum"] = 0.5
    record["settings"]["target"] |= {"draws": 10, "k": [2, 3, 4, 5]}
    lines = lines_of(section(markdown_report(typed(record)), "Against"))
    assert ["momentum", "0.9 (§4.1)", "0.5"] in lines
    assert "draws of V" not in [line[0] for line in lines]


def test_the_papers_own_protocol_has_no_deviation(record):
    record["settings"]["target"] |= {"draws": 10, "k": [2, 3, 4, 5]}
    record["settings"]["training"]["learning_rates"] = [0.05]
    record["settings"]["first_stage"] |= {
        "beta": [5, 6, 7, 8, 9, 10],
        "gamma": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    }
    record["settings"]["ensemble"]["r"] = 3
    record["data"] = [entry for entry in record["data"] if entry["official"]]
    part = section(markdown_report(typed(record)), "Against")
    assert "All are the paper's." in part
    assert lines_of(part) == []


def test_rows_that_only_one_of_the_two_tables_has_are_listed(record):
    part = section(markdown_report(typed(record)), "Against")
    assert "Table 1 that are missing here: Source only, Fine-tune, GradMix SGD" in part
    assert "Table 1 does not have: Joint, GradMix hard." in part
    assert "GradMix: solver = slsqp" in part


def test_an_experiment_of_ones_own_is_held_to_the_one_whose_figures_it_shows(record):
    record["experiment"] = "birds"
    part = section(markdown_report(typed(record)), "Against")
    assert "it is compared with the paper's experiment with digits." in part
    assert ["draws of V", "10 (§4.2)", "3"] in lines_of(part)
    assert "Table 1 does not have" in part
    record["paper"] = {}
    part = section(markdown_report(typed(record)), "Against")
    assert "The paper has no experiment `birds`: there is nothing to compare it with." in part
    assert lines_of(part) == []


def test_provenance_holds_command_seed_digests_machine_commit_and_runs(record):
    part = section(markdown_report(typed(record)), "Provenance")
    lines = lines_of(part)
    assert ["seed", "7"] in lines
    assert ["commit", f"`{record['git_sha']}`"] in lines
    assert ["hardware", "a cpu, 2 cores, 23.5 GiB, slots cpu:0, cpu:1"] in lines
    assert ["peak memory, all processes", "1,500 MiB (PSS), 2,101 MiB (RSS)"] in lines
    assert ["trainings", "60 run, none reused"] in lines
    assert ["svhn: train_32x32.mat", f"`{'a' * 64}`"] in lines
    assert "5" * 64 in part
    assert "0: `run-Joint-3-0`, 1: `run-Joint-3-1`, 2: `run-Joint-3-2`" in part
    assert "`parent-run`" in part


def test_the_last_lines_are_the_command_and_its_commit(record):
    last = section(markdown_report(typed(record)), "To make it again")
    assert f"```\ngit checkout {record['git_sha']}\n{record['command']}\n```" in last
    assert "uncommitted" not in last
    record |= {"git_dirty": True, "peak_memory": None}
    record["executed"] = {"trainings": 1, "cached": 59}
    text = markdown_report(typed(record))
    assert "the commit alone is not the code used" in text
    assert "1 run, 59 reused: the time above does not include these" in text
    assert "not measured" in text
    record |= {"git_sha": None, "git_dirty": False}
    text = markdown_report(typed(record))
    assert "git checkout" not in text
    assert "unknown: the code did not run from a commit" in text


def test_every_table_line_has_as_many_cells_as_its_header(record):
    tables = re.findall(r"(?:^\|.*\n)+", markdown_report(typed(record)), flags=re.MULTILINE)
    assert len(tables) >= 10
    for table in tables:
        assert len({len(line) for line in lines_of(table)}) == 1


def test_a_record_read_back_from_json_gives_the_same_report(record):
    once = typed(record)
    again = decode_record(json.loads(record_text(once)))
    assert again == once
    assert markdown_report(again) == markdown_report(once)
