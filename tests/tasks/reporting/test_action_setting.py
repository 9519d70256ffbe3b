"""Reports of clips: what is said of protocol, choices, data, labels and selection."""

import re

import pytest

from tasks.reporting.report import markdown_report
from tests.tasks.reporting.typed import typed


def section(text, title):
    return text.split(f"## {title}")[1].split("\n## ")[0]


def lines_of(text):
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.fixture
def text(actions):
    return markdown_report(typed(actions))


def test_our_reading_of_energynet_is_said_to_be_one(text, record):
    said = (
        "**EnergyNet (our reading)** stands for EnergyNet "
        "([Li et al., 2017](https://arxiv.org/abs/1708.00973), the paper's [15]): "
        "our own reading of it, as its code is not public. The paper's figures are those of the "
        "original."
    )
    assert said in section(text, "Table 3")
    assert "EnergyNet" not in markdown_report(typed(record))


def test_what_differs_from_the_papers_protocol_of_actions_is_listed(text):
    part = section(text, "Against the paper")
    lines = lines_of(part)
    assert [line[0] for line in lines[2:]] == [
        *("k, labelled clips per class", "R, members of the ensemble", "network"),
        *("data: bu101 train", "data: ucf101 train", "data: ucf101 test", "method: EnergyNet"),
    ]
    assert ["network", "resnet18 (§4.1)", "efficientnet_lite0"] in lines
    assert ["k, labelled clips per class", "3, 5, 10 (§4.3)", "3, 5"] in lines
    assert lines[-1][1:] == [
        *("its authors' own (§4.3)", "our own reading of it, as its code is not public"),
    ]
    assert "Table 3 that are missing here: Target only, Source only, Fine-tune, MDDA, DCTN," in part
    assert "Table 3 does not have: Joint." in part


def test_every_part_of_the_protocol_of_actions_is_looked_at(actions):
    settings = actions["settings"]
    settings["target"]["draws"] = 3
    settings["ensemble"] = {"r": 3, "threshold": 0.7, "enlarged_v": 50}
    settings["training"] |= {"learning_rates": [0.01], "fine_tuning_rates": [0.001]}
    settings["network"] |= {"trunk": "resnet18", "weights": "none"}
    lines = lines_of(section(markdown_report(typed(actions)), "Against"))
    assert ["draws of V", "2 (§4.3)", "3"] in lines
    assert ["confidence threshold", "0.8 (§3.5)", "0.7"] in lines
    assert ["clips per class in the enlarged V", "100 (§3.5)", "50"] in lines
    assert ["learning rate", "0.001 (§4.1)", "0.01"] in lines
    assert ["learning rate of fine-tuning", "5e-05 (§4.1)", "0.001"] in lines
    assert ["weights it starts from", "imagenet (§4.1)", "none"] in lines
    assert not {"network", "R, members of the ensemble"} & {line[0] for line in lines}


def test_a_miniature_that_shows_the_papers_figures_is_held_to_its_actions(actions):
    whole = section(markdown_report(typed(actions)), "Against")
    actions["experiment"] = "actions-miniature"
    part = section(markdown_report(typed(actions)), "Against")
    said = "it is compared with the paper's experiment with actions."
    assert said in part
    assert lines_of(part) == lines_of(whole)
    assert said not in whole


def test_the_papers_own_protocol_of_actions_has_no_deviation(actions):
    settings = actions["settings"]
    settings["target"]["k"] = [3, 5, 10]
    settings["ensemble"]["r"] = 3
    settings["network"] |= {"trunk": "resnet18", "frozen": ""}
    actions["data"] = [{**entry, "official": True} for entry in actions["data"]]
    actions["rows"] = [row for row in actions["rows"] if row["method"] != "energynet"]
    part = section(markdown_report(typed(actions)), "Against")
    assert "All are the paper's." in part
    assert lines_of(part) == []


