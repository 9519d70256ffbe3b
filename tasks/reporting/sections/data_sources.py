"""The report's tables on data: what was used, what was left out and why, and raw files."""

from tasks.reporting.record import Record
from tasks.reporting.records.inputs import DataRecord
from tasks.reporting.result_table import NONE
from tasks.reporting.text_tables import markdown_table

BROKEN = "could not be decoded"
TOGETHER = "files"
"""Name in records for one digest of all photos or clips of a split."""


def data_tables(record: Record) -> list[str]:
    """Tables of prepared data, files left out, and raw files."""
    return [_prepared(record), *_left_out(record), *_raw_files(record)]


def _prepared(record: Record) -> str:
    with_clips = any(entry.clips for entry in record.data)
    header = ["data", "reader", "images", "official", "origin", "digest"]
    if with_clips:
        header[2:3] = ["images or frames", "clips"]
    lines = [
        [
            _name(entry),
            entry.reader,
            f"{entry.samples:,}",
            *([f"{entry.clips:,}" if entry.clips else NONE] if with_clips else []),
            "yes" if entry.official else "no",
            entry.origin,
            f"`{entry.digest}`",
        ]
        for entry in record.data
    ]
    last = len(header) - 1
    return markdown_table(header, lines, (0, 1, last - 2, last - 1, last))


def _left_out(record: Record) -> list[str]:
    """Files that were named or found but not used, which older records do not count."""
    lines = [
        [_name(entry), f"{count:,}", reason]
        for entry in record.data
        for reason, count in {**entry.skipped, BROKEN: entry.broken}.items()
        if count
    ]
    if not lines:
        return []
    return [
        "Files that were named or found, but not used:",
        markdown_table(["data", "files", "why"], lines, (0, 2)),
    ]


def _raw_files(record: Record) -> list[str]:
    files = [
        [_raw_name(entry, name), f"`{digest}`"]
        for entry in record.data
        for name, digest in entry.raw.items()
    ]
    if not files:
        return ["No raw files: the data come with the package or are made by it."]
    return [markdown_table(["raw file", "SHA-256"], files, (0, 1))]


def _name(entry: DataRecord) -> str:
    return f"{entry.dataset} {entry.split}"


def _raw_name(entry: DataRecord, name: str) -> str:
    """Name of a file, or of a whole split of photos or clips, which are too many to list."""
    return f"{_name(entry)}: all files" if name == TOGETHER else f"{entry.dataset}: {name}"
