"""The flow `report`: what the command does, with a log for Prefect's UI."""

from pathlib import Path

from flows import report as report_flow


def test_a_report_is_written_in_the_home_of_the_worker_unless_another_is_named(
    tmp_path, monkeypatch, capsys
):
    calls = []
    monkeypatch.setattr(
        report_flow,
        "write_report_again",
        lambda run, home: (calls.append((run, home)), [Path("report.html")])[1],
    )
    monkeypatch.setenv("GRADMIX_HOME", str(tmp_path / "runs"))

    report_flow.report.fn("digits-demo-1")
    report_flow.report.fn("digits-demo-1", home=str(tmp_path / "other"))

    assert calls == [
        ("digits-demo-1", tmp_path / "runs"),
        ("digits-demo-1", tmp_path / "other"),
    ]
    assert capsys.readouterr().out == "report.html\n" * 2
