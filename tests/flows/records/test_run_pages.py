"""What the pages of a reproduction show, and that Prefect's can fail without harm."""

import logging
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from flows.records import run_pages as announce
from flows.records.run_pages import announce_results, announce_run, track_summary
from tasks.reporting.record import read_record
from tasks.reporting.records.rows import ChampionRecord
from tests.tasks.reporting.test_record import RESULTS

PAGES = {"ui": "http://127.0.0.1:5000", "experiment_id": "7"}


def told(monkeypatch, name):
    calls = []
    monkeypatch.setattr(announce, name, lambda **words: calls.append(words))
    return calls


def test_a_flow_run_links_its_mlflow_run(monkeypatch):
    calls = told(monkeypatch, "create_link_artifact")
    announce_run("My_Run-1a", "r1", PAGES)
    announce_run("x", "r2", {"ui": "http://127.0.0.1:5000"})
    assert calls == [
        {
            "link": "http://127.0.0.1:5000/#/experiments/7/runs/r1?workflowType=machine_learning",
            "key": "my-run-1a-mlflow",
            "link_text": "My_Run-1a in MLflow",
        }
    ]


def test_a_page_that_cannot_be_written_stops_nothing(monkeypatch, caplog):
    def fail(**_):
        raise RuntimeError("no server")

    monkeypatch.setattr(announce, "create_link_artifact", fail)
    with caplog.at_level(logging.WARNING):
        announce_run("x", "r", PAGES)
    assert "could not write to Prefect's page" in caplog.text


@pytest.fixture(scope="module")
def record():
    return read_record(RESULTS / "digits-small" / "record.json")


def test_prefect_shows_the_champion_then_the_table_then_the_report(monkeypatch, tmp_path, record):
    calls = told(monkeypatch, "create_markdown_artifact")
    champion = ChampionRecord(
        row="Joint", accuracy=0.9, n=150, compared=3, folder="model", registered="r",
        identity="i", k=2, draw=1,
    )  # fmt: skip
    announce_results("Digits", replace(record, champion=champion), tmp_path)
    (call,) = calls
    assert call["key"] == "digits-table"
    first, table, last = call["markdown"].strip().split("\n\n")
    assert first == "**Champion:** Joint, k = 2, draw 1; hyper-validation accuracy 90.0 %"
    assert table.startswith("| Test accuracy, %")
    (line,) = [line for line in table.split("\n") if line.startswith("| **Joint** ")]
    assert line.count("**") == 2 + 2 * len({row.k for row in record.rows})
    assert "&" not in table
    assert last == f"Report: `{tmp_path / 'report.html'}`"


def test_mlflow_gets_the_table_and_the_mean_of_every_row(record):
    metrics, results = [], []
    tracker = SimpleNamespace(
        log_metrics=lambda run, rows: metrics.extend((run, row) for row in rows),
        log_results=lambda *words: results.append(words),
    )
    track_summary(tracker, "r1", record)
    ((run, row),) = metrics
    of_joint = [r.test_accuracy for r in record.rows if r.row == "Joint" and r.k == 2]
    assert run == "r1"
    assert row.values["test_accuracy/k2/Joint"] == pytest.approx(sum(of_joint) / len(of_joint))
    assert "test_accuracy/k2/GradMix w  MixMatch" in row.values
    assert all(re.fullmatch(r"[\w. /-]+", name) for name in row.values)
    ((run, table, files),) = results
    assert (run, files) == ("r1", [f"{record.name}/report.html", "lineage.html"])
    assert all(cell.strip().startswith("&emsp;") for cell in table.split("\n")[0].split("|")[2:-1])
    assert {line.split("|")[1].strip() for line in table.split("\n")} >= {"Joint", "GradMix"}
