"""Plans over home folders filled with made-up results."""

import json
import shutil

import pytest

from data.digest_cache import KnownDigests
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.pipeline import plan
from flows.pipeline.plan import differences, make_plan
from tasks.storage import artifacts

ALL = {"cached"}


def states(entries):
    return {entry.label: entry.state for entry in entries}


def by_label(entries, label):
    return next(entry for entry in entries if entry.label == label)


def test_where_nothing_was_made_the_data_were_never_made_and_the_rest_waits(tiny_order, tmp_path):
    entries = make_plan(tiny_order(), tmp_path / "none")
    assert {entry.state for entry in entries} == {"will run"}
    reasons = {entry.label: entry.reason for entry in entries}
    assert reasons["svhn train"] == reasons["mnist test"] == "never made"
    assert reasons["k=2 draw=0: split"] == "waits for mnist train"
    assert (
        reasons["k=2 draw=0: enlarged V by the top 2"]
        == "waits for k=2 draw=0: pseudo-labels of the top 2"
    )
    assert {entry.seconds for entry in entries} == {None}


@pytest.mark.parametrize("finished", [True, False])
def test_every_stage_names_those_whose_results_it_reads(tiny_order, tmp_path, imitate, finished):
    order = tiny_order()
    if finished:
        imitate(order, tmp_path)
    uses = {
        entry.label: {used.label for used in entry.uses} for entry in make_plan(order, tmp_path)
    }
    place = "k=2 draw=0: "
    data, split = {"svhn train", "mnist train"}, f"{place}split"
    assert uses["svhn train"] == set()
    assert uses[split] == {"mnist train"}
    assert uses[f"{place}GradMix beta=5 gamma=0"] == {*data, split}
    assert uses[f"{place}select top 2"] == {
        f"{place}GradMix beta=5 gamma=0",
        f"{place}GradMix beta=10 gamma=0",
    }
    # The best cell gives the final training its settings.
    assert f"{place}select top 2" in uses[f"{place}GradMix hard"]
    assert f"{place}enlarged V by the top 2" in uses[f"{place}GradMix hard"]
    assert "mnist test" in uses[f"{place}evaluation"]


def test_only_what_is_there_has_an_artifact(tiny_order, tmp_path, imitate):
    order = tiny_order()
    imitate(order, tmp_path)
    entries = make_plan(order, tmp_path)
    assert {entry.label for entry in entries} == {entry.artifact.label for entry in entries}
    labels = {"k=2 draw=0: GradMix hard", "k=2 draw=0: evaluation"}
    shutil.rmtree(tmp_path / by_label(entries, min(labels)).artifact.folder)
    left = make_plan(order, tmp_path)
    assert {entry.label for entry in left if entry.artifact is None} == labels


def test_a_plan_writes_nothing(tiny_order, tmp_path, imitate):
    order = tiny_order()
    make_plan(order, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    imitate(order, tmp_path / "home")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "home").rglob("*")}
    make_plan(order, tmp_path / "home")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "home").rglob("*")} == before


def test_what_is_there_is_cached(tiny_order, tmp_path, imitate):
    imitate(tiny_order(), tmp_path / "home")
    entries = make_plan(tiny_order(), tmp_path / "home")
    assert {entry.state for entry in entries} == ALL
    assert {entry.reason for entry in entries} == {""}
    assert {entry.seconds for entry in entries} == {None}


def test_a_finished_result_is_read_once(tiny_order, tmp_path, imitate, monkeypatch):
    order, read, original = tiny_order(), [], artifacts.read_artifact
    imitate(order, tmp_path)

    def count(path):
        read.append(path)
        return original(path)

    monkeypatch.setattr(artifacts, "read_artifact", count)
    monkeypatch.setattr(plan, "read_artifact", count)
    entries = make_plan(order, tmp_path)
    assert set(states(entries).values()) == ALL
    assert len(read) == len(set(read)) > 10


def test_equal_trainings_are_estimated_once(tiny_order, tmp_path, imitate, monkeypatch):
    imitate(tiny_order(), tmp_path)
    asked, original = [], plan.training_time

    def count(work, known):
        asked.append(work)
        return original(work, known)

    monkeypatch.setattr(plan, "training_time", count)
    more = tiny_order(("beta = [5, 10]", "beta = [6, 7, 8, 9]"))
    entries = [entry for entry in make_plan(more, tmp_path) if "beta" in entry.label]
    assert [entry.state for entry in entries] == ["will run"] * 4
    assert None not in {entry.seconds for entry in entries}
    assert len(asked) == len(set(asked))