def test_choices_that_the_paper_leaves_open_for_actions_are_named(actions, record):
    part = section(markdown_report(typed(actions)), "Against")
    for choice in (
        "network: `efficientnet_lite0`, from ImageNet weights, frozen up to `block14`: only what "
        "follows it is trained",
        "images: squares of 160 x 160 pixels, the same at every step (no augmentation but what a "
        "method asks for)",
        "frames: 10 of every clip, evenly spaced",
        "hyper-validation: 40 clips, in whole recordings",
        "grid: beta 5, 10; gamma 0, 0.4 (the paper's grid is that of the digits)",
        "momentum: 0.9 (the paper's is that of the digits)",
        "batches: 64 of every source; V whole up to 64 frames",
    ):
        assert f"- {choice}\n" in part
    actions["settings"]["images"] |= {"frames": None, "every": 5}
    actions["settings"]["network"] = {
        "trunk": "mine.trunks:wide",
        "settings": {"depth": 3},
        "weights": "wide.pt",
        "normalisation": "half",
        "frozen": "",
    }
    part = section(markdown_report(typed(actions)), "Against")
    assert "- frames: of every clip, frame 5 and its multiples\n" in part
    assert (
        "- network: `mine.trunks:wide`, depth = 3, images normalised as `half`, from `wide.pt` "
        "weights\n"
    ) in part
    digits = section(markdown_report(typed(record)), "Against")
    assert not any(f"- {name}:" in digits for name in ("images", "frames", "grid", "momentum"))
    assert "V whole up to 64 samples" in digits


def test_our_own_trunk_is_told_in_words_as_it_always_was(record):
    words = (
        "- network: convolution widths 16, 16, 32, 32, a hidden layer of 128, normalisation "
        "`batch`\n"
    )
    assert words in markdown_report(typed(record))
    network = record["settings"]["network"]
    record["settings"]["network"] = network["settings"]
    assert words in markdown_report(typed(record))
    record["settings"]["network"] = {**network, "settings": {"hidden": 0}}
    assert "- network: no hidden layer\n" in markdown_report(typed(record))
    record["settings"]["network"] = {**network, "settings": {}}
    assert "- network: `convnet`\n" in markdown_report(typed(record))


def test_the_first_lines_say_what_the_data_are_not(actions):
    actions["note"] = "S1 and S2 are stand-ins:\nnot BU101, not MPII."
    title, note, opening = markdown_report(typed(actions)).split("\n\n")[:3]
    assert title == "# BU101 + MPII -> UCF101"
    assert note == "**S1 and S2 are stand-ins: not BU101, not MPII.**"
    assert opening.startswith("The experiment `actions` at scale `small` (k = 3, 5; 2 draws of V;")
    assert (
        "on **real data that are not all official**: photos of 3 classes in folders; UCF101 split "
        "1 with 137 of the official 9,537 training clips, 3 of 101 classes: not the official split;"
    ) in opening
    actions["note"] = None
    assert markdown_report(typed(actions)).split("\n\n")[1] == opening


def test_three_stand_ins_are_listed_as_in_a_sentence(actions):
    actions["settings"]["datasets"] = {
        name: {"reader": name, "embedded": f"drawn_{name}"} for name in ("bu101", "mpii", "ucf101")
    }
    actions["data"] = [
        {**actions["data"][0], "dataset": name, "reader": f"drawn_{name}", "origin": "drawn"}
        for name in ("bu101", "mpii", "ucf101")
    ]
    assert "embedded stand-ins, not BU101, MPII and UCF101**" in markdown_report(typed(actions))


def test_the_data_are_told_with_clips_and_with_what_was_left_out(text, record):
    part = section(text, "Provenance").split("### Data")[1]
    lines = lines_of(part)
    assert lines[0][2:4] == ["images or frames", "clips"]
    found = {line[0]: line for line in lines}
    assert found["ucf101 train"][2:5] == ["1,370", "137", "no"]
    assert ["bu101 train", "2", "could not be decoded"] in lines
    assert ["ucf101 test", "3,720", "named in testlist01.txt but missing"] in lines
    assert sum(line[0] == "ucf101 train" for line in lines) == 1
    assert ["ucf101 test: all files", "`raw-ucf101-test`"] in lines
    old = section(markdown_report(typed(record)), "Provenance")
    assert "not used" not in old
    assert ["data", "reader", "images", "official", "origin", "digest"] in lines_of(old)


