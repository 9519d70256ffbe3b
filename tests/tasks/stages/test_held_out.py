"""Stage held_out: members score the labelled samples that they were not trained on."""

import json

import numpy as np
import pytest
import torch

from data.tables.file_names import HELD_OUT
from data.tables.held_out import read_held_out
from data.tables.split import Split
from data.tables.split_file import save_split
from gradmix.networks import predict
from tasks.codec import decode
from tasks.errors import StageError
from tasks.jobs import held_out as job_of
from tasks.networks.description import NetworkDescription
from tasks.stages import held_out
from tasks.storage.artifacts import Artifact
from tasks.subjects import Subject
from tests.tasks.given import given


def member(folder, split, number):
    return {
        "folder": str(folder), "method": "gradmix", "sources": ["S1", "S2"],
        "identity": f"identity {number}", "split": str(split),
    }  # fmt: skip


def test_a_member_scores_what_its_own_training_held_out(toy, tmp_path):
    whole, held = toy.job(), toy.split.hyper_validation
    network = toy.network()
    (tmp_path / "model").mkdir()
    torch.save(network.state_dict(), tmp_path / "model" / "model.pt")
    for name, rows in (("first", held[:-1]), ("second", held[1:])):
        (tmp_path / name).mkdir()
        split = Split(hyper_validation=rows, v=toy.split.v, u=toy.split.u)
        save_split(split, tmp_path / name / "split.parquet")
    job = {name: whole[name] for name in ("network", "heads", "classes", "target")}
    job |= {
        "seed": 0,
        "members": [
            member(tmp_path / "model", tmp_path / name, i)
            for i, name in enumerate(("first", "second"))
        ],
    }
    (tmp_path / "output").mkdir()
    outcome = job_of.run(given(job_of.HeldOutJob, job), tmp_path)
    table = read_held_out(tmp_path / "output" / HELD_OUT)

    np.testing.assert_array_equal(table.sample_id, held)
    np.testing.assert_array_equal(table.label, toy.target.labels[held] - 2)
    images = torch.from_numpy(toy.target.images[held])
    expected = predict(network, images).softmax(1).numpy()
    np.testing.assert_allclose(table.member_probabilities[:-1, 0], expected[:-1], atol=1e-6)
    np.testing.assert_allclose(table.member_probabilities[1:, 1], expected[1:], atol=1e-6)
    assert np.isnan(table.member_probabilities[-1, 0]).all()
    assert np.isnan(table.member_probabilities[0, 1]).all()
    right = int((expected.argmax(1) == table.label).sum())
    assert outcome.summary == {"held_out": len(held), "right": right}


def test_the_identity_follows_the_members_and_what_they_have_not_seen(toy, artifact_of):
    members = [{"identity": "a", "digest": "x"}, {"identity": "b", "digest": "y"}]
    whole = toy.job()

    def identity(members=members, split="split", classes=("0", "1")):
        inputs = held_out.HeldOutInputs(
            subject=Subject(name="held out"),
            ensemble=artifact_of("top", {"members": members}),
            target=artifact_of("target"),
            classes=classes,
            splits=(artifact_of("first"), artifact_of(split)),
            network=decode(NetworkDescription, whole["network"], sparse=True),
            heads={"target": classes},
        )
        return held_out.describe(inputs).identity

    for change in ({"members": members[::-1]}, {"split": "other"}, {"classes": ("a", "b")}):
        assert identity(**change) != identity()


def test_the_split_is_that_of_the_member_s_training(tmp_path):
    def training(name, digest):
        (tmp_path / name).mkdir()
        content = {"label": name, "identity": name, "digest": "", "folder": name, "files": {},
                   "summary": {}, "document": {"inputs": {"hyper_validation": digest}}}  # fmt: skip
        (tmp_path / name / "result.json").write_text(json.dumps(content))
        return {"folder": name}

    splits = [
        Artifact(label=name, identity=name, digest=name, folder=name, files={},
                 summary={"digests": {"hyper_validation": name}}) for name in ("a", "b")
    ]  # fmt: skip
    assert held_out._split_of(training("one", "b"), splits, tmp_path) is splits[1]
    with pytest.raises(StageError, match="expected the split of two among those of its V"):
        held_out._split_of(training("two", "c"), splits, tmp_path)
