"""What a report says should be looked at."""

import pytest

from tasks.reporting.report import markdown_report
from tasks.reporting.sections.attention import (
    attention_section,
    idle_sources,
    odd_labels,
    simpler_rows,
    unbalanced_labels,
)
from tests.tasks.reporting.typed import typed


@pytest.fixture
def quiet(record):
    """A record in which there is nothing to look at."""
    for entry in record["pseudo_labels"]:
        entry["count_per_class"] = [20] * len(record["classes"])
    for row in record["rows"]:
        mixes = row["method"].startswith("gradmix")
        row |= {"accuracy": 0.9 if mixes else 0.5}
        row |= {"weights": {"S1": 0.6, "S2": 0.4} if mixes else {}}
    return record


def mixing(record):
    return [row for row in record["rows"] if row["method"].startswith("gradmix")]


def test_where_nothing_stands_out_it_is_said_with_what_was_checked(quiet):
    assert attention_section(typed(quiet)).startswith(
        "## What to look at\n\n- Nothing stood out. Checked: sources without weight, "
    )
    assert "Nothing stood out" in markdown_report(typed(quiet))
    for row in mixing(quiet):
        row["weights"] = {"S1": 1.0, "S2": 0.0}
    assert "Nothing stood out" not in attention_section(typed(quiet))


def test_a_source_without_weight_is_named_with_its_weight(quiet):
    # Of two sources an even weight is 1/2, and a tenth of it 0.05.
    for row in mixing(quiet):
        row["weights"] = {"S1": 0.951, "S2": 0.049}
    names = {row["row"] for row in mixing(quiet)}
    found = list(idle_sources(typed(quiet)))
    assert len(found) == len(names)
    assert found[0].startswith("The source S2 has a mean weight of 0.049 in ")
    assert "even weight is 0.500" in found[0]
    for row in mixing(quiet):
        row["weights"] = {"S1": 0.949, "S2": 0.051}
    assert not list(idle_sources(typed(quiet)))


def test_weights_are_means_over_draws(quiet):
    name = mixing(quiet)[0]["row"]
    several = [row for row in mixing(quiet) if row["row"] == name]
    several[0]["weights"] = {"S1": 0.0, "S2": 1.0}
    for row in several[1:]:
        row["weights"] = {"S1": 1.0, "S2": 0.0}
    # Of n draws S2 has 1 / n, which is more than 0.05.
    assert 1 < len(several) < 20
    assert not list(idle_sources(typed(quiet)))


def test_joint_training_that_does_as_well_is_named(quiet):
    other = next(row for row in quiet["rows"] if not row["method"].startswith("gradmix"))["row"]
    rows = [row for row in quiet["rows"] if row["row"] == other]
    for row in rows:
        row |= {"accuracy": 0.9, "datasets": ["S1", "V"], "method": "joint"}
    (found,) = simpler_rows(typed(quiet))
    assert found.startswith(f"{other} reaches 90.00 % on hyper-validation, and ")
    for row in rows:
        row |= {"accuracy": 0.8999}
    assert not list(simpler_rows(typed(quiet)))


def test_labels_that_collapse_and_classes_without_any_are_named(quiet):
    classes = len(quiet["classes"])
    first = quiet["pseudo_labels"][0]
    first["count_per_class"] = [96, *[0] * (classes - 2), 4]
    collapse, missing = odd_labels(typed(quiet))
    assert "collapse" in collapse
    assert f"96 of 100 are {quiet['classes'][0]}" in collapse
    assert "U seems to lack classes" in missing
    assert all(f"{name} 0" in missing for name in quiet["classes"][1:-1])
    first["count_per_class"] = [20] * classes
    assert not list(odd_labels(typed(quiet)))


def test_labels_out_of_balance_are_named(quiet):
    assert not list(unbalanced_labels(typed(quiet)))
    counts = [9, *[3] * (len(quiet["classes"]) - 1)]
    quiet["labelled"] = {
        "counts": counts,
        "unlabelled": 10,
        "parts": 0,
        "held_out": 4,
        "rejected": 0,
        "corrections": [],
    }
    (found,) = unbalanced_labels(typed(quiet))
    assert found.startswith(f"V is unbalanced: 9 labels of {quiet['classes'][0]}, 3 of ")
    quiet["labelled"]["counts"][0] = 8
    assert not list(unbalanced_labels(typed(quiet)))
