"""The start of the report: which model to use, how good it is, and how to use it."""

from data.counting import counted
from tasks.models.figures import percent, standard_error
from tasks.reporting.evidence import evidence_line
from tasks.reporting.measures import measures, of_clips
from tasks.reporting.record import Record
from tasks.reporting.records.rows import ChampionRecord


def champion_section(record: Record) -> str:
    """The model to use: figures, folder and command; empty for older records."""
    champion = record.champion
    if champion is None:
        return ""
    evidence = evidence_line(record)
    return "\n\n".join(
        [
            f"**Use this model: {champion.row}{_drawn(record, champion)}.** "
            f"{_figures(record, champion)} It is in `{champion.folder}/` next to this report, "
            f"with a card, and in MLflow as `{champion.registered}`.",
            *([evidence] if evidence else []),
            f"```\ngradmix predict {record.name} FOLDER --out labels.csv\n```",
        ]
    )


def _drawn(record: Record, champion: ChampionRecord) -> str:
    """The V it was trained with, if there are several."""
    return f", k = {champion.k}, draw {champion.draw}" if record.labelled is None else ""


def _figures(record: Record, champion: ChampionRecord) -> str:
    error = standard_error(champion.accuracy, champion.n)
    noun = "clip" if of_clips(record) else "image"
    size = f" ± {100 * error:.1f} ({counted(champion.n or 0, noun)})" if error is not None else ""
    best = (
        f"the best of {counted(champion.compared, 'model')} by that figure, which flatters it"
        if champion.compared > 1
        else "the only model that was compared"
    )
    said = f"Hyper-validation accuracy {percent(champion.accuracy)}{size}: {best}."
    tested = [
        f"{percent(accuracy)} of {measure.count(champion) or 0:,} {measure.noun}s"
        for measure in measures(record)
        if (accuracy := measure.accuracy(champion)) is not None
    ]
    return f"{said} Test accuracy {', '.join(tested)}, which chose nothing." if tested else said
