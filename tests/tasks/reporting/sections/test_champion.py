"""The report begins with the model to use."""

from dataclasses import replace
from typing import Any

from tasks.reporting.report import markdown_report
from tests.tasks.reporting.typed import typed

CHAMPION = {
    "row": "GradMix hard",
    "k": 3,
    "draw": 2,
    "accuracy": 0.9,
    "n": 900,
    "test_accuracy": 0.98,
    "test_n": 4861,
    "test_clip_accuracy": None,
    "test_clips": None,
    "compared": 24,
    "folder": "model",
    "registered": "gradmix-digits-small",
    "identity": "identity-GradMix hard-3-2",
}


def report(record: dict[str, Any], **changes: Any) -> str:
    return markdown_report(typed(record | {"champion": CHAMPION | changes}))


def test_the_first_words_name_the_model_its_figures_and_a_command(record: dict[str, Any]) -> None:
    first = report(record).split("\n\n")[1:3]
    # sqrt(.9 * .1 / 900) = .01
    assert first[0] == (
        "**Use this model: GradMix hard, k = 3, draw 2.** Hyper-validation accuracy 90.0 % ± 1.0 "
        "(900 images): the best of 24 models by that figure, which flatters it. Test accuracy "
        "98.0 % of 4,861 images, which chose nothing. It is in `model/` next to this report, with "
        "a card, and in MLflow as `gradmix-digits-small`."
    )
    assert first[1] == "```\ngradmix predict digits-small-3f2a9c01 FOLDER --out labels.csv\n```"


def test_what_is_not_known_is_not_said(record: dict[str, Any]) -> None:
    found = report(record, n=None, test_accuracy=None, test_n=None)
    assert "accuracy 90.0 %: the best" in found
    assert "which chose nothing" not in found
    assert "Use this model" not in markdown_report(typed(record))


def test_clips_have_both_figures(actions: dict[str, Any]) -> None:
    scores = {"test_n": 630, "test_clip_accuracy": 0.95, "test_clips": 63}
    read = typed(actions | {"champion": CHAMPION | scores})
    # A record of this format counted frames, which is no number of clips.
    assert "accuracy 90.0 %: the best" in markdown_report(read)
    assert read.champion is not None
    found = markdown_report(replace(read, champion=replace(read.champion, n=900)))
    assert "± 1.0 (900 clips)" in found
    assert "Test accuracy 98.0 % of 630 frames, 95.0 % of 63 clips" in found
