"""Stage enlarge: V and agreed samples of U."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.reader import Samples
from data.tables.enlarged_v import EnlargedV, load_enlarged
from data.tables.image_set import load_prepared
from data.tables.pseudo_labels import Member, PseudoLabels, write_pseudo_labels
from tasks.engine.runtime import Runtime, use
from tasks.engine.stage import Workplace
from tasks.jobs import enlarge as enlarge_job
from tasks.jobs.files import read_job, write_job
from tasks.outcome import Outcome
from tasks.stages import enlarge
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given

DIGESTS = {"hyper_validation": "h" * 64, "V": "v" * 64, "U": "u" * 64}
# Of U's 26 samples 9 belong to the first class, 4 to the second, 13 are not agreed on.
HARD = np.random.default_rng(4).permutation([0] * 9 + [1] * 4 + [-1] * 13)


@pytest.fixture
def inputs(artifact_of, toy, tmp_path: Path) -> dict[str, Any]:
    u = toy.split.u
    probabilities = np.full((len(u), 1, 2), 0.5, np.float32)
    table = PseudoLabels(
        sample_id=u,
        source=[str(row) for row in u],
        hard_label=HARD,
        agreed=HARD >= 0,
        min_confidence=probabilities[:, 0, 0],
        soft_label=probabilities[:, 0],
        member_probabilities=probabilities,
        classes=("2", "3"),
        threshold=0.4,
        members=(Member(identity="a"),),
        digests={},
    )
    (tmp_path / "pseudo").mkdir()
    write_pseudo_labels(table, tmp_path / "pseudo" / "pseudo_labels.parquet")
    return {
        "label": "enlarged V",
        "pseudo": artifact_of("pseudo", {"content": "c" * 64}, folder=str(tmp_path / "pseudo")),
        "target": artifact_of("target", folder=str(toy.folder / "target")),
        "split": artifact_of("split", {"digests": DIGESTS}, folder=str(toy.folder / "split")),
        "classes": ["2", "3"],
        "per_class": 6,
        "seed": 0,
    }


@pytest.fixture
def performed(runtime: Runtime, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """The stage, with its job in this process."""

    def run_job(place: Workplace, name: str, job: object, *, on_cores: bool) -> Outcome:
        assert (name, on_cores) == ("enlarge", True)
        write_job(place.folder, job, place.runtime.home)
        read = read_job(enlarge_job.EnlargeJob, place.folder, place.runtime.home)
        return enlarge_job.run(read, place.folder)

    monkeypatch.setattr(enlarge, "run_job", run_job)

    def perform(**changes: Any) -> tuple[Artifact, EnlargedV]:
        with use(runtime):
            artifact = enlarge.STAGE.perform(given(enlarge.EnlargeInputs, inputs | changes))
        return artifact, load_enlarged(runtime.home / artifact.folder)

    return perform


@pytest.mark.parametrize(
    ("per_class", "counts"),
    [
        (3, [3, 3]),  # V has 3 a class
        (6, [6, 6]),
        (7, [7, 7]),
        (10, [10, 7]),  # all 4 of the second class
        (100, [12, 7]),  # all there are
        (2, [3, 3]),  # V is kept even where it is larger
    ],
)
def test_every_class_gets_the_wanted_number_or_all_there_are(
    performed, per_class: int, counts: list[int]
) -> None:
    artifact, enlarged = performed(per_class=per_class)

    assert artifact.summary["per_class"] == counts
    assert np.bincount(enlarged.label).tolist() == counts
    assert artifact.summary["pseudo"] == sum(counts) - 6 == int(enlarged.pseudo.sum())


@pytest.mark.parametrize("per_class", [3, 6, 100])
@pytest.mark.parametrize("classes", [["2", "3"], ["3", "2"]])
def test_v_is_kept_with_its_true_labels_and_no_sample_is_there_twice(
    performed, toy, per_class: int, classes: list[str]
) -> None:
    _, enlarged = performed(per_class=per_class, classes=classes)

    true = {row: classes.index(str(toy.target.labels[row])) for row in toy.split.v.tolist()}
    known = ~enlarged.pseudo
    given = zip(enlarged.sample_id[known].tolist(), enlarged.label[known].tolist(), strict=True)
    assert dict(given) == true
    assert len(set(enlarged.sample_id.tolist())) == len(enlarged.sample_id)
    assert not set(enlarged.sample_id.tolist()) & set(toy.split.hyper_validation.tolist())


def test_added_samples_are_agreed_ones_with_their_pseudo_labels(performed, toy) -> None:
    _, enlarged = performed(per_class=100)

    hard = dict(zip(toy.split.u.tolist(), HARD.tolist(), strict=True))
    added = zip(
        enlarged.sample_id[enlarged.pseudo].tolist(),
        enlarged.label[enlarged.pseudo].tolist(),
        strict=True,
    )
    assert dict(added) == {row: label for row, label in hard.items() if label >= 0}


def test_of_frames_clips_are_counted_and_their_agreed_frames_taken(
    performed, toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three frames a clip; V has all frames of each of its clips or none."""
    rows = len(toy.target.labels)
    order = np.concatenate([toy.split.v, np.setdiff1d(np.arange(rows), toy.split.v)])
    clip = np.empty(rows, int)
    clip[order] = np.arange(rows) // 3
    names = [str(row) for row in range(rows)]
    samples = Samples(names=names, clips=[str(c) for c in clip], groups=names)
    loaded = load_prepared(toy.folder / "target")
    monkeypatch.setattr(
        enlarge_job, "load_prepared", lambda _: dataclasses.replace(loaded, samples=samples)
    )

    artifact, enlarged = performed(per_class=4)

    found = [len(set(clip[enlarged.sample_id[enlarged.label == label]])) for label in range(2)]
    assert artifact.summary["per_class"] == found
    hard = dict(zip(toy.split.u.tolist(), HARD.tolist(), strict=True))
    for label, count in enumerate(found):
        in_v = set(clip[[r for r in toy.split.v if int(toy.target.labels[r]) == 2 + label]])
        offered = {clip[row] for row, given in hard.items() if given == label}
        assert count >= min(4, len(in_v | offered))
        taken = {row for row in hard if hard[row] == label and row in enlarged.sample_id}
        assert taken == {row for row in hard if hard[row] == label and clip[row] in clip[[*taken]]}


