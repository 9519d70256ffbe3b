"""Summaries of photos and clips in words, one or two lines per role."""

from collections.abc import Iterator, Mapping

from data.counting import counted, singular
from data.survey.summary import Size, Summary

MOST_CLASSES = 12
"""Up to this many classes, counts are listed; for more, their range."""


def summary_lines(name: str, summary: Summary) -> Iterator[str]:
    """Describe a role: number of files, classes, sizes and formats."""
    classes = f" of {counted(len(summary.counts), 'class')}" if summary.counts else ""
    files = counted(summary.files, singular(summary.media))
    yield f"{name}: {files}{classes}{_counts(summary.counts)}"
    if summary.sizes is not None:
        sizes = summary.sizes
        formats = ", ".join(f"{name} {count:,}" for name, count in summary.formats.items())
        looked = f" ({summary.looked_at:,} looked at)" * (summary.looked_at < summary.files)
        yield (
            f"  {size(sizes.smallest)} to {size(sizes.largest)} pixels, median "
            f"{size(sizes.median)}; {formats}{looked}"
        )


def size(of: Size) -> str:
    """Width and height in words."""
    return f"{of[0]} x {of[1]}"


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    if len(counts) <= MOST_CLASSES:
        return ": " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f": {min(counts.values()):,} to {max(counts.values()):,} each"
