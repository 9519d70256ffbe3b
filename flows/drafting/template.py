"""Text of a new experiment file: its data, and all important keys with their defaults."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.drafting.recognise import CORRECTIONS, Layout
from flows.experiment.datasets import Images
from flows.experiment.defaults import OWN_FIRST_STAGE
from flows.experiment.fields import CROSS
from flows.experiment.training import Ensemble, FirstStage, Network, Training
from tasks.networks.names import ALL

_COLUMN = 44
"""Column where comments begin if the key is short enough."""
_KEYS: Mapping[str, tuple[object, Mapping[str, str]]] = {
    "images": (
        Images(),
        {
            "side": "pixels of the squares that are trained on",
            "frames": "of every clip, evenly spaced; or every = 5",
            "max_broken": "maximum share of unreadable files",
        },
    ),
    "network": (
        Network(),
        {
            "trunk": "or resnet18, efficientnet_lite0, timm:NAME, or your own",
            "weights": "or imagenet, pretrained (timm), or a file",
            "frozen": "all: compute the trunk's features once and train on them",
            "settings": "settings of the trunk",
        },
    ),
    "training": (
        Training(),
        {
            "steps": "of every training",
            "validate_every": "steps",
            "batch_size": "of each source",
            "learning_rates": "the best one is chosen",
        },
    ),
    "first_stage": (
        FirstStage(settings=dict(OWN_FIRST_STAGE)),
        {
            "beta": "the grid of trainings: one axis",
            "gamma": "and the other",
            "settings": "V's gradient trains the trunk too; false: Eq. 10 as written",
        },
    ),
    "ensemble": (
        Ensemble(),
        {
            "r": "the best models of the grid, which label U together",
            "threshold": "confidence that a pseudo-label needs",
            "enlarged_v": "files of a class in V once pseudo-labelled ones have joined it",
            "if_none_agree": "use probabilities as labels if the models agree on no file, or stop",
        },
    ),
}
"""Keys of each table with descriptions; defaults come from the settings' types."""
_QUICK: Mapping[tuple[str, str], object] = {
    ("network", "settings"): {"widths": [8, 8, 16, 16], "hidden": 0},
    ("training", "steps"): 200,
    ("training", "validate_every"): 50,
    ("training", "batch_size"): 32,
    ("training", "learning_rates"): [0.05],
    ("first_stage", "beta"): [5, 10],
    ("first_stage", "gamma"): [0.0, 0.6],
}


_BEFORE: Mapping[str, Sequence[str]] = {
    "network": (
        "With few labels, a frozen pretrained network is the quickest way: its features are",
        "computed once per file, and each training takes seconds. To write such a file:",
        "  gradmix init DIR --trunk efficientnet_lite0 --weights imagenet",
        "gradmix[lite] includes these weights, so nothing is downloaded. More in docs/own-data.md.",
    )
}
"""Comments above a table, unless a pretrained network is chosen."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A pretrained network.

    Attributes:
        trunk: name of the network.
        weights: `imagenet`, `pretrained`, or the path of a file.
    """

    trunk: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Contents of an experiment file.

    Attributes:
        layout: locations of the files.
        clips: whether the target's files are clips.
        side: side of the images in pixels.
        enlarged_v: files per class in V after adding pseudo-labelled ones.
        pretrained: network whose features to train on; None for a small one, trained as a whole.
        quick: use settings that take only minutes, for an example.
    """

    layout: Layout
    clips: bool
    side: int
    enlarged_v: int
    pretrained: Pretrained | None = None
    quick: bool = False


def draft_text(draft: Draft, out: Path) -> str:
    """Text of the file.

    Args:
        draft: contents of the file.
        out: future path of the file; paths below its folder are written relative to it.
    """
    return _HEAD + "\n".join([_data(draft.layout, out), *_tables(draft)])


_HEAD = """\
# An experiment of GradMix, written by `gradmix init`. Lines that begin with # show defaults.
#
#   gradmix check FILE   problems, warnings, and what the run needs
#   gradmix run FILE     train, then print a table and write a report
#
# Paths are relative to this file's folder. Terms: docs/glossary.md.

