"""From raw files to what trainings read: arrays, photos, frames of clips, and features of them."""

from collections.abc import Mapping
from typing import Any

from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.pipeline.futures import Handle, Submit
from tasks.stages import extract, features, pictures, prepare
from tasks.stages import weights as pretrained


def pretrained_weights(raw: RawData, submit: Submit) -> Handle | None:
    """Submit the weights that trunks start from, if there are any."""
    if raw.weights is None:
        return None
    return submit(
        pretrained.STAGE, label="weights", path=raw.weights, digest=str(raw.weights_digest)
    )


def prepared_data(
    experiment: Experiment,
    raw: RawData,
    network: Mapping[str, Any],
    weights: Handle | None,
    submit: Submit,
) -> dict[tuple[str, str], Handle]:
    """Submit the preparation of every training split and of the target's test split.

    Where parts of the trunk are frozen, training splits hold what these make of the images. The
    test split is sealed and holds images: the evaluation makes of them what the network reads.
    """
    data = {}
    for (name, part), digests in raw.digests.items():
        given = {
            "reader": experiment.datasets[name].reader_on(real=raw.root is not None),
            "split": part,
            "root": raw.roots[name],
            "raw": digests,
        }
        data[name, part] = _images(experiment, name, f"{name} {part}", given, submit)
        if network["frozen"] and part == "train":
            data[name, part] = submit(
                features.STAGE,
                label=f"{name} {part}: features",
                data=data[name, part],
                network=network,
                weights=weights,
            )
    return data


def _images(
    experiment: Experiment, name: str, label: str, given: dict[str, Any], submit: Submit
) -> Handle:
    """One split as images of one size."""
    images, media = experiment.images, experiment.datasets[name].media
    if media == "arrays" or images is None:
        return submit(prepare.STAGE, label=label, **given)
    given |= {"partial": experiment.partial, "max_broken": images.max_broken}
    frames = None
    if media == "clips":
        frames = submit(extract.STAGE, label=f"{label}: frames", sampling=images.sampling, **given)
    return submit(pictures.STAGE, label=label, side=images.side, frames=frames, **given)
