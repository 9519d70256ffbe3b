"""The files of a report, read back."""

import csv
import json

from tasks.reporting.report import markdown_report, write_report


def test_the_csv_files_hold_the_figures_in_full_precision(record, tmp_path):
    record["rows"][0]["test_accuracy"] = 2 / 3
    record["pseudo_labels"][0]["precision"] = None
    paths = write_report(record, tmp_path / "new")
    assert [path.name for path in paths] == [
        *("report.md", "results.csv", "cells.csv", "pseudo_labels.csv"),
    ]
    assert sorted(tmp_path.joinpath("new").iterdir()) == sorted(paths)
    assert paths[0].read_text(encoding="utf-8") == markdown_report(record)
    results, found_cells, found_labels = (
        list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) for path in paths[1:]
    )
    assert len(results) == len(record["rows"])
    for line, entry in zip(results, record["rows"], strict=True):
        assert line["row"] == entry["row"]
        assert float(line["test_accuracy"]) == entry["test_accuracy"]
        assert line["datasets"].split() == entry["datasets"]
        assert [float(rate) for rate in line["searched"].split()] == entry["searched"]
        assert json.loads(line["settings"]) == entry["settings"]
    assert (results[0]["paper_percent"], results[0]["paper_standard_error"]) == ("71.35", "1.85")
    assert results[1]["paper_percent"] == ""
    for line, cell in zip(found_cells, record["cells"], strict=True):
        assert float(line["accuracy"]) == cell["accuracy"]
        assert line["rank"] == ("" if cell["rank"] is None else str(cell["rank"]))
    assert found_labels[0]["precision"] == ""
    assert found_labels[1]["count_5"] == "406"
    assert float(found_labels[1]["precision_6"]) == 1.0