def test_how_often_frames_of_one_clip_disagree_is_told_by_draw(text, record):
    part = section(text, "Pseudo-labels")
    assert "An unlabelled frame gets a hard label" in part
    assert "whatever labels the other frames of its clip get" in part
    lines = lines_of(part.split("### Frames of one clip")[1])
    assert lines[0] == ["k", "draw", "clips in U", "soft labels differ %", "hard labels differ %"]
    assert lines[2:] == [
        ["3", "0", "50", "30.00", "12.00"],
        ["3", "1", "50", "40.00", "12.00"],
        ["5", "0", "50", "30.00", "20.00"],
        ["5", "1", "50", "40.00", "20.00"],
    ]
    assert "How to read this" in part.split("### Frames of one clip")[1]
    assert "Short of the 100 clips a class" in part
    assert "Frames of one clip" not in markdown_report(typed(record))


def test_the_disagreement_stands_beside_every_r_too(actions):
    actions["ensembles"] = [
        {**entry, "r": r, "test_accuracy": 0.6, "test_n": 630, "accuracy": 0.6, "identity": f"{r}"}
        for entry in actions["pseudo_labels"]
        for r in (1, 2)
    ]
    part = section(markdown_report(typed(actions)), "Pseudo-labels").split("### Effect of R")[1]
    lines = lines_of(part)
    assert lines[0][-2:] == ["soft labels differ in a clip %", "hard labels differ in a clip %"]
    # 30 and 40: sd 7.0711 over sqrt(2).
    assert lines[2][-2:] == ["35.00 ± 5.00", "12.00 ± 0.00"]


def test_selection_speaks_of_clips_and_frames_or_of_images(text, record):
    part = section(text, "Selection and learning rates")
    assert "40 labelled target clips or a few more, in whole recordings, that are no one's" in part
    assert "cell: by accuracy per frame, ties" in part
    assert "(630 frames of 63 clips of the target's classes)" in part
    assert "Accuracy per frame in per cent on hyper-validation" in section(text, "Hyper-validation")
    digits = markdown_report(typed(record))
    assert "1,000 labelled target images that are no one's" in digits
    assert "cell: by accuracy, ties" in digits
    assert "(4,861 images of the target's classes)" in digits


def test_the_study_of_sizes_counts_frames(actions):
    sizes = [{"size": 10, "selections": 200, "test_accuracy": 0.6, "deviation": 0.02}]
    part = {"k": 3, "draw": 0, "cells": 4, "mean": 0.55, "best": 0.7, "sizes": sizes}
    actions |= {"studies": {"hyper_validation": [part]}}
    actions["outputs"]["studies"] = ["hyper_validation"]
    said = section(markdown_report(typed(actions)), "How large")
    assert lines_of(said)[0][1] == "frames"
    assert "Parts are of frames: those of one clip are alike." in said


def test_table_3_that_was_not_asked_for_is_left_out_and_one_without_rows_is_named(actions):
    actions["outputs"]["tables"] = [2]
    text = markdown_report(typed(actions))
    assert "## Table 3" not in text
    assert "## Paired" not in text
    actions["outputs"]["tables"] = [3]
    assert "not in the record" not in markdown_report(typed(actions))
    actions["outputs"]["tables"] = [2, 3]
    actions["cells"] = []
    assert "not in the record:** table 2." in markdown_report(typed(actions))


def test_every_table_and_figure_says_how_to_read_it(actions):
    for part in re.split(r"^#+ ", markdown_report(typed(actions)), flags=re.MULTILINE):
        if "\n|" in part or "\n![" in part:
            after = re.split(r"^(?:\||!\[).*\n", part, flags=re.MULTILINE)[-1]
            assert "How to read this" in after, part[:60]
