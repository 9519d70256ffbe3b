"""Finds the raw data of an experiment and checks them before anything runs."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from data.catalog import find_reader
from data.digest_cache import KnownDigests
from data.errors import DataError, ProblemsError
from data.fingerprint import sha256_file
from data.listing import NO_FILES, Listing
from data.names import fold
from data.paths import expanded
from data.raw_files import RawFiles, raw_files
from flows.experiment.corrected import corrections_of
from flows.experiment.own_data import TARGET, found_at
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from gradmix.declarations.methods import METHODS
from tasks.networks.check import check_trunk
from tasks.networks.declared import code_digest
from tasks.networks.weights import fetch_weights, find_weights


def find_raw(
    experiment: Experiment, root: Path | None, known: KnownDigests, base: Path = Path()
) -> RawData:
    """Check that all raw files and weights exist and take their digests.

    Args:
        experiment: experiment that names the data sets.
        root: folder of the real data; None for the embedded data.
        known: known digests of files.
        base: folder that paths of the user's files are relative to.

    Raises:
        DataError: if a file is missing or cannot be read.
        StageError: if the trunk or its weights are missing or invalid.
    """
    folder = expanded(root).absolute() if root is not None else None
    places = _places(experiment, folder, base)
    unlabelled = tuple(found_at(base, path) for path in experiment.target.unlabelled)
    found = _all_files(experiment, places, unlabelled, known)
    target = experiment.target.dataset
    listing, table = found[target, "train"].listing, experiment.target.corrections
    if experiment.target.labelled is not None and listing is not None:
        _refuse_empty_classes(found_at(base, experiment.target.labelled), listing)
    corrections = _corrections(experiment, base, listing)
    network = experiment.network
    weights = find_weights(network.trunk, network.weights)
    needs_map = any(METHODS[row.method].needs_map for row in experiment.baselines)
    check_trunk(network.description, experiment.shape, weights, needs_map=needs_map)
    own = any(dataset.own for dataset in experiment.datasets.values())
    return RawData(
        str(base if folder is None else folder) if own or folder is not None else None,
        {key: files.digests for key, files in found.items()},
        roots=places,
        classes={name: found[name, "train"].classes for name in experiment.datasets},
        shown={key: files.shown for key, files in found.items()},
        weights=str(weights) if weights else None,
        weights_digest=sha256_file(weights) if weights else None,
        code_digest=code_digest(network.trunk),
        unlabelled=unlabelled,
        corrections=corrections,
        labelled=_labelled(listing, corrections) if unlabelled else {},
        files=listing.root if unlabelled and listing is not None else None,
        corrections_file=None if table is None else found_at(base, table),
    )


def _places(experiment: Experiment, folder: Path | None, base: Path) -> dict[str, str | None]:
    """Location of every data set, and of the target's test split if it is elsewhere."""
    places: dict[str, str | None] = {}
    for name, dataset in experiment.datasets.items():
        root = base if dataset.own else folder
        places[name] = None if root is None else str(found_at(root, dataset.folder))
    if experiment.target.test is not None:
        test = str(found_at(base, experiment.target.test))
        places[f"{experiment.target.dataset}/test"] = test
    return places


def _all_files(
    experiment: Experiment,
    places: Mapping[str, str | None],
    unlabelled: Sequence[Path],
    known: KnownDigests,
) -> dict[tuple[str, str], RawFiles]:
    """Raw files of every split; problems are reported all at once."""
    target = experiment.target
    found: dict[tuple[str, str], RawFiles] = {}
    wrong: list[DataError] = []
    for name in experiment.datasets:
        tested = name == target.dataset and target.has_test
        for split in ["train", *(["test"] if tested else [])]:
            root = places.get(f"{name}/{split}", places[name])
            more = unlabelled if (name, split) == (target.dataset, "train") else ()
            try:
                found[name, split] = _files(experiment, name, split, root, known, more)
            except DataError as error:
                wrong.append(error)
    if len(wrong) > 1:
        raise ProblemsError([line for error in wrong for line in error.lines], experiment.name)
    if wrong:
        raise wrong[0]
    return found


