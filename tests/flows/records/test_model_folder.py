"""The champion as a record and as a folder: what both say of it."""

import pytest

from flows.records.model_folder import champion_record, image_description, write_champion
from flows.records.stored import MODEL, record_folder


@pytest.fixture
def written(monkeypatch):
    """What a model folder would be written from."""
    seen = []

    def write(inputs, folder):
        seen.append((inputs, folder))

    monkeypatch.setattr("flows.records.model_folder.write_model_folder", write)
    return seen


def test_the_champion_is_recorded_with_its_figures(tiny_order, imitate, tmp_path):
    order = tiny_order()
    stages = imitate(order, tmp_path / "home")
    champion = champion_record(order, stages)
    (draw,) = stages.draws
    row = draw.rows["GradMix hard"].artifact
    assert (champion.row, champion.k, champion.draw) == ("GradMix hard", 2, 0)
    assert (champion.accuracy, champion.identity) == (row.summary["accuracy"], row.identity)
    test = draw.evaluation.artifact.summary["test"]["GradMix hard"]
    assert (champion.test_accuracy, champion.test_n) == (test["accuracy"], test["n"])
    assert (champion.compared, champion.registered) == (3, "gradmix-tiny-tiny")


def test_without_an_evaluation_there_are_no_test_figures(tiny_order, imitate, tmp_path):
    order = tiny_order()
    stages = imitate(order, tmp_path / "home")
    stages.draws[0].evaluation = None
    assert champion_record(order, stages).test_accuracy is None


def test_the_folder_is_made_of_the_champions_training(tiny_order, imitate, tmp_path, written):
    order, home = tiny_order(), tmp_path / "home"
    stages = imitate(order, home)
    folder = write_champion(order, stages, home, "run")
    assert folder == record_folder(order.name, home) / MODEL
    ((inputs, where),) = written
    assert where == folder
    training = stages.draws[0].rows["GradMix hard"].artifact
    (member,) = inputs.members
    assert member.folder == home / training.folder
    assert member.sources == ("S1", "S2", "S_u")
    assert (member.method, member.identity) == ("gradmix", training.identity)
    assert inputs.classes == ("5", "6")
    assert (inputs.network.trunk, inputs.network.settings["widths"]) == ("convnet", [4, 4, 4, 4])
    assert inputs.lineage.command == order.request.command
    assert "mnist test: made up" in inputs.lineage.data


def test_images_of_arrays_are_one_grey_square_and_clips_have_their_frames(tiny_order):
    grey = image_description(tiny_order())
    assert (grey.side, grey.channels, grey.media, grey.frames) == (32, 1, "photos", None)
