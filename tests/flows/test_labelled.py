"""Labelled and unlabelled files of one's own, from the experiment file to the report."""

import io

import pytest
from PIL import Image

from data.digest_cache import KnownDigests
from data.errors import DataError, ProblemsError
from data.readers.corrections import Correction, write_corrections
from flows.cli.commands.run import what_next
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.experiment.toml_file import SettingsError
from flows.labelling.advice import LabelAdvice
from flows.monitoring.event_log import EventLog
from flows.pipeline.plan import make_plan
from flows.records.record import make_record
from flows.rerun import Cell
from tasks.codec import encode
from tasks.reporting.record import Record, decode_record
from tasks.reporting.report import write_report

FILE = """
[target]
labelled = "kitchen/labelled"
unlabelled = "kitchen/unlabelled"
test = "kitchen/test"
corrections = "corrections.csv"

[[sources]]
data = "web"

[training]
learning_rates = [0.05]

[first_stage]
beta = [5, 10]
gamma = [0.0]

[ensemble]
r = 2

[[baselines]]
name = "Joint"
method = "joint"
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("cup", "pan"):
        for number in range(3):
            put(tmp_path / "kitchen" / "labelled" / name / f"{number}.png")
        put(tmp_path / "kitchen" / "test" / name / "t.png")
        put(tmp_path / "web" / name / "w.png")
    for number in range(5):
        put(tmp_path / "kitchen" / "unlabelled" / f"{number}.png")
    return tmp_path


def put(path):
    """A picture whose bytes its path decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = sum(map(ord, "/".join(path.parts[-3:]))) % 256
    picture, file = Image.new("RGB", (4, 4), (tone, len(path.stem), 7)), io.BytesIO()
    picture.save(file, "PNG")
    path.write_bytes(file.getvalue() + "/".join(path.parts[-3:]).encode())


@pytest.fixture
def order(folder):
    def place(*replacements, **words):
        text = FILE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / "kitchen.toml").write_text(text, encoding="utf-8")
        request = RunRequest(experiment=str(folder / "kitchen.toml"), **words)
        return resolve(request, KnownDigests())

    return place


def correct(folder, *rows):
    corrections = [
        Correction(path=folder / "kitchen" / path, decision=decision, label=label)
        for path, decision, label in rows
    ]
    write_corrections(corrections, folder / "corrections.csv")


@pytest.fixture
def recorded(tmp_path, imitate):
    def record(placed) -> Record:
        home = tmp_path / "home"
        stages = imitate(placed, home)
        memory = {"pss_mib": 10.0, "rss_mib": 12.0}
        made = make_record(placed, stages, EventLog(), "run", ["cpu:0"], home, {}, memory)
        return decode_record(encode(made))

    return record


def test_every_choice_is_cross_fitted_and_rows_are_trained_on_all_of_v(order, tmp_path):
    labels = [entry.label for entry in make_plan(order(), tmp_path / "none")]
    parts = [f"part={part}" for part in range(5)]
    assert [label for label in labels if label.startswith("Joint")] == [
        *(f"Joint lr=0.05 {part}" for part in parts),
        "Joint, on all of V",
    ]
    assert [label for label in labels if label.startswith("GradMix w/ hard label")] == [
        *(f"GradMix w/ hard label {part}" for part in parts),
        "GradMix w/ hard label, on all of V",
    ]
    assert [label for label in labels if label.startswith("split")] == [
        "split",
        *(f"split, part {part} held out" for part in range(5)),
    ]


def test_cells_hold_out_a_part_each(order, tmp_path, imitate):
    stages = imitate(order(), tmp_path / "home")
    held = [cell.artifact.document["inputs"] for cell in stages.draws[0].cells.values()]
    parts = [part.artifact.summary["digests"] for part in stages.draws[0].parts]
    assert [one["hyper_validation"] for one in held] == [
        part["hyper_validation"] for part in parts[:2]
    ]
    assert [one["V"] for one in held] == [part["V"] for part in parts[:2]]


