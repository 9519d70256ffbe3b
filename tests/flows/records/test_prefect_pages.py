"""What Prefect's page of a reproduction shows, and that it can fail without harm."""

import logging

from flows.records import prefect_pages as announce
from flows.records.prefect_pages import announce_results, announce_run

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
            "link": "http://127.0.0.1:5000/#/experiments/7/runs/r1",
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


def test_the_table_and_the_report_are_shown(monkeypatch, tmp_path):
    calls = told(monkeypatch, "create_markdown_artifact")
    monkeypatch.setattr("tasks.reporting.report.result_table", lambda record: [record["x"]])
    monkeypatch.setattr("tasks.reporting.report.table_text", lambda rows: f"rows: {rows[0]}")
    announce_results("Digits", {"x": "90.0"}, tmp_path)
    (call,) = calls
    assert call["key"] == "digits-table"
    assert "rows: 90.0" in call["markdown"]
    assert str(tmp_path / "report.html") in call["markdown"]
