"""The report's sections on procedure: data, selection, learning rates, provenance."""

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean
from typing import Any

from data.catalog import OWN_READERS
from data.counting import counted
from tasks.reporting.measures import has_test, main_table, measures, of_clips, selected_by
from tasks.reporting.record import Record
from tasks.reporting.records.inputs import DataRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.records.run import HardwareRecord, MemoryRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import (
    NONE,
    all_k,
    row_names,
    rows_of,
    signed,
    v_name,
)
from tasks.reporting.sections.data_sources import data_tables
from tasks.reporting.sections.deviations import has_paper_figures
from tasks.reporting.sections.mlflow_runs import run_link, run_parts
from tasks.reporting.text_tables import markdown_table

NO_DATA_SET = ": no published data set"


def opening(record: Record) -> str:
    """The experiment file's note, and a summary of the run's scale and data."""
    note = [f"**{' '.join(record.note.split())}**"] if record.note else []
    return "\n\n".join([*note, _what(record)])


def _what(record: Record) -> str:
    """Summary of the run in one sentence."""
    target = record.settings["target"]
    v = f"k = {_list(all_k(record))}; {counted(target['draws'], 'draw')} of V"
    if record.labelled is not None:
        v = v_name(record, 0)
    scope = (
        f"The experiment `{record.experiment}` at scale `{record.scale}` ({v}; seed {record.seed})"
    )
    embedded = _embedded(record)
    others = [entry for entry in record.data if entry not in embedded]
    unofficial = [entry for entry in others if not entry.official and not _own(record, entry)]
    own = [entry for entry in others if _own(record, entry)]
    said = []
    if embedded:
        names = dict.fromkeys(entry.dataset for entry in embedded)
        said.append(
            f"**embedded stand-ins, not {_and([name.upper() for name in names])}**: "
            f"{_origins(embedded)}"
        )
    if unofficial:
        said.append(f"**real data that are not all official**: {_origins(unofficial)}")
    if own:
        said.append(f"your own files: {_origins(own).replace(NO_DATA_SET, '')}")
    if not said:
        return f"{scope}, on real data with the official counts."
    sentence = f"{scope}, on {'; and on '.join(said)}"
    if has_paper_figures(record):
        sentence += "; the paper's figures, on other data, are only shown for orientation"
    return f"{sentence}."


def facts(record: Record) -> str:
    """One line with date, duration, commit and name."""
    finished = datetime.fromisoformat(record.finished)
    minutes = max(1, round(record.seconds / 60))
    return (
        f"Finished {finished:%Y-%m-%d %H:%M} {finished.tzname() or ''} after "
        f"{counted(minutes, 'minute')}; trainings: {_trainings(record)}; "
        f"commit {_commit(record, letters=12)}; record `{record.name}`."
    )


def missing_outputs(record: Record) -> str:
    """Requested outputs that are not in the record."""
    outputs = {} if record.outputs is None else vars(record.outputs)
    there: dict[tuple[str, int | str], Sequence[object]] = {
        ("tables", main_table(record)): record.rows,
        ("tables", 2): record.cells,
        ("figures", 3): record.curves,
        ("figures", 4): record.ensembles,
        **{("studies", name): parts for name, parts in vars(record.studies).items()},
    }
    absent = [
        f"{kind[:-1] if kind != 'studies' else 'study'} {item}"
        for kind in ("tables", "figures", "studies")
        for item in outputs.get(kind, ())
        if not there.get((kind, item))
    ]
    return f"**Requested, but not in the record:** {', '.join(absent)}." if absent else ""


def selection_section(record: Record) -> str:
    """How models were chosen, from how many, and with which learning rates."""
    lines = [
        _selection_line(record, name, k)
        for k in all_k(record)
        for name in row_names(record)
        if rows_of(record, name, k)
    ]
    header = [
        *("Method", "k", "searched", "chosen, by draw", "trainings to choose from"),
        "best over mean",
    ]
    return "\n\n".join(
        [
            "## Selection and learning rates",
            "All choices were made on hyper-validation: "
            f"{_held_out(record)}. Best "
            f"step, learning rate and cell: by accuracy{selected_by(record)}, ties by lower loss. "
            f"{_sealed(record)}"
            "Settings of methods that are not listed as searched are fixed and untuned.",
            markdown_table(header, lines),
            how_to_read("selection"),
            "Choosing among more trainings helps a row: its best step on hyper-validation more "
            "than its test accuracy. A row without searched rates used the first stage's. "
            '"Best over mean" is how far, in points of hyper-validation accuracy, the chosen '
            "training is above the mean of its candidates: no more of a row's lead can come from "
            "choosing, and usually less does, as the chosen one is not the best on test.",
        ]
    )


def provenance_section(record: Record) -> str:
    """Commit, machine, versions, times, data digests, MLflow runs, and the command."""
    facts = [
        ("command", f"`{record.command}`"),
        ("seed", str(record.seed)),
        ("identity", f"`{record.identity}`"),
        ("commit", _commit(record)),
        ("time", _times(record)),
        ("trainings", _trainings(record)),
        ("hardware", _hardware(record.hardware)),
        ("peak memory, all processes", _memory(record.peak_memory)),
        ("versions", _list(f"{name} {number}" for name, number in record.versions.items())),
        ("MLflow parent run", run_link(record, record.run_id)),
    ]
    return "\n\n".join(
        [
            "## Provenance",
            markdown_table(["name", record.name], [list(fact) for fact in facts], left=(0, 1)),
            how_to_read("provenance"),
            "### Data",
            *data_tables(record),
            how_to_read("data"),
            *run_parts(record),
            "The CSV files next to this report hold the figures in full precision, each with its "
            "MLflow run.",
        ]
    )


