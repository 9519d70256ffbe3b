"""The line on what the figures of labelled files rest on."""

from dataclasses import replace

import pytest

from tasks.reporting.evidence import evidence_line
from tasks.reporting.records.inputs import LabelledRecord
from tasks.reporting.records.rows import ChampionRecord
from tests.tasks.reporting.typed import typed


@pytest.fixture
def labelled(record):
    """The rows of one V: the first is scored on 4 labels, the second on all 20."""
    whole = typed(record)
    rows = [row for row in whole.rows if (row.k, row.draw) == (3, 0)][:2]
    rows = [
        replace(rows[0], row="GradMix", held_out=4, accuracy=1.0, test_accuracy=0.7, test_n=100),
        replace(rows[1], row="Hard", held_out=20, accuracy=0.85, test_accuracy=0.7, test_n=100),
    ]
    champion = ChampionRecord(
        row="Hard", k=3, draw=0, accuracy=0.85, n=20, compared=1,
        folder="model", registered="m", identity=rows[1].identity,
    )  # fmt: skip
    v = LabelledRecord(counts=(10, 10), unlabelled=40, parts=5, held_out=20)
    test = replace(whole.data[0], split="test")
    return replace(whole, rows=tuple(rows), champion=champion, labelled=v, data=(test,))


def test_a_drawn_v_has_no_such_line(record):
    assert evidence_line(typed(record)) is None


def test_the_line_counts_the_labels_behind_the_choice(labelled):
    # Clopper-Pearson of 17 of 20: 62.11 to 96.79 %.
    assert evidence_line(labelled) == (
        "Figures: accuracy on the test split (100 images), which chose nothing. Model: Hard, "
        "right on 17 of 20 cross-fitted labels (95 % interval 62 to 97 %); not compared, as "
        "scored on fewer labels: GradMix 4."
    )


def test_the_interval_of_clips_counts_clips(labelled, actions):
    clips = typed(actions)
    of_clips = replace(labelled, settings=clips.settings, data=clips.data)
    assert (
        "Model: Hard, right on 85.0 % of the frames of 20 cross-fitted clips (95 % interval 62 to "
        "97 %); not compared" in evidence_line(of_clips)
    )


def test_without_a_test_split_the_table_counts_held_out_labels(labelled):
    data = tuple(replace(entry, split="train") for entry in labelled.data)
    assert evidence_line(replace(labelled, data=data)).startswith(
        "Figures: accuracy on held-out labels, as there is no test split. Model: Hard, right on 17 "
    )


def test_labels_that_are_only_held_out_are_not_called_cross_fitted(labelled):
    fixed = replace(labelled, labelled=replace(labelled.labelled, parts=0))
    assert "17 of 20 held-out labels" in evidence_line(fixed)