def test_a_changed_setting_makes_trainings_stale_and_says_from_what_to_what(
    tiny_order, tmp_path, imitate
):
    imitate(tiny_order(), tmp_path / "home", seconds=3.0)
    entries = make_plan(tiny_order(("steps = 20", "steps = 40")), tmp_path / "home")
    training = by_label(entries, "k=2 draw=0: Source only lr=0.05")
    assert training.state == "stale"
    assert training.reason == "training.steps: 20, now 40"
    # Twice the steps.
    assert training.seconds == pytest.approx(6.0)
    assert by_label(entries, "mnist train").state == "cached"
    assert by_label(entries, "k=2 draw=0: split").state == "cached"
    top = by_label(entries, "k=2 draw=0: select top 2")
    assert (top.state, top.reason) == ("will run", "waits for k=2 draw=0: GradMix beta=5 gamma=0")


def test_a_setting_of_later_stages_leaves_the_earlier_ones_cached(tiny_order, tmp_path, imitate):
    imitate(tiny_order(), tmp_path / "home")
    changed = tiny_order(("threshold = 0.5", "threshold = 0.75"))
    entries = make_plan(changed, tmp_path / "home")
    labels = by_label(entries, "k=2 draw=0: pseudo-labels of the top 2")
    assert (labels.state, labels.reason) == ("stale", "threshold: 0.5, now 0.75")
    assert {entry.label for entry in entries if entry.state != "cached"} == {
        "k=2 draw=0: pseudo-labels of the top 2",
        "k=2 draw=0: enlarged V by the top 2",
        "k=2 draw=0: GradMix hard",
        "k=2 draw=0: evaluation",
    }


def test_more_draws_leave_what_is_there_cached(tiny_order, tmp_path, imitate):
    imitate(tiny_order(), tmp_path)
    entries = make_plan(tiny_order(("draws = 1", "draws = 2")), tmp_path)
    # No training starts before every split is made, but a finished one needs none.
    states = {place: set() for place in ("k=2 draw=0", "k=2 draw=1")}
    for entry in entries:
        place = entry.label.partition(":")[0]
        states.get(place, set()).add(entry.state)
    assert states == {"k=2 draw=0": ALL, "k=2 draw=1": {"will run"}}


def test_changed_raw_files_make_their_preparation_stale_and_nothing_before_it(
    tiny_order, tmp_path, imitate, raw_files
):
    imitate(tiny_order(data=str(raw_files)), tmp_path / "home")
    (raw_files / "SVHN" / "train_32x32.mat").write_bytes(b"other bytes")
    entries = make_plan(tiny_order(data=str(raw_files)), tmp_path / "home")
    changed = by_label(entries, "svhn train")
    assert (changed.state, changed.reason) == ("stale", "train_32x32.mat: other content")
    assert by_label(entries, "mnist train").state == "cached"


@pytest.mark.parametrize("size", ["same size", "other size"])
def test_a_damaged_file_is_named(tiny_order, tmp_path, imitate, size):
    stages = imitate(tiny_order(), tmp_path / "home")
    artifact = list(stages.draws[0].cells.values())[1].artifact
    model = tmp_path / "home" / artifact.folder / "model.pt"
    content = bytearray(model.read_bytes())
    content[0] ^= 1
    model.write_bytes(bytes(content) + (b"" if size == "same size" else b"x"))
    entries = make_plan(tiny_order(), tmp_path / "home")
    damaged = by_label(entries, "k=2 draw=0: GradMix beta=10 gamma=0")
    assert (damaged.state, damaged.reason) == ("stale", "model.pt is damaged")
    assert states(entries)["k=2 draw=0: GradMix beta=5 gamma=0"] == "cached"


def test_a_missing_file_and_a_missing_result_are_named(tiny_order, tmp_path, imitate):
    stages = imitate(tiny_order(), tmp_path / "home")
    cells = stages.draws[0].cells.values()
    first, second = (tmp_path / "home" / cell.artifact.folder for cell in cells)
    (first / "model.pt").unlink()
    (second / "result.json").write_text("{")
    entries = make_plan(tiny_order(), tmp_path / "home")
    reasons = {entry.label: entry.reason for entry in entries if entry.state == "stale"}
    assert reasons == {
        "k=2 draw=0: GradMix beta=5 gamma=0": "model.pt is missing",
        "k=2 draw=0: GradMix beta=10 gamma=0": "result.json is missing or damaged",
    }