def again_section(record: Record) -> str:
    """The command to repeat the run, and what may differ."""
    checkout = f"git checkout {record.git_sha}\n" if record.git_sha else ""
    parts = ["## To make it again", f"```\n{checkout}{record.command}\n```"]
    if record.git_dirty:
        parts.append("The checkout had uncommitted changes: the commit alone is not the code used.")
    parts.append(
        "Finished stages in the home folder are reused; use another `--home` to run everything."
    )
    return "\n\n".join(parts)


def _embedded(record: Record) -> list[DataRecord]:
    """Embedded data that replace the experiment's real data."""
    datasets = record.settings["datasets"]
    return [
        entry
        for entry in record.data
        if entry.reader == datasets[entry.dataset]["embedded"] != _reader(record, entry)
    ]


def _own(record: Record, entry: DataRecord) -> bool:
    """Whether a data set is the user's own files, given by path."""
    return _reader(record, entry) in OWN_READERS.values()


def _reader(record: Record, entry: DataRecord) -> str:
    name: str = record.settings["datasets"][entry.dataset]["reader"]
    return name


def _origins(entries: list[DataRecord]) -> str:
    return "; ".join(entry.origin for entry in entries)


def _and(words: Sequence[str]) -> str:
    """Join words as in a sentence."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _sealed(record: Record) -> str:
    """What happened to the test split."""
    if not has_test(record):
        return "There is no test split. "
    return (
        f"The sealed test split ({_tested(record)} of the target's classes) was opened after the "
        "trainings of the run that requested it were finished; no training and no selection reads "
        "it. "
    )


def _held_out(record: Record) -> str:
    """Size of hyper-validation; whole recordings may add a few clips."""
    if record.labelled is not None:
        whole = f"{record.labelled.held_out:,} labelled target files"
        parts = record.labelled.parts
        return f"{whole}, in {parts} parts that are held out in turn" if parts else whole
    return f"{_drawn(record)} that are no one's training data, the same in every draw"


def _drawn(record: Record) -> str:
    count = f"{record.settings['target']['hyper_validation']:,}"
    if of_clips(record):
        return f"{count} labelled target clips or a few more, in whole recordings,"
    return f"{count} labelled target images"


def _tested(record: Record) -> str:
    """Number of test samples."""
    counts = [
        dict.fromkeys(f"{measure.count(row) or 0:,}" for row in record.rows)
        for measure in measures(record)
    ]
    return " of ".join(
        f"{' or '.join(found)} {measure.noun}s"
        for measure, found in zip(measures(record), counts, strict=True)
    )


def _list(values: Any) -> str:  # noqa: ANN401 - anything that can be shown
    return ", ".join(str(value) for value in values)


def _selection_line(record: Record, name: str, k: int) -> list[str]:
    entries = rows_of(record, name, k)
    searched = dict.fromkeys(_searched(entry) for entry in entries)
    counts = dict.fromkeys(_choices(record, name, entry) for entry in entries)
    return [
        name,
        str(k),
        " or ".join(text or "-" for text in searched),
        ", ".join(_chosen(entry) for entry in entries),
        " or ".join(counts),
        _picked(entries),
    ]


def _picked(entries: Sequence[RowRecord]) -> str:
    """How far chosen trainings are above the mean of their candidates, over the draws."""
    lifts = [
        100 * (max(entry.candidates) - fmean(entry.candidates))
        for entry in entries
        if len(entry.candidates) > 1
    ]
    return signed(fmean(lifts)) if lifts else NONE


def _searched(entry: RowRecord) -> str:
    """Learning rates, and settings by name, from which a row's model was chosen."""
    rates = ", ".join(f"{rate:g}" for rate in sorted(entry.searched, reverse=True))
    settings = entry.searched_settings.items()
    return "; ".join([*([rates] if rates else []), *(f"{k} {_list(v)}" for k, v in settings)])


def _chosen(entry: RowRecord) -> str:
    """Learning rate and searched settings of a row's model."""
    settings = [f"{key} {entry.settings[key]}" for key in entry.searched_settings]
    return " ".join([f"{entry.learning_rate:g}", *settings])


def _choices(record: Record, name: str, entry: RowRecord) -> str:
    """Number of trainings from which a row's model of one draw was chosen."""
    rates = len(entry.searched)
    if entry.candidates and name != record.settings["first_stage"]["name"]:
        return str(len(entry.candidates))
    if name != record.settings["first_stage"]["name"]:
        return str(max(1, rates) * math.prod(map(len, entry.searched_settings.values())))
    cells = [c for c in record.cells if (c.k, c.draw) == (entry.k, entry.draw)]
    search = f", after {rates} for the rate" if rates > 1 else ""
    return f"{counted(len(cells), 'cell')}{search}"


def _commit(record: Record, letters: int = 40) -> str:
    if not record.git_sha:
        return "unknown: the code did not run from a commit"
    return f"`{record.git_sha[:letters]}`" + (
        ", with uncommitted changes" if record.git_dirty else ""
    )


def _times(record: Record) -> str:
    return f"{record.started} to {record.finished}, {record.seconds:,.0f} s"


def _trainings(record: Record) -> str:
    executed, cached = record.executed.trainings, record.executed.cached
    if not cached:
        return f"{executed:,} run, none reused"
    return f"{executed:,} run, {cached:,} reused: the time above does not include these"


def _hardware(hardware: HardwareRecord) -> str:
    return (
        f"{hardware.cpu}, {counted(hardware.cores, 'core')}, {hardware.memory_gib:g} GiB, "
        f"slots {_list(hardware.slots)}"
    )


def _memory(peak: MemoryRecord | None) -> str:
    if peak is None:
        return "not measured"
    return f"{peak.pss_mib:,.0f} MiB (PSS), {peak.rss_mib:,.0f} MiB (RSS)"