def _files(
    experiment: Experiment,
    name: str,
    split: str,
    root: str | None,
    known: KnownDigests,
    unlabelled: Sequence[Path],
) -> RawFiles:
    """Raw files of one split, which errors name."""
    reader = experiment.datasets[name].reader_on(real=root is not None)
    try:
        return raw_files(
            reader, split, root, partial=experiment.partial, known=known, unlabelled=unlabelled
        )
    except DataError as error:
        raise _named(error, f"{name} {split}") from error


def _named(error: DataError, name: str) -> DataError:
    """The same problems, each line with the name of what has them."""
    lines = [f"{name}: {line}" for line in error.lines]
    return ProblemsError(lines, name) if len(lines) > 1 else DataError(lines[0])


def _refuse_empty_classes(place: Path, listing: Listing) -> None:
    """Refuse class folders of the labelled files without any: a class would be missing unsaid."""
    reason = next((why for why in listing.skipped if why.startswith(NO_FILES)), None)
    if reason is None:
        return
    known = {fold(name) for name in listing.classes}
    folders = sorted(path.name for path in place.iterdir() if path.is_dir())
    empty = [name for name in folders if fold(name) not in known and name[0] not in ".@"]
    # Folders of splits inside are counted as well, and hold the class folders.
    if not empty:
        return
    raise DataError(
        f"labelled: Expected {reason.removeprefix(NO_FILES)} in every class folder of {place}, "
        f"found none in {', '.join(empty[:5])}: add some, or remove the folder."
    )


def _corrections(experiment: Experiment, base: Path, listing: Listing | None) -> dict[str, str]:
    """Corrections of the target's files; empty if the table does not exist."""
    written = experiment.target.corrections
    if written is None or listing is None or not found_at(base, written).exists():
        return {}
    try:
        return corrections_of(listing, found_at(base, written), experiment.target.classes)
    except DataError as error:
        raise _named(error, f"{TARGET}.corrections") from error


def _labelled(listing: Listing | None, corrections: Mapping[str, str]) -> dict[str, int]:
    """Number of labelled files by class."""
    if listing is None:
        return {}
    labels = {file.path: listing.class_of(file) for file in listing.files} | dict(corrections)
    return dict(Counter(label for label in labels.values() if label))


def check_apart(experiment: Experiment, raw: RawData) -> None:
    """Check that no photo or clip leaks the test split, or labels of U, to a training.

    Args:
        experiment: experiment with all classes named.
        raw: the raw data found.

    Raises:
        DataError: if a file of the target is in both its splits, or a source has a file of its
            test split, or, in its own classes, one of its training split.
    """
    target = experiment.target
    train, test = (raw.shown.get((target.dataset, split), {}) for split in ("train", "test"))
    # Unlabelled files have an unknown class, possibly one of the target's.
    tested, labelled = _by_digest(test), _by_digest(train, [*target.classes, ""])
    here = f"the training and the test split of {target.dataset}"
    if target.labelled is not None:
        here = "the target's labelled or unlabelled files and its test split"
    _refuse_shared(_by_digest(train), tested, here)
    for source in experiment.sources:
        used = _by_digest(raw.shown.get((source.dataset, "train"), {}), source.classes)
        _refuse_shared(used, tested, f"{source.name} and the target's test split")
        _refuse_shared(used, labelled, f"{source.name} and the target's training split")


def _by_digest(
    shown: Mapping[tuple[str, str], Path], classes: Collection[str] | None = None
) -> dict[str, Path]:
    """Paths of files by digest, for some classes or all."""
    return {
        digest: path for (digest, name), path in shown.items() if classes is None or name in classes
    }


def _refuse_shared(first: Mapping[str, Path], second: Mapping[str, Path], where: str) -> None:
    shared = min(first.keys() & second.keys(), default=None)
    if shared is not None:
        paths = dict.fromkeys(str(files[shared]) for files in (first, second))
        raise DataError(
            f"Expected no file in both {where}, found {' and '.join(paths)} with the same bytes: "
            "remove it from one of them."
        )


def download_raw(experiment: Experiment, root: Path | None) -> None:
    """Fetch weights, and the official files of every data set if there is a folder for them.

    Raises:
        DataError: if a download fails.
    """
    for dataset in experiment.datasets.values():
        if root is not None and dataset.media == "arrays":
            reader = find_reader(dataset.reader)
            if not reader.embedded:
                reader.download(root)
    fetch_weights(experiment.network.trunk, experiment.network.weights)
