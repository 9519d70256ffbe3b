"""The files of a report, read back."""

import csv
import json

from tasks.reporting.report import markdown_report, write_report
from tests.tasks.reporting.typed import typed


def test_the_csv_files_hold_the_figures_in_full_precision(record, tmp_path):
    record["rows"][0]["test_accuracy"] = 2 / 3
    record["pseudo_labels"][0]["precision"] = None
    paths = write_report(typed(record), tmp_path / "new")
    assert [path.name for path in paths] == [
        *("report.md", "results.csv", "cells.csv", "pseudo_labels.csv"),
        *("differences.svg", "grid.svg", "report.html"),
    ]
    written = [path for path in tmp_path.joinpath("new").rglob("*") if path.is_file()]
    assert sorted(written) == sorted(paths)
    assert paths[0].read_text(encoding="utf-8") == markdown_report(typed(record))
    results, found_cells, found_labels = (
        list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) for path in paths[1:4]
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


def test_ensembles_and_curves_get_files_of_their_own(full, tmp_path):
    by_name = {path.name: path for path in write_report(typed(full), tmp_path)}
    ensembles, curves, cells, results = (
        list(csv.DictReader(by_name[name].read_text(encoding="utf-8").splitlines()))
        for name in ("ensembles.csv", "curves.csv", "cells.csv", "results.csv")
    )
    assert len(ensembles) == len(full["ensembles"])
    assert [line["test_accuracy"] for line in ensembles[-2:]] == ["0.94", ""]
    assert (ensembles[0]["r"], ensembles[0]["count_5"]) == ("1", "406")
    assert len(curves) == sum(len(curve["points"]) for curve in full["curves"])
    assert curves[5] == {
        "row": "Source only",
        "k": "2",
        "draw": "1",
        "step": "200",
        "accuracy": "0.8",
        "loss": "1.6",
    }
    assert cells[0]["test_accuracy"] == "0.78"
    assert (results[-1]["steps"], results[-1]["resumed_from"]) == ("1000", "0")
