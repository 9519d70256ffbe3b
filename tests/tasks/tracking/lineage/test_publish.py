"""A reproduction's chain on its run, notes that lead to and fro, and the registered champion."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from data.fingerprint import digest_json as sha
from tasks.tracking.addresses import MODE
from tasks.tracking.lineage.descriptions import NOTE, link, with_links, with_table
from tasks.tracking.lineage.graph import gaps
from tasks.tracking.tracker import open_tracker


class Away:
    """A client whose server is away."""

    def __getattr__(self, name):
        raise ConnectionError(name)


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def reproduce(tmp_path, identity):
    """Tracks a reproduction of two members, their labels and a final model; returns its ids."""
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"w")
    digests = {name: sha(name + identity) for name in ("raw", "prepared", "labels", "test")}

    def training(tracker, name, reads, models=()):
        run = tracker.start_run(name, sha(name + identity), "train")
        for data in reads:
            tracker.log_dataset(run, data, digests[data], f"{data}.bin", "training")
        tracker.log_model_inputs(run, models)
        model = tracker.log_model(run, name, sha(name + identity), weights)
        tracker.finish(run)
        return run, model

    def made(tracker):
        ids = {}
        prepare = tracker.start_run("prepare", sha("p" + identity), "prepare")
        tracker.log_dataset(prepare, "raw", digests["raw"], "raw.bin", "raw")
        for data in ("prepared", "test"):
            tracker.log_dataset(prepare, data, digests[data], f"{data}.bin", "output")
        tracker.finish(prepare)
        for name in ("m1", "m2", "other"):
            ids[f"{name} run"], ids[name] = training(tracker, name, ["prepared"])
        labels = tracker.start_run("labels", sha("l" + identity), "pseudo_label")
        tracker.log_dataset(labels, "prepared", digests["prepared"], "prepared.bin", "unlabelled")
        tracker.log_dataset(labels, "labels", digests["labels"], "labels.bin", "output")
        tracker.log_model_inputs(labels, [ids["m1"], ids["m2"]])
        tracker.finish(labels)
        ids["final run"], ids["final"] = training(tracker, "final", ["prepared", "labels"])
        return ids | {"labels run": labels, "prepare run": prepare}

    def report(tracker, ids, champion="final"):
        run = tracker.start_run("demo-1", sha("parent" + identity), "reproduction")
        tracker.log_model_inputs(run, [ids["final"], ids["other"], ids[champion]])
        tracker.log_dataset(run, "test", digests["test"], "test.bin", "evaluation")
        name = f"gradmix-{identity[:8]}"
        tracker.register_champion(name, ids[champion], {"gradmix.row": champion}, "the best")
        tracker.log_lineage(run, [ids["final"]], ids[champion], name)
        tracker.finish(run)
        return run

    return made, report


def text_of(client, run, file):
    # Not `download_artifacts`, which asks the store of MLFLOW_TRACKING_URI and not the client's.
    folder = url2pathname(urlsplit(client.get_run(run).info.artifact_uri).path)
    return (Path(folder) / file).read_text(encoding="utf-8")


def note(client, ident):
    if ident.startswith("m-"):
        return client.get_logged_model(ident).tags.get(NOTE, "")
    return client.get_run(ident).data.tags.get(NOTE, "")


def test_the_graph_of_the_drawn_models_lies_on_the_reproduction(
    tracker, client, reproduce, tmp_path
):
    made, report = reproduce
    ids = made(tracker)
    run = report(tracker, ids)
    stored = json.loads(text_of(client, run, "lineage.json"))
    names = {box["name"] for box in stored["nodes"]}
    assert {"demo-1", "final", "labels", "m1", "m2", "prepare", "raw", "test"} == names - {
        "prepared"
    }
    assert [box["gap"] for box in stored["nodes"] if box["gap"]] == []
    page = text_of(client, run, "lineage.html")
    assert ">champion</a>" in page
    assert ids["other"] not in page
    # The run itself reads all models of the report.
    inputs = {box.name for box in tracker.lineage(run).inputs}
    assert inputs == {"final", "other", "test"}
    assert gaps(tracker.lineage(run)) == []


def test_notes_lead_from_the_final_model_to_its_members_and_back(tracker, client, reproduce):
    made, report = reproduce
    ids = made(tracker)
    run = report(tracker, ids)

    def pages(ident, heading):
        (line,) = [x for x in note(client, ident).split("\n") if x.startswith(f"**{heading}:**")]
        found = re.findall(r"\]\(([^)]+)\)", line)
        assert all(page.endswith(MODE) for page in found)
        return [page.removesuffix(MODE).rpartition("/")[2] for page in found]

    assert pages(run, "Champion")[:2] == [f"gradmix-{name_of(client, ids)}", ids["final"]]
    assert set(pages(ids["final run"], "Made from")) == {ids["labels run"], ids["prepare run"]}
    assert set(pages(ids["labels run"], "Made from")) == {
        *(ids["m1"], ids["m2"], ids["prepare run"]),
    }
    for member in ("m1", "m2"):
        assert pages(ids[member], "Used by") == [ids["labels run"]]
        assert pages(ids[f"{member} run"], "Used by") == [ids["labels run"]]
    assert pages(ids["labels run"], "Used by") == [ids["final run"]]
    assert pages(ids["final run"], "Used by") == [run]
    experiment = client.get_run(run).info.experiment_id
    assert f"(#/experiments/{experiment}/runs/{run}{MODE})" in note(client, ids["final"])


def name_of(client, ids):
    """The part of the registered name that the test chose."""
    versions = json.loads(client.get_logged_model(ids["final"]).tags["mlflow.modelVersions"])
    return versions[0]["name"].removeprefix("gradmix-")


def test_a_second_reproduction_adds_itself_and_keeps_what_a_person_wrote(
    tracker, client, reproduce
):
    made, report = reproduce
    ids = made(tracker)
    first = report(tracker, ids)
    client.set_tag(ids["final run"], NOTE, f"Mine.\n\n{note(client, ids['final run'])}")
    members = note(client, ids["m1"])
    second = report(tracker, ids)
    assert second != first
    text = note(client, ids["final run"])
    assert text.startswith("Mine.\n\n**Made from:** ")
    assert text.index(second) < text.index(first)
    assert note(client, ids["m1"]) == members
    assert tracker.lineage(second).inputs == tracker.lineage(first).inputs


def test_a_model_is_registered_once_and_the_alias_moves_with_the_champion(
    tracker, client, reproduce
):
    made, report = reproduce
    ids = made(tracker)

    def state():
        name = f"gradmix-{name_of(client, ids)}"
        versions = client.search_model_versions(f"name = '{name}'")
        tags = {int(v.version): (v.tags["gradmix.row"], v.run_id) for v in versions}
        return tags, tracker.find(name), tracker.find(f"{name}@champion")

    for _ in range(2):
        report(tracker, ids)
        assert state() == ({1: ("final", ids["final run"])}, ids["final"], ids["final"])
    report(tracker, ids, champion="other")
    versions = {1: ("final", ids["final run"]), 2: ("other", ids["other run"])}
    assert state() == (versions, ids["other"], ids["other"])
    report(tracker, ids)
    assert state() == (versions, ids["final"], ids["final"])


def test_what_an_outage_kept_back_is_as_complete_as_ever(
    home, client, reproduce, monkeypatch, tmp_path, identity
):
    made, report = reproduce
    tracker, spool = open_tracker(home, "digits"), home / "tracking-spool.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(tracker._store, "_client", Away())
        ids = made(tracker)
        run = report(tracker, ids)
        assert run.startswith("pending-run:")
        waiting = [json.loads(line)["op"] for line in lines_of(spool)]
        assert waiting[-3:] == ["register_model", "log_lineage", "finish"]
    refused = lines_of(home / "tracking-spool.rejected.jsonl")
    later = open_tracker(home, "digits")
    assert lines_of(spool) == []
    assert lines_of(home / "tracking-spool.rejected.jsonl") == refused
    real = {name: later.resolve(ident) for name, ident in ids.items()}
    assert later.find(f"gradmix-{identity[:8]}@champion") == real["final"]
    stored = json.loads(text_of(client, later.resolve(run), "lineage.json"))
    assert {real["final"], real["m1"], real["m2"]} <= {box["id"] for box in stored["nodes"]}
    assert real["labels run"] in note(client, real["m1"])


def test_links_of_a_note_are_added_once_and_the_oldest_of_many_go():
    text = with_links("", "Used by", ["[a](#/a?x)"])
    assert text == "**Used by:** [a](#/a?x)"
    assert with_links(text, "Used by", ["[a](#/a?x)"]) == text
    both = with_links(text, "Used by", ["[b](#/b?x)", "[a](#/a?x)"])
    assert both == "**Used by:** [b](#/b?x) · [a](#/a?x)"
    assert with_links(both, "Made from", ["x"]) == f"{both}\n\n**Made from:** x"
    many = both
    for number in range(30):
        many = with_links(many, "Used by", [f"[{number}](#/x?x)"])
    assert many.count("](") == 20
    assert many.startswith("**Used by:** [29](#/x?x) · [28](#/x?x)")


def test_links_of_an_earlier_version_open_training_runs_as_well_and_stay_single():
    old = "**Used by:** [a](#/a) · [b](#/b)"
    new = f"**Used by:** [a](#/a{MODE}) · [b](#/b{MODE})"
    assert with_links(old, "Used by", [f"[b](#/b{MODE})"]) == new


def test_a_table_takes_the_place_of_the_one_before_and_of_no_other():
    mine = "| My | notes |\n|---|---|\n| 9 | 9 |"
    note = with_table(f"{mine}\n\n**Champion:** x", "| A | k=2 |\n|---|---|\n| 1 | 5 |")
    assert note == f"{mine}\n\n**Champion:** x\n\n| A | k=2 |\n|---|---|\n| 1 | 5 |"
    linked = with_links(note, "Files", ["[r](#/r?x)"])
    table = "| A | k=3 |\n|---|---|\n| 2 | 6 |\n| 3 | 7 |"
    again = with_table(linked, table)
    assert again == f"{mine}\n\n**Champion:** x\n\n{table}\n\n**Files:** [r](#/r?x)"
    assert with_table(again, table) == again


def test_a_table_that_mlflow_would_refuse_loses_its_last_rows():
    rows = "\n".join(f"| {number:0100} |" for number in range(200))
    note = with_table("Mine.", f"| A |\n|---|\n{rows}")
    assert len(note) <= 6000 < len(note) + 110
    assert note.startswith("Mine.\n\n| A |\n|---|\n| 000")


def test_the_page_of_a_reproduction_starts_with_its_champion_and_its_table(
    tracker, client, reproduce
):
    made, report = reproduce
    ids = made(tracker)
    run = report(tracker, ids)
    for figure in ("80.00", "81.00"):
        tracker.log_results(run, f"| Row |\n|---|\n| {figure} |", ["demo-1/report.html"])
    lines = note(client, run).split("\n")
    assert lines[0].startswith("**Champion:** [gradmix-")
    assert lines[1:6] == ["", "| Row |", "|---|", "| 81.00 |", ""]
    experiment = client.get_run(run).info.experiment_id
    page = f"#/experiments/{experiment}/runs/{run}/artifacts/demo-1/report.html{MODE}"
    assert lines[6] == f"**Files:** [report.html]({page})"
    assert len(lines) == 7


def test_names_in_links_are_no_markdown():
    assert link("a [x] *b* · c", "#/p") == r"[a \[x\] \*b\* c](#/p)"
