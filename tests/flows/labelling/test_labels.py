"""Labels of a finished run: the table, what is shown of it, and what is said where nothing is."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from data.errors import DataError
from data.readers.file_table import read_file_table
from data.tables.file_names import HELD_OUT
from deploy.cli import main
from flows.labelling import labels
from flows.labelling.ensemble_run import find_ensemble
from flows.labelling.labels import NotShownError, Wanted, not_shown, write_labels
from flows.labelling.suggested import suggestion_table, write_suggestions
from flows.review.decisions import Decisions
from flows.review.gallery import open_gallery
from tasks.labelling.certified import Known, LabelsOfU, certify
from tasks.labelling.opinions import opinions, units
from tasks.labelling.suggestions import Suggestion
from tasks.storage.home import HomeError
from tests.flows.finished_run import CLASSES, NAME, finished_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    home, truth, photos = finished_run(tmp_path)
    monkeypatch.setattr(labels, "held_out_table", lambda _: tmp_path / HELD_OUT)
    return home, truth, photos


def wanted(precision, confidence, out, **others):
    return Wanted(precision=precision, confidence=confidence, out=out, **others)


def test_the_table_holds_what_is_shown_and_nothing_else(run, tmp_path):
    home, truth, photos = run
    out = photos.parent / "labels.csv"
    written = write_labels(find_ensemble(None, home, None, None), wanted(0.9, 0.95, out))
    table = pd.read_csv(out)
    threshold = written.certificate.threshold
    assert 0 < len(table) == written.labelled <= written.of == len(truth)
    assert (table.confidence >= round(threshold, 4)).all()
    assert list(table) == [
        "path", "label", "confidence", "runner_up", "runner_up_confidence", "agreement",
    ]  # fmt: skip
    assert table.path[0] == "kitchen/day 0/0000.png"
    # The truth is hidden from the program: the labels keep their promise.
    rows = table.path.str[-8:-4].astype(int)
    assert (table.label == np.array(CLASSES)[truth[rows]]).mean() >= 0.9
    # And the table is one that an experiment can read.
    found, missing = read_file_table(out, labelled=True)
    assert (len(found), missing) == (len(table), 0)


def test_all_lists_the_rest_without_a_label(run, tmp_path):
    home, truth, _ = run
    out = tmp_path / "labels.csv"
    ensemble = find_ensemble(NAME, home, 2, 0)
    written = write_labels(ensemble, wanted(0.95, 0.9, out, everything=True))
    table = pd.read_csv(out)
    assert len(table) == len(truth)
    assert table.label.notna().sum() == written.labelled < len(truth)
    assert table[table.label.isna()].confidence.max() < written.certificate.threshold


def test_parquet_says_what_is_shown(run, tmp_path):
    home, _, _ = run
    out = tmp_path / "labels.parquet"
    write_labels(find_ensemble(None, home, None, None), wanted(0.9, 0.95, out))
    said = json.loads(pq.read_schema(out).metadata[b"gradmix"])
    assert (said["precision"], said["confidence"], said["held_out"]) == (0.9, 0.95, 300)
    assert said["threshold"] == pytest.approx(
        pq.read_table(out)["confidence"].to_numpy().min(), abs=0.05
    )
    assert said["labelled"] == pq.read_table(out).num_rows
    assert said["held_out_right"] <= said["held_out_above"] <= 300
    of_file = said["of_the_pseudo_labels"]
    assert of_file["threshold"] == 0.8
    assert 0.8 < of_file["precision"] < of_file["held_out_right"] / of_file["held_out_agreed"]


def test_what_is_not_shown_is_said_and_nothing_is_written(run, tmp_path):
    home, _, _ = run
    ensemble, out = find_ensemble(None, home, None, None), tmp_path / "labels.csv"
    with pytest.raises(NotShownError, match=r"found 300 that show [89]\d(\.\d)? %, of") as caught:
        write_labels(ensemble, wanted(0.999, 0.95, out))
    assert len(caught.value.lines) == 1
    assert not out.exists()


def labels_of(right, n, sure=None, precision=0.97):
    """What n known labels show of 40 images, the least confident ones being wrong."""
    hit = np.arange(n) < right
    sure = np.linspace(1, 0, n).astype(np.float32) if sure is None else np.float32(sure)
    u = np.linspace(1, 0, 40).astype(np.float32)
    scores = np.stack([u, 1 - u], axis=1)[:, None]
    of_u = LabelsOfU(
        names=("",) * 40, opinions=dataclasses.replace(opinions(scores), confidence=u),
        units=units(scores, None), rows=(0,) * 40, classes=("a", "b"), threshold=0.8,
    )  # fmt: skip
    known = Known(confidence=sure, right=hit, agreed=0, agreed_right=0)
    return certify(of_u, known, precision, 0.95)


def test_words_where_labels_are_too_few_or_wrong():
    assert "found 0; label at least 99 more" in not_shown(labels_of(0, 0))
    # 20 of 20 right show 0.01^(1/20) = 79.4 % (five bounds at 1 %); 79 more make the 99 needed.
    few = not_shown(labels_of(20, 20))
    assert "found 20 that show 79.4 %, of the 40 most confident of 40 (with 0 of 20 wrong)" in few
    assert few.endswith("lower --precision, or hold out or check about 79 more.")
    # All are right of the upper half: 49 of 100; 99 of 203 would be the 99 needed.
    some = not_shown(labels_of(60, 100))
    assert "of the 20 most confident of 40 (with 0 of 49 wrong)" in some
    assert some.endswith("hold out or check about 103 more.")
    assert "too much is wrong" in not_shown(labels_of(1, 100))


def test_where_the_strictest_test_fails_it_is_said_though_lower_ones_would_pass():
    """12 known labels, all right, but 4 of them where the first test looks for about 8.

    0.6^4 = 0.13 is above 0.05; 6 would do, which is a third of 18. Of all images the 12 show
    0.01^(1/12) = 68.1 %, more than was asked for.
    """
    found = labels_of(12, 12, sure=[0.9] * 4 + [0.1] * 8, precision=0.6)
    assert found.certificate.threshold is None
    said = not_shown(found)
    assert "found 12, but only 4 above the strictest threshold, 0.3333, 4 of them right" in said
    assert "show 68.1 % of the 40 most confident of 40; hold out or check about 6 more" in said
    assert "found 12 that show" not in said


def test_the_command_in_one_line_each(run, tmp_path, monkeypatch):
    home, _, _ = run
    # The environment of Prefect and MLflow is global to a process.
    monkeypatch.setattr("flows.cli.lazy.configure", lambda _: None)
    words = ["label", "--home", str(home), "--precision", "0.9", "--out", str(tmp_path / "l.csv")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    first, second, _ = result.output.splitlines()
    assert f"images labelled ({NAME}, k=2 draw=0): " in first
    assert second.startswith("At least 90 % of the labels are right, with 95 % confidence:")
    for wrong, found in (
        (["--precision", "1"], "0<x<1"),
        (["--out", "l.xlsx"], "ends in .csv or .parquet, found l.xlsx"),
        (["--k", "7"], r"expected values that kitchen-default-12345678 has (k=2 draw=0)"),
        (["--out", str(tmp_path / "none" / "l.csv")], "No such file"),
    ):
        result = CliRunner().invoke(main, [*words, *wrong])
        assert (result.exit_code, len(result.output.splitlines())) == (2, 1), result.output
        assert found in result.output


def test_a_run_without_its_artifacts_is_one_line(run):
    home, _, _ = run
    for path in (home / "artifacts" / "select").glob("*/result.json"):
        path.unlink()
    with pytest.raises(HomeError, match=r"expected the ensemble of kitchen.*found none; run"):
        find_ensemble(NAME, home, None, None)


def test_a_run_that_is_none_is_one_line(tmp_path):
    with pytest.raises(HomeError, match=r"expected a finished reproduction in .*, found none"):
        find_ensemble(None, tmp_path, None, None)


def test_a_control_that_a_person_has_checked_takes_the_place_of_held_out_labels(run, tmp_path):
    home, truth, _ = run
    ensemble, table = find_ensemble(None, home, None, None), tmp_path / "c.csv"
    gallery = open_gallery(ensemble)
    decisions = Decisions(gallery, table)
    control = [Suggestion(sample=image, why="control") for image in range(0, 60, 2)]
    suggested = [Suggestion(sample=image, why="suggested") for image in (1, 2, 3)]
    write_suggestions([*suggested, *control], gallery.names, suggestion_table(table))
    for image in [1, *range(0, 60, 2)]:
        with pytest.raises(
            DataError, match=r"every image of the control \(30\)|Expected a readable table"
        ):
            write_labels(ensemble, wanted(0.7, 0.9, tmp_path / "l.csv", checked=table))
        decisions.decide(image, "change", CLASSES[truth[image]])
    written = write_labels(ensemble, wanted(0.7, 0.9, tmp_path / "l.csv", checked=table))
    # The control alone counts: 30 images, of which the wrong ones were changed.
    assert written.certificate.held_out == 30
    right = [i for i in range(0, 60, 2) if gallery.labels[i] == CLASSES[truth[i]]]
    first = written.certificate.tested[0]
    above = gallery.opinions.confidence >= first.threshold
    assert first.right == sum(above[i] for i in right)
    # One that is rejected counts as wrong.
    decisions.decide(max(right, key=lambda i: gallery.opinions.confidence[i]), "reject", "")
    again = write_labels(ensemble, wanted(0.7, 0.9, tmp_path / "l.csv", checked=table))
    assert again.certificate.tested[0].right == first.right - 1


def test_a_table_without_a_control_is_one_line(run, tmp_path):
    home, _, _ = run
    with pytest.raises(DataError, match=r"expected a control of this run in .*c-next.csv, found"):
        write_labels(
            find_ensemble(None, home, None, None),
            wanted(0.7, 0.9, tmp_path / "l.csv", checked=tmp_path / "c.csv"),
        )
