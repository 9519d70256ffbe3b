"""What `gradmix lineage` prints, over a small store of made-up runs."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.fingerprint import digest_json as sha
from deploy.cli import main
from flows.records.stored import FILE, FOLDER
from tasks.execution.databases import MLFLOW, ensure_database
from tasks.storage.home import open_home
from tasks.tracking.tracker import DATABASE, EXPERIMENT, open_tracker

NAME = "tiny-demo-0123abcd"


COMMITTED = Path(__file__).parents[4] / "docs" / "results" / "digits-small" / "record.json"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A home with a reproduction of two rows and draws; returns its folder and ids."""
    home = open_home(tmp_path_factory.mktemp("lineage") / "home")
    ensure_database(MLFLOW, home / DATABASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracker = open_tracker(home, EXPERIMENT)
    weights = home / "w.pt"
    weights.write_bytes(b"w")
    ids, rows = {}, []
    for row in ("One", "Two"):
        for draw in (0, 1):
            name = f"{row} {draw}"
            run = tracker.start_run(name, sha(name), "train")
            tracker.log_dataset(run, "raw", sha("raw"), "raw.bin", "raw")
            ids[name] = run, tracker.log_model(run, name, sha(name), weights)
            tracker.finish(run)
            figures = {"accuracy": 0.75, "test_accuracy": 0.5 + 0.01 * draw, "test_n": 1200}
            rows.append({"row": row, "k": 3, "draw": draw, "run_id": run, **figures})
    parent = tracker.start_run(NAME, sha(NAME), "reproduction")
    tracker.log_model_inputs(parent, [model for _, model in ids.values()])
    tracker.register_champion("gradmix-tiny-demo", ids["Two 1"][1], {}, "best")
    tracker.finish(parent)
    folder = home / FOLDER / NAME
    folder.mkdir(parents=True)
    whole = json.loads(COMMITTED.read_text())
    changed = {"name": NAME, "run_id": parent, "command": "gradmix x"}
    changed["rows"] = [whole["rows"][0] | row for row in rows]
    (folder / FILE).write_text(json.dumps(whole | changed))
    return home, ids | {"parent": (parent, None)}


@pytest.fixture
def gradmix(told, monkeypatch):
    home, _ = told
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")

    def run(*words, code=0):
        command = ["lineage", *map(str, words), "--home", str(home)]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return (result.stderr if code else result.stdout).splitlines()

    return run


def test_a_number_of_the_report_is_printed_first_then_its_chain(gradmix, told):
    _, ids = told
    run, model = ids["Two 1"]
    lines = gradmix(NAME, "--row", "Two", "--k", 3, "--draw", 1)
    assert lines == [
        f"Two, k=3 draw=1: test accuracy 51.00% of 1,200, hyper-validation 75.00% (run {run})",
        f"run {NAME} [{ids['parent'][0]}] reproduction FINISHED",
        f"└─ model Two 1 [{model}]",
        f"   └─ run Two 1 [{run}] train FINISHED",
        f"      └─ dataset raw [sha256 {sha('raw')[:12]}] raw raw.bin",
    ]


def test_without_a_draw_all_draws_of_the_row_are_shown(gradmix):
    lines = gradmix(NAME, "--row", "One")
    assert [line[:13] for line in lines[:2]] == ["One, k=3 draw", "One, k=3 draw"]
    assert sum(" model One " in line for line in lines) == 2
    assert not any("Two" in line for line in lines)


def test_a_reproduction_is_the_chain_of_all_its_rows(gradmix):
    assert sum(" model " in line for line in gradmix(NAME)) == 4


def test_runs_models_and_the_champion_are_found_by_what_people_call_them(gradmix, told):
    _, ids = told
    run, model = ids["Two 1"]
    whole = gradmix(model)
    assert whole[0] == f"model Two 1 [{model}]"
    for name in (model[:14], "gradmix-tiny-demo", "gradmix-tiny-demo@champion"):
        assert gradmix(name) == whole
    assert [f"└─ {gradmix(run[:12])[0]}", *whole[2:]] == whole[1:]


def test_rows_and_draws_that_are_not_there_are_an_error_that_names_those_that_are(gradmix):
    (line,) = gradmix(NAME, "--row", "Three", code=2)
    assert "('One', 'Two'), found 'Three'" in line
    (line,) = gradmix(NAME, "--row", "One", "--draw", 7, code=2)
    assert "(k=3 draw=0, k=3 draw=1), found k=None draw=7" in line
    (line,) = gradmix(NAME, "--draw", 7, code=2)
    assert "expected --row" in line


def test_a_row_of_what_is_no_reproduction_is_an_error(gradmix, told):
    (line,) = gradmix(told[1]["One 0"][1], "--row", "One", code=2)
    assert f"expected a finished reproduction ({NAME})" in line


def test_a_figure_whose_model_the_run_does_not_name_is_an_error_that_tells_how_to_add_it(
    gradmix, told
):
    path = told[0] / FOLDER / NAME / FILE
    text = path.read_text()
    try:
        path.write_text(text.replace(told[1]["One 0"][0], "0" * 32))
        (line,) = gradmix(NAME, "--row", "One", "--draw", 0, code=2)
    finally:
        path.write_text(text)
    assert "found 0 of 1; run gradmix x again" in line


def test_json_and_a_page_are_the_same_chain(gradmix, tmp_path):
    page = tmp_path / "chain.html"
    words = [NAME, "--row", "One", "--draw", 0]
    found = json.loads("\n".join(gradmix(*words, "--json", "--html", page)))
    assert [number["test_accuracy"] for number in found["numbers"]] == [0.5]
    assert len(found["edges"]) == 3
    text = page.read_text()
    assert "test accuracy 50.00% of 1,200" in text
    linked = set(re.findall(r'href="http://127.0.0.1:5000/([^"]+)"', text))
    assert linked == {box["page"] for box in found["nodes"]}
    assert gradmix(*words, "--html", page)[-1] == f"Graph: {page}"
    (line,) = gradmix(NAME, "--html", tmp_path / "none" / "x.html", code=2)
    assert "expected a file that can be written" in line
