"""The report's section on the paper: what this run does otherwise, read off its settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.reporting.reading import how_to_read
from tasks.reporting.results import NONE, Record, row_names
from tasks.reporting.text_tables import markdown_table

Settings = Mapping[str, Any]


def _rates(settings: Settings, *, fine_tune: bool) -> list[float]:
    """Learning rates that the baselines may take; the first stage's are those of the training."""
    common = settings["training"]["learning_rates"]
    rates = [] if fine_tune else list(common)
    for baseline in settings["baselines"]:
        if (baseline["method"] == "fine_tune") is fine_tune:
            rates += baseline["learning_rates"] or common
    return sorted(set(rates), reverse=True)


PROTOCOL: dict[str, list[tuple[str, str, Any, Callable[[Settings], Any]]]] = {
    "digits": [
        ("k, labelled samples a class", "§4.2", [2, 3, 4, 5], lambda s: s["target"]["k"]),
        ("draws of V", "§4.2", 10, lambda s: s["target"]["draws"]),
        ("hyper-validation samples", "§4.2", 1000, lambda s: s["target"]["hyper_validation"]),
        ("beta", "Table 2", [5, 6, 7, 8, 9, 10], lambda s: s["first_stage"]["beta"]),
        (
            "gamma",
            "Table 2",
            [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
            lambda s: s["first_stage"]["gamma"],
        ),
        ("R, members of the ensemble", "§3.5", 3, lambda s: s["ensemble"]["r"]),
        ("confidence threshold", "§3.5", 0.8, lambda s: s["ensemble"]["threshold"]),
        ("samples a class in the enlarged V", "§3.5", 100, lambda s: s["ensemble"]["enlarged_v"]),
        ("learning rate", "§4.1", [0.05], lambda s: _rates(s, fine_tune=False)),
        ("learning rate of fine-tuning", "§4.1", [0.005], lambda s: _rates(s, fine_tune=True)),
        ("momentum", "§4.1", 0.9, lambda s: s["training"]["momentum"]),
    ],
}
"""By experiment: a setting, where the paper gives it, its value there, and ours."""

TABLE: dict[str, tuple[str, Sequence[str]]] = {
    "digits": (
        "Table 1",
        (
            *("Target only", "Source only", "Fine-tune", "GradMix SGD", "GradMix w/o AdaLR"),
            *("GradMix", "MME", "MDDA", "DCTN", "GradMix w/ soft label", "GradMix w/ hard label"),
            *("GradMix w/ VAT", "GradMix w/ MixMatch"),
        ),
    ),
}
"""By experiment: the paper's table and its rows."""


GRID_BETA = (5, 6, 7, 8, 9, 10)
GRID_GAMMA = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
GRID_K = 3
GRID = (
    (90.92, 90.96, 90.95, 90.58, 90.75, 90.75, 90.51, 90.63, 91.12),
    (90.41, 90.75, 89.95, 90.79, 90.59, 89.95, 90.58, 90.63, 90.56),
    (89.76, 90.44, 90.42, 90.94, 90.28, 90.40, 90.52, 90.70, 90.66),
    (90.05, 90.89, 90.93, 90.57, 90.77, 90.69, 89.99, 90.58, 90.71),
    (90.32, 90.70, 90.48, 90.94, 90.47, 90.92, 90.20, 90.23, 90.86),
    (90.52, 90.03, 89.67, 90.01, 89.84, 90.51, 91.45, 90.58, 90.70),
)
"""The paper's Table 2: test accuracy in per cent at k = 3, mean of 10 runs; beta by gamma."""
GRID_SELECTED = ((5, 0.1), (5, 0.8), (10, 0.6))
"""Its top three, in bold there."""


def has_paper_figures(record: Record) -> bool:
    """Whether any row of the record has a figure of the paper beside it."""
    return any(record["paper"].get(name) for name in row_names(record))


def paper_section(record: Record) -> str:
    """Deviations from the paper, and what the paper leaves open."""
    settings, experiment = record["settings"], record["experiment"]
    parts = ["## Against the paper"]
    if experiment not in PROTOCOL:
        parts.append(f"The paper has no experiment `{experiment}`: there is nothing to hold it to.")
    else:
        parts += _deviations(record)
    parts.append(
        "Our choices where the paper gives no value (network, length and batches are the same for "
        "every method), and settings given to methods:"
    )
    parts.append("\n".join(f"- {choice}" for choice in _choices(settings)))
    return "\n\n".join(parts)


def _deviations(record: Record) -> list[str]:
    settings, experiment = record["settings"], record["experiment"]
    lines = []
    for name, where, theirs, read in PROTOCOL[experiment]:
        ours = read(settings)
        if not _same(theirs, ours):
            lines.append([name, f"{_shown(theirs)} ({where})", _shown(ours)])
    lines += [
        [f"data: {entry['dataset']} {entry['split']}", "official split", entry["origin"]]
        for entry in record["data"]
        if not entry["official"]
    ]
    table, rows = TABLE[experiment]
    absent = [name for name in rows if name not in row_names(record)]
    added = [name for name in row_names(record) if name not in rows]
    compared = f"Compared: {'; '.join(name for name, *_ in PROTOCOL[experiment])}; data."
    parts = [f"{compared} All are the paper's."]
    if lines:
        parts = [
            f"{compared} These differ, the others are the paper's:",
            markdown_table(["setting", "paper", "here"], lines, left=(0, 1, 2)),
            how_to_read("deviations"),
        ]
    if absent:
        parts.append(f"Rows of the paper's {table} that are not here: {', '.join(absent)}.")
    if added:
        parts.append(f"Rows that the paper's {table} does not have: {', '.join(added)}.")
    return parts


def _choices(settings: Settings) -> list[str]:
    network, training = settings["network"], settings["training"]
    stages = [*settings["baselines"], settings["first_stage"], *settings["final"]]
    given = [f"{s['name']}: {_shown(s['settings'])}" for s in stages if s.get("settings")]
    return [
        f"network: {_trunk(network)}",
        f"length: {training['steps']:,} steps, checked on hyper-validation every "
        f"{training['validate_every']:,}",
        f"batches: {training['batch_size']} of every source; V whole up to "
        f"{training['v_whole_up_to']} samples",
        f"settings of methods besides the grid's: {'; '.join(given) or 'none'}; otherwise the "
        "program's defaults",
    ]


def _trunk(network: Mapping[str, Any]) -> str:
    """The trunk, from which weights, and what of it was trained."""
    # Records from before there was a choice have the settings of the one trunk.
    settings = network.get("settings", network)
    said = f"`{network.get('trunk', 'convnet')}`"
    said += f" with {_shown(settings)}" if settings else ""
    if network.get("weights", "none") != "none":
        said += f", from {network['weights']} weights"
    return said + (f", trained after `{network['frozen']}`" if network.get("frozen") else "")


def _same(theirs: object, ours: object) -> bool:
    """Equal as numbers, tuples and lists alike."""
    if isinstance(theirs, list) and isinstance(ours, list | tuple):
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
