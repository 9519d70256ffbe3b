"""The studies of sources and labels: verdicts and gains by hand."""

import pytest

from tasks.reporting.report import markdown_report
from tests.tasks.reporting.typed import typed

WITHOUT = {"S1": [0.80, 0.78, 0.79], "S2": [0.90, 0.92, 0.91], "S3": [0.94, 0.95, 0.96]}
WHOLE = [0.90, 0.91, 0.92]


def scored(k, draw, accuracy, **fields):
    scores = {"test_accuracy": accuracy, "test_n": 1000, "accuracy": accuracy, "identity": "id"}
    return {"k": k, "draw": draw, **scores, **fields}


@pytest.fixture
def studied(record):
    sources = [scored(2, d, WHOLE[d], left_out=None) for d in range(3)]
    sources += [
        scored(2, d, accuracy, left_out=name)
        for name, accuracies in WITHOUT.items()
        for d, accuracy in enumerate(accuracies)
    ]
    # Error .4 / sqrt(n) in draw 0, .8 / sqrt(n) in draw 1.
    labels = [
        scored(n // 4, d, 1 - 0.4 * (d + 1) / n**0.5, labels=n) for n in (4, 16, 64) for d in (0, 1)
    ]
    record["studies"] = {"sources": sources, "labels": labels}
    record["outputs"] = {
        "tables": [1],
        "figures": [],
        "studies": ["sources", "labels"],
    }
    return record


def table(text, title):
    part = text.split(f"## {title}")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_every_source_has_a_verdict_with_its_interval(studied):
    helps, equal, hurts = table(markdown_report(typed(studied)), "Does this source help?")
    # 10, 13, 13: mean 12, s.e. 1, t 4.3027.
    assert helps == ["S1", "2", "+12.00 ± 1.00", "3", "+7.70 to +16.30", "helps"]
    # 0, -1, 1: mean 0, s.e. .5774; 2.92 times that at 90 %.
    assert equal[:3] == ["S2", "2", "+0.00 ± 0.58"]
    assert equal[-1] == "cannot tell, up to 1.7 points apart"
    # -4 in every draw: no spread.
    assert hurts == [
        *("S3", "2", "-4.00 ± 0.00", "3", "no interval"),
        "the same difference in every draw, no interval can be given",
    ]


def test_a_source_that_lowers_accuracy_hurts(studied):
    for one in studied["studies"]["sources"]:
        if one["left_out"] == "S3":
            one["test_accuracy"] += 0.01 * (one["draw"] == 2)
    assert table(markdown_report(typed(studied)), "Does this source help?")[2][-1] == "hurts"


def test_more_labels_are_worth_what_the_curves_say(studied):
    lines = table(markdown_report(typed(studied)), "What is a label worth?")
    assert [line[:2] for line in lines] == [["4", "1"], ["16", "4"], ["64", "16"]]
    # At 16 labels the errors are 10 and 20 %, at 36 6.67 and 13.33 %: gains 3.33 and 6.67.
    assert lines[1][2:5] == ["85.00 ± 5.00", "85.00", "+5.00 ± 1.67"]
    # t with one degree of freedom is 12.706.
    assert lines[1][5] == "-16.18 to +26.18"


def test_studies_that_were_not_asked_for_are_not_there(studied):
    studied["outputs"]["studies"] = []
    text = markdown_report(typed(studied))
    assert "Does this source help?" not in text
    assert "What is a label worth?" not in text