"""


def _data(layout: Layout, out: Path) -> str:
    base = out.absolute().parent
    unlabelled = [_path(place, base) for place in layout.unlabelled]
    lines = [
        *_row("labelled", _path(layout.labelled, base), "a folder per class, or a table: V"),
        *_row("unlabelled", unlabelled[0] if len(unlabelled) == 1 else unlabelled, "any files: U"),
        *_tested(layout, base),
        *_row("hyper_validation", CROSS, "or a number, or a share of the labels", usual=True),
        *_corrected(layout, base),
    ]
    sources = [
        "\n".join(["[[sources]]", *_row("data", _path(place, base), "a labelled source")])
        for place in layout.sources
    ]
    return "\n".join(["[target]", *lines, "", "\n\n".join(sources), ""])


def _tested(layout: Layout, base: Path) -> Iterator[str]:
    what = "opened once, at the end; without it, estimates are cross-fitted"
    if layout.test is not None:
        yield from _row("test", _path(layout.test, base), what)
    else:
        yield from _row("test", "test", what, usual=True)


def _corrected(layout: Layout, base: Path) -> Iterator[str]:
    what = "decisions on unlabelled files, as saved by the review page"
    if layout.corrections is not None:
        yield from _row("corrections", _path(layout.corrections, base), what)
    else:
        yield from _row("corrections", CORRECTIONS, what, usual=True)


def _path(place: Path, base: Path) -> str:
    """A path with `/`, relative to the file's folder if below it."""
    absolute = Path(os.path.abspath(place))  # noqa: PTH100 - keep links as the user sees them
    below = absolute.is_relative_to(base)
    return (absolute.relative_to(base) if below else absolute).as_posix()


def _tables(draft: Draft) -> Iterator[str]:
    """Tables after the data; keys with default values are comments."""
    chosen = _chosen(draft)
    for table, (defaults, keys) in _KEYS.items():
        lines: list[str] = []
        written = False
        for key, what in keys.items():
            if key == "frames" and not draft.clips:
                continue
            usual = _plain(getattr(defaults, key))
            value = chosen.get((table, key), usual)
            written = written or value != usual
            said = what if value == usual else f"{what}; default {_toml(usual)}"
            lines += _row(key, value, said, usual=value == usual)
        said_above = [] if draft.pretrained else [f"# {line}" for line in _BEFORE.get(table, ())]
        head = f"[{table}]" if written else f"# [{table}]"
        yield "\n".join([*said_above, head, *lines, ""])


def _chosen(draft: Draft) -> dict[tuple[str, str], object]:
    """Values of keys, which may equal the defaults."""
    chosen: dict[tuple[str, str], object] = {
        ("images", "side"): draft.side,
        ("ensemble", "enlarged_v"): draft.enlarged_v,
        # With a handful of files, none may be left; the other trainings should not be lost.
        ("ensemble", "if_none_agree"): "soft",
        **(_QUICK if draft.quick else {}),
    }
    if draft.pretrained is not None:
        chosen |= {
            ("network", "trunk"): draft.pretrained.trunk,
            ("network", "weights"): draft.pretrained.weights,
            ("network", "frozen"): ALL,
            ("network", "settings"): {},
        }
    return chosen


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _row(key: str, value: object, what: str, *, usual: bool = False) -> Iterator[str]:
    """One line, or two if long; commented out if it is the default."""
    text = f"{'# ' * usual}{key} = {_toml(value)}"
    if len(text) < _COLUMN:
        yield f"{text:<{_COLUMN}}# {what}"
    else:
        yield f"# {what}:"
        yield text


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    # A TOML basic string accepts JSON's escapes, except surrogate pairs.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
