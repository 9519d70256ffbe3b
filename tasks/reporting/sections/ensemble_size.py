"""Figure 4: effect of the number of models in the ensemble."""

from collections.abc import Mapping, Sequence

from data.counting import counted
from tasks.reporting.measures import selected_by
from tasks.reporting.record import Record
from tasks.reporting.records.labels import EnsembleRecord
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import NONE, asked, estimate_text, signed
from tasks.reporting.stats.estimates import Estimate, estimate
from tasks.reporting.text_tables import markdown_table

DISAGREEMENTS = {"soft_disagree": "soft labels", "hard_disagree": "hard labels"}
"""Shares of clips whose frames are labelled differently, by kind of label."""


def swept(record: Record, k: int) -> dict[int, dict[int, float]]:
    """Test accuracy in per cent at one k, by R and draw, both ascending, without unscored ones."""
    found: dict[int, dict[int, float]] = {}
    for entry in sorted(record.ensembles, key=lambda e: (e.r, e.draw)):
        if entry.k == k and entry.test_accuracy is not None:
            found.setdefault(entry.r, {})[entry.draw] = 100 * entry.test_accuracy
    return found


def swept_k(record: Record) -> list[int]:
    """Every k that has a scored ensemble, ascending."""
    ks = sorted({entry.k for entry in record.ensembles})
    return [k for k in ks if swept(record, k)]


def against_main(found: Mapping[int, Mapping[int, float]], r: int, main: int) -> Estimate | None:
    """Accuracy with R members minus that with the main number, on the draws that both have."""
    shared = sorted(found[r].keys() & found.get(main, {}).keys())
    if r == main or not shared:
        return None
    return estimate([found[r][draw] - found[main][draw] for draw in shared])


def sweep_section(record: Record) -> str:
    """Figure 4, and the differences between its points."""
    ks = swept_k(record)
    if not ks or not asked(record, "figures", 4):
        return ""
    main = record.settings["ensemble"]["r"]
    header = ["k", "R", "test accuracy", "draws", f"minus R = {main}", "95 % CI"]
    lines = [
        [str(k), str(r), *_line(found, r, main)]
        for k in ks
        for found in [swept(record, k)]
        for r in found
    ]
    return "\n\n".join(
        [
            "## Figure 4: number of models in the ensemble",
            f"Test accuracy{selected_by(record)} in per cent, mean ± s.e. over draws, of the final "
            "model trained with the hard labels of the best R grid cells. The cells are trained "
            "once, whatever R is. The paper only shows this figure as a picture; in its words, R = "
            f"3 has the best overall performance. Here R = {main} was fixed before; the figure "
            "affects nothing.",
            picture(
                "figure-4",
                "Test accuracy against the number R of models in the ensemble, with bars of one "
                f"standard error, a line for each k ({', '.join(map(str, ks))}). "
                "The table below has every point.",
            ),
            markdown_table(header, lines),
            how_to_read("figure 4"),
        ]
    )


def ensemble_audit(record: Record) -> list[str]:
    """Coverage and precision by R."""
    entries = record.ensembles
    groups: dict[tuple[int, int], list[EnsembleRecord]] = {}
    for entry in sorted(entries, key=lambda e: (e.k, e.r, e.draw)):
        groups.setdefault((entry.k, entry.r), []).append(entry)
    if not groups:
        return []
    of_clips = all(entry.clips for entry in entries)
    lines = [
        [str(k), str(r), str(len(some)), *_means(some), *(_clip_means(some) if of_clips else [])]
        for (k, r), some in groups.items()
    ]
    header = ["k", "R", "draws", "coverage %", "precision %", "soft labels right %"]
    header += [f"{said} differ in a clip %" for said in DISAGREEMENTS.values() if of_clips]
    return [
        "### Effect of R",
        f"Mean ± s.e. over draws ({counted(len(entries), 'ensemble')}).",
        markdown_table(header, lines),
        how_to_read("audit of r"),
    ]


def _means(entries: Sequence[EnsembleRecord]) -> list[str]:
    return [
        _mean([entry.coverage for entry in entries]),
        _mean([entry.precision for entry in entries]),
        _mean([entry.soft_accuracy for entry in entries]),
    ]


def _clip_means(entries: Sequence[EnsembleRecord]) -> list[str]:
    found = [entry.clips for entry in entries if entry.clips]
    return [
        _mean([clips.soft_disagree for clips in found]),
        _mean([clips.hard_disagree for clips in found]),
    ]


def _mean(shares: Sequence[float | None]) -> str:
    values = [100 * share for share in shares if share is not None]
    return estimate_text(estimate(values)) if values else NONE


def _line(found: Mapping[int, Mapping[int, float]], r: int, main: int) -> list[str]:
    values = list(found[r].values())
    pair = against_main(found, r, main)
    interval = pair.interval if pair else None
    return [
        estimate_text(estimate(values)),
        str(len(values)),
        signed(pair.mean) if pair else NONE,
        f"{signed(interval[0])} to {signed(interval[1])}" if interval else NONE,
    ]
