"""The report's section on the paper: how this run differs, according to its settings."""

from collections.abc import Mapping
from typing import Any

from data.counting import counted
from tasks.reporting.measures import measures, of_clips, sample_noun
from tasks.reporting.paper import (
    DATA,
    OUR_READING,
    OUR_READINGS,
    PROTOCOL,
    TABLE,
    Settings,
)
from tasks.reporting.record import Record
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import NONE, row_names
from tasks.reporting.text_tables import markdown_table

NO_CODE = "our own reading of it, as its code is not public"
CONVNET = "convnet"
"""Our own trunk."""
LAYERS = {
    "widths": "convolution widths {}",
    "hidden": "a hidden layer of {}",
    "norm": "normalisation `{}`",
}
"""Its settings in words."""


def has_paper_figures(record: Record) -> bool:
    """Whether any row of the record has a figure from the paper."""
    return any(
        measure.paper(record).get(name)
        for measure in measures(record)
        for name in row_names(record)
    )


def our_readings(record: Record) -> list[str]:
    """Notes on rows whose authors' code is not public."""
    return [
        f"**{name}** stands for {what}: {NO_CODE}. The paper's figures are those of the original."
        for name, what in _read(record).items()
    ]


def _read(record: Record) -> dict[str, str]:
    """Rows with our own reading of a method, and what they are in the paper."""
    return {row.row: OUR_READINGS[row.method] for row in record.rows if row.method in OUR_READINGS}


def held_to(record: Record) -> str | None:
    """The paper's experiment a record is compared with: its own, or that of its figures."""
    experiment: str = record.experiment
    if experiment in PROTOCOL:
        return experiment
    if not has_paper_figures(record):
        return None
    return "actions" if of_clips(record) else "digits"


def paper_section(record: Record) -> str:
    """Deviations from the paper, and what the paper leaves open."""
    experiment, theirs = record.experiment, held_to(record)
    parts = ["## Against the paper"]
    if theirs is None:
        parts.append(
            f"The paper has no experiment `{experiment}`: there is nothing to compare it with."
        )
    else:
        if theirs != experiment:
            parts.append(
                f"The paper has no experiment `{experiment}`. As the paper's figures are next "
                f"to this run's, it is compared with the paper's experiment with {theirs}."
            )
        parts += _deviations(record, theirs)
    parts.append(
        "Our choices where the paper gives no value (network, length and batches are the same for "
        "every method), and settings given to methods:"
    )
    parts.append("\n".join(f"- {choice}" for choice in _choices(record)))
    return "\n\n".join(parts)


def _deviations(record: Record, experiment: str) -> list[str]:
    settings = record.settings
    lines = []
    for name, where, theirs, read in PROTOCOL[experiment]:
        ours = read(settings)
        if not _same(theirs, ours):
            lines.append([name, f"{_shown(theirs)} ({where})", _shown(ours)])
    lines += [
        [f"data: {entry.dataset} {entry.split}", DATA[experiment], entry.origin]
        for entry in record.data
        if not entry.official
    ]
    lines += [
        [f"method: {name.removesuffix(OUR_READING)}", "its authors' own (§4.3)", NO_CODE]
        for name in _read(record)
    ]
    compared = [name for name, *_ in PROTOCOL[experiment]]
    compared += ["data", *(["methods"] if _read(record) else [])]
    said = f"Compared: {'; '.join(compared)}."
    if not lines:
        return [f"{said} All are the paper's.", *_other_rows(record, experiment)]
    return [
        f"{said} These differ, the others are the paper's:",
        markdown_table(["setting", "paper", "here"], lines, left=(0, 1, 2)),
        how_to_read("deviations"),
        *_other_rows(record, experiment),
    ]