def test_samples_are_drawn_by_the_seed(performed) -> None:
    first, drawn = performed(per_class=5)
    other, drawn_otherwise = performed(per_class=5, seed=1)

    assert drawn.sample_id.tolist() != drawn_otherwise.sample_id.tolist()
    assert first.summary["content"] != other.summary["content"]


def test_labels_v_size_classes_and_seed_decide(inputs: dict[str, Any], artifact_of) -> None:
    def identity(**changes: Any) -> str:
        return enlarge.describe(given(enlarge.EnlargeInputs, inputs | changes)).identity

    changes: list[dict[str, Any]] = [
        {},
        {"pseudo": artifact_of("other")},
        {"target": artifact_of("other")},
        {"split": artifact_of("split", {"digests": DIGESTS | {"V": "other"}})},
        {"classes": ["3", "2"]},
        {"per_class": 7},
        {"seed": 1},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()


def test_the_run_names_each_input_with_its_own_place(
    runtime: Runtime, performed, inputs: dict[str, Any]
) -> None:
    artifact, _ = performed()

    calls = [call.args[1:] for call in runtime.tracker.log_dataset.call_args_list]
    assert calls == [
        ("pseudo_labels", "c" * 64, inputs["pseudo"].folder, "enlarging"),
        ("V", "v" * 64, inputs["split"].folder, "enlarging"),
        ("enlarged V", artifact.summary["content"], artifact.folder, "output"),
    ]
