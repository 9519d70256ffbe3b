"""Stage split: who is labelled, who is not, and a digest for each role."""

from typing import Any

import numpy as np
import pytest

from data.errors import DataError
from data.tables.file_names import SPLIT
from data.tables.split_file import load_split
from tasks.engine.runtime import Runtime, use
from tasks.stages import split
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given


@pytest.fixture
def inputs(artifact_of, toy) -> dict[str, Any]:
    return {
        "label": "a",
        "target": artifact_of("target", {"content": "c" * 64}, folder=str(toy.folder / "target")),
        "classes": ["2", "3"],
        "hyper_validation": 8,
        "k": 3,
        "seed": 0,
        "draw": 0,
    }


def performed(runtime: Runtime, inputs: dict[str, Any]) -> Artifact:
    with use(runtime):
        return split.STAGE.perform(given(split.SplitInputs, inputs))


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["3", "2"]},
        {"hyper_validation": 10},
        {"k": 4},
        {"seed": 1},
        {"draw": 1},
    ],
)
def test_settings_seed_and_draw_decide(inputs: dict[str, Any], change: dict[str, Any]) -> None:
    assert (
        split.describe(given(split.SplitInputs, inputs | change)).identity
        != split.describe(given(split.SplitInputs, inputs)).identity
    )


def test_the_target_decides_and_the_label_does_not(inputs: dict[str, Any], artifact_of) -> None:
    before = split.describe(given(split.SplitInputs, inputs)).identity

    assert (
        split.describe(given(split.SplitInputs, inputs | {"target": artifact_of("other")})).identity
        != before
    )
    assert split.describe(given(split.SplitInputs, inputs | {"label": "b"})).identity == before


def test_the_roles_are_stored_and_counted(runtime: Runtime, inputs: dict[str, Any], toy) -> None:
    artifact = performed(runtime, inputs)

    stored = load_split(runtime.home / artifact.folder / SPLIT)
    assert artifact.summary["counts"] == {"hyper_validation": 8, "V": 6, "U": 26}
    for role in ("hyper_validation", "v", "u"):
        np.testing.assert_array_equal(getattr(stored, role), getattr(toy.split, role))
    assert sorted(toy.target.labels[stored.v]) == [2, 2, 2, 3, 3, 3]
    assert artifact.notes["run_id"] == "run-1"


def test_a_role_keeps_its_digest_exactly_as_long_as_its_samples_do(
    runtime: Runtime, inputs: dict[str, Any], artifact_of, toy
) -> None:
    def digests(**changes: Any) -> dict[str, str]:
        found: dict[str, str] = performed(runtime, inputs | changes).summary["digests"]
        return found

    first, next_draw, more = digests(), digests(draw=1), digests(k=4)
    same_rows = {"folder": str(toy.folder / "target"), "summary": {"content": "c" * 64}}
    other_target = digests(target=artifact_of("other", **same_rows))

    assert len(set(first.values())) == 3
    for other in (next_draw, more):
        assert other["hyper_validation"] == first["hyper_validation"]
        assert other["V"] != first["V"]
        assert other["U"] != first["U"]
    # The same row numbers of other data are other samples.
    assert not set(other_target.values()) & set(first.values())


def test_the_run_names_the_target_and_every_role(runtime: Runtime, inputs: dict[str, Any]) -> None:
    artifact = performed(runtime, inputs)

    calls = [call.args for call in runtime.tracker.log_dataset.call_args_list]
    target = inputs["target"]
    assert calls[0] == ("run-1", "target", "c" * 64, target.folder, "splitting")
    digests = artifact.summary["digests"]
    assert calls[1:] == [
        ("run-1", role, digests[role], artifact.folder, "output")
        for role in ("hyper_validation", "V", "U")
    ]


def test_too_few_samples_leave_no_artifact(runtime: Runtime, inputs: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="at least 24 training samples of class '2'"):
        performed(runtime, inputs | {"k": 20})

    assert not (runtime.home / "artifacts").exists()
