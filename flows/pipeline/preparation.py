"""From raw files to training inputs: arrays, photos, frames of clips, and features."""

from dataclasses import replace
from pathlib import Path

from data.frames.sampling import Sampling
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.pipeline.futures import Submit
from tasks.engine.stage import Future
from tasks.networks.description import NetworkDescription
from tasks.stages import extract, features, pictures, prepare
from tasks.stages import weights as pretrained
from tasks.stages.raw_inputs import MediaInputs, RawInputs
from tasks.subjects import Subject


def pretrained_weights(raw: RawData, submit: Submit) -> Future | None:
    """Submit the initial weights of trunks, if any."""
    if raw.weights is None:
        return None
    inputs = pretrained.WeightsInputs(
        subject=Subject(name="weights"), path=Path(raw.weights), digest=str(raw.weights_digest)
    )
    return submit(pretrained.STAGE, inputs)


def prepared_data(
    experiment: Experiment,
    raw: RawData,
    network: NetworkDescription,
    weights: Future | None,
    submit: Submit,
) -> dict[tuple[str, str], Future]:
    """Submit the preparation of every training split and of the target's test split.

    If parts of the trunk are frozen, training splits hold their output instead of images. The test
    split is sealed and holds images, which the evaluation passes through the frozen part.
    """
    data: dict[tuple[str, str], Future] = {}
    for name, part in raw.digests:
        data[name, part] = _images(experiment, raw, name, part, submit)
        if network.frozen and part == "train":
            inputs = features.FeaturesInputs(
                subject=Subject(name=f"{name} {part}: features"),
                data=data[name, part],
                network=network,
                weights=weights,
            )
            data[name, part] = submit(features.STAGE, inputs)
    return data


def _images(experiment: Experiment, raw: RawData, name: str, part: str, submit: Submit) -> Future:
    """Submit the preparation of a split as images of one size."""
    images, dataset, root = experiment.images, experiment.datasets[name], raw.root_of(name, part)
    given = RawInputs(
        subject=Subject(name=f"{name} {part}"),
        reader=dataset.reader_on(real=root is not None),
        split=part,
        root=None if root is None else Path(root),
        raw=raw.digests[name, part],
    )
    if dataset.media == "arrays" or images is None:
        return submit(prepare.STAGE, given)
    more = raw.unlabelled if (name, part) == (experiment.target.dataset, "train") else ()
    files = MediaInputs(
        **vars(given), partial=experiment.partial, max_broken=images.max_broken, unlabelled=more
    )
    frames = None
    if dataset.media == "clips":
        sampling = Sampling(**images.sampling)
        clips = extract.ExtractInputs(**vars(files), sampling=sampling)
        subject = Subject(name=f"{name} {part}: frames")
        frames = submit(extract.STAGE, replace(clips, subject=subject))
    squares = pictures.PicturesInputs(**vars(files), side=images.side, frames=frames)
    return submit(pictures.STAGE, squares)