def test_a_removed_artifact_was_never_made(tiny_order, tmp_path, imitate):
    stages = imitate(tiny_order(), tmp_path / "home")
    cell = next(iter(stages.draws[0].cells.values()))
    shutil.rmtree(tmp_path / "home" / cell.artifact.folder)
    entry = by_label(
        make_plan(tiny_order(), tmp_path / "home"), "k=2 draw=0: GradMix beta=5 gamma=0"
    )
    assert (entry.state, entry.reason) == ("will run", "never made")


def test_results_of_another_scale_are_no_reason_to_be_stale(tiny_order, tmp_path, imitate):
    imitate(tiny_order(scale="other"), tmp_path / "home", seconds=99.0)
    entries = make_plan(tiny_order(), tmp_path / "home")
    training = by_label(entries, "k=2 draw=0: Source only lr=0.05")
    assert (training.state, training.reason) == ("will run", "never made")
    # A step takes as long there.
    assert training.seconds == pytest.approx(99.0)
    # What no setting of the scale touches is shared.
    assert by_label(entries, "mnist train").state == "cached"
    assert by_label(entries, "k=2 draw=0: split").state == "cached"


def test_of_two_stages_that_make_the_same_the_second_names_the_first(tiny_order, tmp_path, imitate):
    twice = ("[first_stage]", '[[baselines]]\nname = "Twin"\nmethod = "source_only"\n[first_stage]')
    imitate(tiny_order(), tmp_path / "home")
    for folder in (tmp_path / "home" / "artifacts" / "train").iterdir():
        shutil.rmtree(folder)
    entries = make_plan(tiny_order(twice), tmp_path / "home")
    twin = by_label(entries, "k=2 draw=0: Twin lr=0.05")
    assert (twin.state, twin.reason) == ("cached", "the same as k=2 draw=0: Source only lr=0.05")
    waiting = by_label(entries, "k=2 draw=0: select Twin")
    assert (waiting.state, waiting.reason) == ("will run", "waits for k=2 draw=0: Twin lr=0.05")


def test_a_damaged_result_elsewhere_does_not_stop_a_plan(tiny_order, tmp_path):
    stray = tmp_path / "home" / "artifacts" / "train" / "0" / "result.json"
    stray.parent.mkdir(parents=True)
    for content in ("{", "[]", json.dumps({"label": "x"})):
        stray.write_text(content)
        assert make_plan(tiny_order(), tmp_path / "home")


def test_a_reason_stays_short_however_much_changed(tiny_order, tmp_path, imitate):
    rows = "".join(
        f'[[baselines]]\nname = "A row of the table, number {number}"\nmethod = "joint"\n'
        f"settings = {{ v_updates_statistics = {'true' if number else 'false'} }}\n\n"
        for number in range(6)
    )
    imitate(tiny_order(("[first_stage]", f"{rows}[first_stage]")), tmp_path)
    changed = by_label(make_plan(tiny_order(), tmp_path), "k=2 draw=0: evaluation")
    assert changed.state == "stale"
    models, *others, more = changed.reason.split("; ")
    assert models.startswith("models: ...A row of the table, number 0', 'A row")
    assert "..., now ...GradMix', 'GradMix hard'" in models
    assert (len(others), more) == (3, "and 3 more")


@pytest.mark.slow
def test_the_papers_nine_thousand_stages_are_planned_and_found(tmp_path, imitate):
    order = resolve(RunRequest(experiment="digits", scale="paper"), KnownDigests())
    imitate(order, tmp_path)
    entries = make_plan(order, tmp_path)
    assert len(entries) == 9283
    assert {entry.state for entry in entries} == ALL
    assert sum(entry.stage == "train" for entry in entries) == 6840


def test_differences_are_words():
    before = {"a": 1, "config": {"x": {"y": 1}, "gone": 2}, "inputs": {"V": "1" * 64}}
    now = {"a": 1, "config": {"x": {"y": 3}}, "inputs": {"V": "2" * 64}}
    assert differences(before, now) == [
        "gone: 2, now not set",
        "x.y: 1, now 3",
        "V: other content",
    ]
