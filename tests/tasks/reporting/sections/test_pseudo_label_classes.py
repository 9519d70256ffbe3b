"""Pseudo-labels by class where there are many: the ends in the report, all of it in a file."""

import csv
import re

import pytest

from tasks.reporting.report import markdown_report, write_report
from tasks.reporting.sections.pseudo_label_classes import MANY, many_classes
from tests.tasks.reporting.typed import typed

NAMES = [f"c{i:02}" for i in range(MANY + 1)]


@pytest.fixture
def many(record):
    """21 classes: c00 has no label, c01 has 1, ... c20 has 20; every second one is right in half.

    The enlarged V lacks one sample of c00 and two of c01.
    """
    record["classes"] = NAMES
    for entry in record["pseudo_labels"]:
        counts = list(range(len(NAMES)))
        entry |= {
            "count_per_class": counts,
            "precision_per_class": [
                None if not count else 0.5 if count % 2 else 0.95 for count in counts
            ],
            "enlarged_v": [99, 98, *([100] * (len(NAMES) - 2))],
        }
    return record


def read(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_many_classes_are_more_than_twenty(many):
    assert many_classes(typed(many))
    assert not many_classes(typed(many | {"classes": NAMES[:MANY]}))


def test_the_report_has_the_ends_alone(many):
    part = markdown_report(typed(many)).split("## Pseudo-labels")[1].split("\n## ")[0]
    line = next(found for found in part.splitlines() if re.match(r"\| 2 +\| +0 .* c", found))
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        *("2", "0", "1", "c01 1, c02 2, c03 3", "c20 20, c19 19, c18 18"),
        "c19 50.00 (19), c17 50.00 (17), c15 50.00 (15)",
        "c20 95.00 (20), c18 95.00 (18), c16 95.00 (16)",
    ]
    assert "By class, of 21" in part
    assert "`pseudo_label_classes.csv` has every class" in part
    assert "class c00" not in part
    assert max(map(len, part.splitlines())) < 1000


def test_classes_that_are_short_are_counted_not_listed(many):
    text = markdown_report(typed(many))
    assert "were agreed on: 2 of 21 (k = 2, draw 0; the fewest: c01, 98), 2 of 21 (k" in text
    for entry in many["pseudo_labels"]:
        entry["enlarged_v"] = [100] * len(NAMES)
    assert "Short of" not in markdown_report(typed(many))


def test_an_ensemble_that_agrees_on_nothing_has_no_ends(many):
    many["pseudo_labels"][0] |= {
        "count_per_class": [0] * len(NAMES),
        "precision_per_class": [None] * len(NAMES),
    }
    assert re.search(r"\| 2 +\| +0 \| +21 \| - +\| - +\| - +\| - +\|", markdown_report(typed(many)))


def test_the_file_has_every_class_of_every_ensemble_once(many, tmp_path):
    first = many["pseudo_labels"][0]
    model = {"accuracy": 0.9, "test_accuracy": 0.9, "test_n": 9, "run_id": "run", "identity": "id"}
    many["ensembles"] = [{**first, **model, "r": r} for r in (1, first["r"])]
    paths = write_report(typed(many), tmp_path)
    assert "pseudo_label_classes.csv" in [path.name for path in paths]
    lines = read(tmp_path / "pseudo_label_classes.csv")
    assert len(lines) == (len(many["pseudo_labels"]) + 1) * len(NAMES)
    assert list(lines[0]) == ["k", "draw", "r", "class", "count", "precision", "enlarged_v"]
    assert list(lines[0].values()) == ["2", "0", "1", "c00", "0", "", "99"]
    assert (lines[19]["class"], lines[19]["count"], lines[19]["precision"]) == ("c19", "19", "0.5")
    for name in ("pseudo_labels.csv", "ensembles.csv"):
        assert not any("c00" in column for column in read(tmp_path / name)[0])


def test_few_classes_have_their_columns_and_no_file(record, tmp_path):
    assert "pseudo_label_classes.csv" not in [p.name for p in write_report(typed(record), tmp_path)]
    assert "count_5" in read(tmp_path / "pseudo_labels.csv")[0]