def test_what_is_held_out_for_good_is_one_split(order, tmp_path):
    cut = ("[[sources", "hyper_validation = 2\n[[sources")
    entries = make_plan(order(cut), tmp_path / "none")
    assert not any("part" in entry.label for entry in entries)
    assert sum(entry.stage == "train" for entry in entries) == 4


def test_where_files_lie_is_no_part_of_the_identity(order, folder, tmp_path_factory):
    before = order().identity
    moved = tmp_path_factory.mktemp("moved")
    for name in ("kitchen", "web"):
        (folder / name).rename(moved / name)
    assert order(data=str(moved)).identity == before
    put(moved / "kitchen" / "unlabelled" / "another.png")
    assert order(data=str(moved)).identity != before


def test_paths_may_lead_up_and_corrections_still_find_their_files(order, folder):
    (folder / "below").mkdir()
    correct(folder, ("unlabelled/0.png", "confirm", "pan"))
    text = FILE.replace('"kitchen', '"../kitchen').replace('"web"', '"../web"')
    (folder / "below" / "own.toml").write_text(text.replace('"corr', '"../corr'), encoding="utf-8")
    found = resolve(RunRequest(experiment=str(folder / "below" / "own.toml")), KnownDigests())
    assert found.raw.corrections == {"unlabelled/0.png": "pan"}
    assert found.raw.files == folder / "kitchen"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("labelled/cup/x.png", "the target's labelled or unlabelled files and its test split"),
        ("unlabelled/x.png", "the target's labelled or unlabelled files and its test split"),
        ("../web/cup/x.png", "web and the target's test split"),
    ],
)
def test_a_file_of_the_test_split_elsewhere_is_refused(order, folder, where, message):
    tested = (folder / "kitchen" / "test" / "cup" / "t.png").read_bytes()
    (folder / "kitchen" / where).write_bytes(tested)
    with pytest.raises(DataError, match=message):
        order()


def test_everything_that_the_files_lack_is_said_at_once(order, folder):
    for number in (1, 2):
        (folder / "kitchen" / "labelled" / "cup" / f"{number}.png").unlink()
    (folder / "kitchen" / "test" / "pan" / "t.png").rename(folder / "gone.png")
    with pytest.raises(DataError) as caught:
        order()
    assert [line.partition(",")[0] for line in str(caught.value).splitlines()] == [
        "target.labelled: expected at least 2 labelled files of class 'cup'",
        "target.labelled: expected at least 5 labelled files",
        "target.test: expected the target's classes",
    ]


def test_options_of_drawn_targets_are_refused(order):
    with pytest.raises(SettingsError, match=r"--k: target\.k: expected no k, because V is the lab"):
        order(k=(3,))


def test_corrections_make_splits_stale_and_say_why(order, folder, tmp_path, imitate):
    imitate(order(), tmp_path / "home")
    correct(folder, ("unlabelled/0.png", "change", "pan"), ("unlabelled/1.png", "reject", ""))
    placed = order()
    assert placed.raw.corrections == {"unlabelled/0.png": "pan", "unlabelled/1.png": ""}
    states = {entry.label: entry for entry in make_plan(placed, tmp_path / "home")}
    assert states["target train"].state == states["web train"].state == "cached"
    assert (states["split"].state, states["split"].reason) == (
        "stale",
        "corrections: 0, now 2; corrections: other content",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("unlabelled/9.png", "reject", ""),
            "expected a labelled or unlabelled file of the target",
        ),
        (("unlabelled/0.png", "change", "pot"), "expected a class, one of cup, pan, found 'pot'"),
    ],
)
def test_corrections_of_nothing_are_refused(order, folder, row, message):
    correct(folder, row)
    with pytest.raises(DataError, match=message):
        order()


def test_all_wrong_rows_of_corrections_are_reported_at_once(order, folder):
    table = folder / "corrections.csv"
    table.write_text(
        "path,decision,label\nunlabelled/9.png,change,pot\nunlabelled/0.png,keep,pan\n"
        "unlabelled/1.png,change,pot\n"
    )
    with pytest.raises(ProblemsError) as caught:
        order()
    where = f"target.corrections: {table}, row"
    assert [line.partition(", found")[0] for line in caught.value.lines] == [
        f"{where} 2: expected a class, one of cup, pan",
        f"{where} 2: expected a labelled or unlabelled file of the target",
        f"{where} 3: expected confirm, change or reject",
        f"{where} 4: expected a class, one of cup, pan",
        f"{where} 4: expected a labelled or unlabelled file of the target",
    ]


