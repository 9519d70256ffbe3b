"""Writes a new experiment file from folders."""

from dataclasses import dataclass
from pathlib import Path

from data.atomic import write_atomically
from data.catalog import find_media, list_labelled, list_unlabelled
from data.errors import DataError
from data.survey.summary import class_counts, summarise
from flows.checks.numbers import fitting_enlarged_v
from flows.drafting.recognise import Given, Layout, recognise
from flows.drafting.template import Draft, Pretrained, draft_text
from flows.experiment.datasets import Images
from flows.experiment.toml_file import SettingsError
from flows.experiment.training import Ensemble
from tasks.networks.names import IMAGENET, NONE, PRETRAINED
from tasks.networks.weights import find_weights

SIDES = (32, 48, 64, 96, 128, 160)
"""Image sides to use if images are smaller than the default."""
PRETRAINED_SIDE = 224
"""Default image side of pretrained networks."""
_LOOKED_AT = 500
EXPERIMENT = "experiment.toml"


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """A new experiment file.

    Attributes:
        path: path of the file.
        layout: the folders it names.
    """

    path: Path
    layout: Layout


def out_of(given: Given, out: Path | None) -> Path:
    """Path of the file: as given, or named after the only folder, in the working directory."""
    if out is not None:
        return out
    name = given.folders[0].absolute().name if len(given.folders) == 1 else ""
    return Path(f"{name}.toml" if name else EXPERIMENT)


def refuse_taken(out: Path, *, force: bool) -> None:
    """Raise SettingsError unless a file can be written there without replacing another."""
    if out.suffix != ".toml":
        raise SettingsError(f"--out: expected a name that ends in .toml, found {out}; rename it.")
    if out.is_dir():
        raise SettingsError(f"--out: expected a file, found the folder {out}; name a file in it.")
    if out.exists() and not force:
        raise SettingsError(
            f"--out: expected no file at {out}, found one; name another, or replace it with "
            "--force."
        )


def named_trunk(trunk: str | None, weights: str | None) -> Pretrained | None:
    """The pretrained network named by options, with the absolute path of its weights.

    Raises:
        SettingsError: if only one of the two is named.
        StageError: if the file of weights does not exist.
    """
    if trunk is None and weights is None:
        return None
    if trunk is None or weights is None or weights == NONE:
        lacking, named = ("--trunk", "--weights") if trunk is None else ("--weights", "--trunk")
        raise SettingsError(
            f"init: expected {lacking} with {named}, found none; name a network and its weights."
        )
    if weights not in {IMAGENET, PRETRAINED}:
        weights = str(find_weights(trunk, weights))
    return Pretrained(trunk=trunk, weights=weights)


def draft(
    given: Given, out: Path, pretrained: Pretrained | None = None, *, quick: bool = False
) -> Drafted:
    """Find the folders' roles and write the experiment file atomically.

    Args:
        given: folders to look into, and those named explicitly.
        out: path of the file, which is replaced.
        pretrained: network whose features to train on; None for a small one, trained as a whole.
        quick: use settings that take only minutes.

    Raises:
        DataError: if a role is missing or ambiguous, or the file cannot be written.
    """
    layout = recognise(given)
    media = find_media(layout.labelled)
    drafted = Draft(
        layout=layout,
        clips=media == "clips",
        side=_side(layout, Images().side if pretrained is None else PRETRAINED_SIDE),
        enlarged_v=_enlarged_v(layout),
        pretrained=pretrained,
        quick=quick,
    )
    text = draft_text(drafted, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, text)
    except OSError as error:
        raise DataError(
            f"Expected to write {out}, found: {error.strerror}: name another file with --out."
        ) from error
    return Drafted(path=out, layout=layout)


def _side(layout: Layout, usual: int) -> int:
    """Side of the images: the default, or less if the labelled files are smaller."""
    media = find_media(layout.labelled)
    listing = list_labelled(layout.labelled, media=media)
    sizes = summarise(listing, media, headers=_LOOKED_AT).sizes
    if sizes is None:
        return usual
    fitting = [side for side in SIDES if side >= min(sizes.median)]
    return min([*fitting, usual])


def _enlarged_v(layout: Layout) -> int:
    """The default, or less: half of the unlabelled files must be left for the source S_u."""
    media = find_media(layout.labelled)
    labelled = class_counts(list_labelled(layout.labelled, media=media))
    unlabelled = list_unlabelled(layout.unlabelled, media=media).files
    fitting = fitting_enlarged_v(labelled.values(), len(unlabelled))
    return min(Ensemble().enlarged_v, fitting)