def _other_rows(record: Record, experiment: str) -> list[str]:
    """Rows that only one of the two tables has."""
    table, rows = TABLE[experiment]
    names = {name: name.removesuffix(OUR_READING) for name in row_names(record)}
    absent = [name for name in rows if name not in names.values()]
    added = [name for name, theirs in names.items() if theirs not in rows]
    parts = []
    if absent:
        parts.append(f"Rows of the paper's {table} that are missing here: {', '.join(absent)}.")
    if added:
        parts.append(f"Rows that the paper's {table} does not have: {', '.join(added)}.")
    return parts


def _choices(record: Record) -> list[str]:
    settings = record.settings
    training = settings["training"]
    stages = [*settings["baselines"], settings["first_stage"], *settings["final"]]
    given = [f"{s['name']}: {_shown(s['settings'])}" for s in stages if s.get("settings")]
    return [
        f"network: {_trunk(settings['network'])}",
        *_of_pictures(record),
        *(_of_clips(record) if of_clips(record) else []),
        f"length: {counted(training['steps'], 'step')}, checked on hyper-validation every "
        f"{training['validate_every']:,}",
        f"batches: {training['batch_size']} of every source; V whole up to "
        f"{training['v_whole_up_to']} {sample_noun(record)}s",
        f"settings of methods besides the grid's: {'; '.join(given) or 'none'}; otherwise the "
        "program's defaults",
    ]


def _trunk(network: Mapping[str, Any]) -> str:
    """The trunk, its initial weights, and the part that was trained."""
    # Older records, without a choice of trunks, have the settings of the only trunk.
    name, settings = network.get("trunk", CONVNET), network.get("settings", network)
    said = [_convnet(settings)] if name == CONVNET and settings else [f"`{name}`"]
    if name != CONVNET and settings:
        said.append(_shown(settings))
    if network.get("normalisation"):
        said.append(f"images normalised as `{network['normalisation']}`")
    weights = network.get("weights", "none")
    if weights != "none":
        said.append(f"from {'ImageNet' if weights == 'imagenet' else f'`{weights}`'} weights")
    if network.get("frozen"):
        said.append(f"frozen up to `{network['frozen']}`: only what follows it is trained")
    return ", ".join(said)


def _convnet(settings: Settings) -> str:
    """Our own trunk in words."""
    words = {
        key: said.format(_shown(settings[key])) for key, said in LAYERS.items() if key in settings
    }
    if settings.get("hidden") == 0:
        words["hidden"] = "no hidden layer"
    return ", ".join(words.values())


def _of_pictures(record: Record) -> list[str]:
    """How photos and clips were turned into images."""
    images = record.settings.get("images")
    if not images:
        return []
    side = images["side"]
    said = [
        f"images: squares of {side} x {side} pixels, the same at every step (no augmentation but "
        "what a method asks for)"
    ]
    if not any(entry.clips for entry in record.data):
        return said
    if images.get("every"):
        return [*said, f"frames: of every clip, frame {images['every']} and its multiples"]
    count = f"{images['frames']} " if images.get("frames") else ""
    return [*said, f"frames: {count}of every clip, evenly spaced"]


def _of_clips(record: Record) -> list[str]:
    """Settings that the paper gives for digits, but not for actions."""
    settings = record.settings
    stage = settings["first_stage"]
    if record.labelled is None:
        count = counted(settings["target"]["hyper_validation"], "clip")
    else:
        count = counted(record.labelled.held_out, "labelled clip")
    return [
        f"hyper-validation: {count}, in whole recordings",
        f"grid: beta {_shown(stage['beta'])}; gamma {_shown(stage['gamma'])} (the paper's grid is "
        "that of the digits)",
        f"momentum: {settings['training']['momentum']:g} (the paper's is that of the digits)",
    ]


def _same(theirs: object, ours: object) -> bool:
    """Equality that ignores the difference between tuples and lists."""
    if isinstance(theirs, list | tuple) and isinstance(ours, list | tuple):
        return list(theirs) == list(ours)
    return theirs == ours


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value) or NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