def test_a_cell_is_found_without_k_and_draw(order):
    placed = order()
    (subject,) = Cell.read("beta=5,gamma=0").subjects(placed)
    assert subject.label == "GradMix beta=5 gamma=0"
    with pytest.raises(SettingsError, match="leave k and draw out"):
        Cell.read("beta=5,gamma=0,k=3").subjects(placed)


def test_without_a_test_split_the_table_shows_cross_fitted_figures(order, recorded, tmp_path):
    record = recorded(order(('test = "kitchen/test"', "")))
    rows = {row.row: row for row in record.rows}
    assert rows["Joint"].held_out == 5
    assert rows["GradMix"].held_out == 1
    assert all(row.test_accuracy is None for row in record.rows)
    write_report(record, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "nothing is claimed beyond these estimates" in text
    assert "Table 1: accuracy on held-out labels" in text
    assert "accuracy on held-out labels %" in text
    assert "Figures: accuracy on held-out labels, as there is no test split. Model: Gra" in text
    assert "sealed" not in text
    assert "There is no test split." in text


def test_a_report_says_what_the_labels_can_show(order, recorded, tmp_path):
    record = recorded(order())
    assert record.labelled.counts == (3, 3)
    assert record.pseudo_labels[0].precision is None
    write_report(record, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "## What the labels can show" in text
    assert "cut into 5 parts" in text
    assert "Table 1: test accuracy" in text
    assert "The true labels of U are unknown" in text


@pytest.mark.parametrize("tested", [True, False])
@pytest.mark.parametrize("held_out", ["cross", 2, 0.4])
def test_labelled_clips_have_a_report(order, folder, recorded, tmp_path, held_out, tested):
    for picture in (folder / "kitchen").rglob("*.png"):
        picture.rename(picture.with_suffix(".avi"))
    value = f'"{held_out}"' if held_out == "cross" else held_out
    asked = ("[target]", f"[target]\nhyper_validation = {value}")
    record = recorded(order(asked, *([] if tested else [('test = "kitchen/test"', "")])))
    write_report(record, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "## What the labels can show" in text
    number = record.labelled.held_out
    assert {row.row: row.held_out for row in record.rows}["Joint"] == record.champion.n == number
    assert number == {"cross": 5, 2: 2, 0.4: 2}[held_out]
    assert f"- hyper-validation: {number} labelled clips, in whole recordings" in text
    assert "counts these" in text


def test_what_comes_next_names_the_run_and_the_files(order, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed = order()
    shown = LabelAdvice(precision=0.85, known=20, total=20)
    assert what_next(placed, tmp_path / "runs", shown) == [
        "Next:",
        f"  gradmix predict {placed.name} kitchen/unlabelled --out predictions.csv",
        f"  gradmix label {placed.name} --precision 0.85",
        f"  gradmix review {placed.name}",
    ]
    assert what_next(placed, tmp_path / "h", shown)[3].endswith("--home h")


def test_a_precision_that_the_labels_cannot_show_is_not_recommended(order, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed = order()
    few = LabelAdvice(precision=None, known=12, total=27)
    assert what_next(placed, tmp_path / "runs", few)[2:] == [
        f"  gradmix review {placed.name}",
        "12 known labels cannot show a precision of 80 %; about 27, checked at random, could:",
        f"  gradmix review {placed.name} --suggest 27 --out corrections.csv",
        f"  gradmix label {placed.name} --precision 0.8 --checked corrections.csv",
    ]
    wrong = LabelAdvice(precision=None, known=12, total=None)
    assert what_next(placed, tmp_path / "runs", wrong)[3:] == [
        "12 known labels cannot show a precision of 80 %, as too many are wrong: label more files "
        "to train on, and run again."
    ]
    # Without labels of U, `label` and `review` have nothing to show.
    assert len(what_next(placed, tmp_path / "runs", None)) == 2
