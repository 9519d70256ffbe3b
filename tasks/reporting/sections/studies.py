"""Beyond the paper: is rho valid, and how much hyper-validation does selection need?"""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from data.counting import counted
from tasks.reporting.measures import of_clips, sample_noun, selected_by
from tasks.reporting.record import Record
from tasks.reporting.records.studies import RhoRecord, SizeRecord, SizeStudyRecord
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import NONE, asked, percent
from tasks.reporting.stats.paired_tests import Correlation, correlation_text, spearman
from tasks.reporting.text_tables import markdown_table

STARTS = {"initial": "random weights", "trained": "trained model"}


def rho_parts(record: Record) -> tuple[RhoRecord, ...]:
    """The parts of the study of rho; empty if not requested or missing."""
    return record.studies.rho if asked(record, "studies", "rho") else ()


def size_parts(record: Record) -> tuple[SizeStudyRecord, ...]:
    """The parts of the study of sizes; empty if not requested or missing."""
    return record.studies.hyper_validation if asked(record, "studies", "hyper_validation") else ()


def rho_correlation(part: RhoRecord) -> Correlation | None:
    """Rank correlation of rho and the change of the loss over one part's mini-batches."""
    probes = part.probes
    return spearman([probe.rho for probe in probes], [probe.change for probe in probes])


def layer_correlations(parts: Sequence[RhoRecord]) -> dict[str, list[float]]:
    """Rank correlations of each layer's cosine and change, one per part."""
    found: dict[str, list[float]] = {}
    for part in parts:
        for place, layer in enumerate(part.layers):
            both = [(probe.cosines[place], probe.changes[place]) for probe in part.probes]
            pairs = [(c, change) for c, change in both if c is not None and change is not None]
            one = spearman([cosine for cosine, _ in pairs], [change for _, change in pairs])
            found.setdefault(layer, []).extend([one.r] if one else [])
    return found


def starts(parts: Sequence[RhoRecord]) -> dict[str, list[RhoRecord]]:
    """Parts by initial weights, random ones first."""
    names = sorted({part.start for part in parts}, key=lambda name: (name != "initial", name))
    return {name: [part for part in parts if part.start == name] for name in names}


def rho_section(record: Record) -> str:
    """Whether rho predicts the effect of a step on the hyper-validation loss."""
    parts = rho_parts(record)
    if not parts:
        return ""
    header = ["k", "draw", "starts from", "batches", "Spearman (95 % CI)", "loss fell %"]
    ordered = sorted(parts, key=lambda p: (p.k, p.draw, p.start))
    by_start = starts(parts)
    return "\n\n".join(
        [
            "## Does rho predict what a step does?",
            "GradMix trusts a mini-batch by its rho, the sum over layers of the cosine between the "
            "mixed source gradient and V's (Eq. 8). Here the trunk takes a plain step with a batch "
            "(no momentum, no adaptive rate, of the gradient's own length), the change of the loss "
            "on hyper-validation is recorded, and the step is undone. At the random weights, batch "
            "normalisation has seen the sources before. A negative correlation means that rho is "
            "valid. "
            "[ForkMerge](https://arxiv.org/abs/2301.12618) doubts that gradient cosines are.",
            picture(
                "rho",
                "Change of the hyper-validation loss against rho, a dot for each mini-batch: "
                + "; ".join(
                    f"{STARTS.get(name, name)}, {_correlation_text(by_start[name])}"
                    for name in by_start
                )
                + ".",
            ),
            markdown_table(header, [_rho_line(part) for part in ordered], left=(0, 2)),
            _rho_finding(by_start),
            how_to_read("rho"),
            "### Layer by layer",
            markdown_table(
                ["layer", *(STARTS.get(name, name) for name in by_start)],
                list(_layer_lines(by_start)),
            ),
            "Mean rank correlation over draws and k, and its range.",
            how_to_read("rho layers"),
        ]
    )


def size_section(record: Record) -> str:
    """Effect of the number of hyper-validation samples on the selection of a cell."""
    parts = size_parts(record)
    if not parts:
        return ""
    lines = []
    for k in sorted({part.k for part in parts}):
        of_k = [part for part in parts if part.k == k]
        for size, some in by_size(of_k).items():
            lines.append([str(k), f"{size:,}", *_size_line(of_k, some)])
    header = [
        "k",
        f"{sample_noun(record)}s",
        "subsets a draw",
        "test accuracy",
        "sd over subsets",
        "over blind",
    ]
    return "\n\n".join(
        [
            "## How large must hyper-validation be?",
            f"Test accuracy{selected_by(record)} in per cent of the grid cell that is best on a "
            "random part of hyper-validation, mean over subsets and draws. **Selection only:** the "
            "models were trained, and their best steps chosen, with the full set."
            + (" Parts are of frames: those of one clip are alike." if of_clips(record) else ""),
            picture(
                "sizes",
                "Mean test accuracy of the selected grid cell against the number of "
                f"hyper-validation {sample_noun(record)}s, a panel for each k, between the mean "
                "and the best cell. The table below has every point.",
            ),
            markdown_table(header, lines),
            "\n".join(_frames(parts)),
            how_to_read("sizes"),
        ]
    )


def by_size(parts: Sequence[SizeStudyRecord]) -> dict[int, list[SizeRecord]]:
    """Entries of every size common to these parts, ascending."""
    sizes = [{entry.size: entry for entry in part.sizes} for part in parts]
    shared = sorted(set.intersection(*(set(found) for found in sizes)))
    return {size: [found[size] for found in sizes] for size in shared}


def _correlation_text(parts: Sequence[RhoRecord]) -> str:
    """The range of the correlations in words."""
    found = [one.r for part in parts if (one := rho_correlation(part))]
    if not found:
        return "no correlation can be taken"
    return f"rank correlation {_range(found)} in {counted(len(found), 'draw')}"


def _rho_line(part: RhoRecord) -> list[str]:
    probes = part.probes
    fell = statistics.fmean(probe.change < 0 for probe in probes) if probes else None
    return [
        str(part.k),
        str(part.draw),
        str(STARTS.get(part.start, part.start)),
        str(len(probes)),
        correlation_text(rho_correlation(part)),
        percent(fell),
    ]


def _rho_finding(by_start: Mapping[str, Sequence[RhoRecord]]) -> str:
    """How many correlations are negative with an interval that excludes 0."""
    said = []
    for name, parts in by_start.items():
        found = [one for part in parts if (one := rho_correlation(part))]
        bounded = [one for one in found if one.interval]
        below = sum(one.interval[1] < 0 for one in bounded if one.interval)
        above = sum(one.interval[0] > 0 for one in bounded if one.interval)
        said.append(
            f"from {STARTS.get(name, name)} {below} of {counted(len(found), 'correlation')} lie "
            f"below 0 with their whole interval, {above} above"
        )
    return f"Valid where negative: {'; '.join(said)}."


def _layer_lines(by_start: Mapping[str, Sequence[RhoRecord]]) -> Iterator[list[str]]:
    found = {name: layer_correlations(parts) for name, parts in by_start.items()}
    for layer in dict.fromkeys(layer for layers in found.values() for layer in layers):
        yield [layer, *(_range(found[name].get(layer, [])) for name in by_start)]


def _range(values: Sequence[float]) -> str:
    if not values:
        return NONE
    mean = f"{statistics.fmean(values):+.2f}"
    return mean if len(values) < 2 else f"{mean} ({min(values):+.2f} to {max(values):+.2f})"


def _size_line(parts: Sequence[SizeStudyRecord], entries: Sequence[SizeRecord]) -> list[str]:
    reached = statistics.fmean(entry.test_accuracy for entry in entries)
    gain = reached - statistics.fmean(part.mean for part in parts)
    spread = statistics.fmean(entry.deviation for entry in entries)
    counts = dict.fromkeys(f"{entry.selections:,}" for entry in entries)
    return [
        " or ".join(counts),
        percent(reached),
        percent(spread) if _repeated(entries) else NONE,
        f"{100 * gain + 0.0:+.2f}",
    ]


def _repeated(entries: Sequence[SizeRecord]) -> bool:
    """Whether there are several subsets, unlike for the whole set."""
    return all(entry.selections > 1 for entry in entries)


def _frames(parts: Sequence[SizeStudyRecord]) -> Iterator[str]:
    """Bounds of any selection: a random and the best cell."""
    for k in sorted({part.k for part in parts}):
        of_k = [part for part in parts if part.k == k]
        blind, best = (
            percent(statistics.fmean(values))
            for values in ([part.mean for part in of_k], [part.best for part in of_k])
        )
        yield (
            f"- k = {k}: a cell picked at random has {blind} % (mean of the "
            f"cells), the best cell on the test split {best} % "
            f"(mean over {counted(len(of_k), 'draw')})."
        )
