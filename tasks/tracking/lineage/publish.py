"""Writes that need the whole chain behind a run: its graph, and linked notes.

Each reads the store when it is sent, so that nothing is missing after an outage.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tasks.tracking.addresses import registered_address
from tasks.tracking.lineage.descriptions import NOTE, link, with_links, with_table
from tasks.tracking.lineage.graph import Node, boxes, graph, narrowed, walk
from tasks.tracking.lineage.page import lineage_page
from tasks.tracking.mlflow_store import MlflowStore

PAGE, GRAPH = "lineage.html", "lineage.json"
MADE_FROM, USED_BY, CHAMPION, FILES = "Made from", "Used by", "Champion", "Files"
REPRODUCTION = "reproduction"
NOTED = ("train", "pseudo_label", "enlarge", "select")
"""Stages whose runs get notes; earlier stages are used by everything."""


def log_lineage(
    store: MlflowStore,
    *,
    run: str,
    models: Sequence[str],
    champion: str,
    registered: str,
    ui: str,
) -> None:
    """Store the chain behind a reproduction on its run, and write notes on the runs of the chain.

    Args:
        store: store with all runs and models.
        run: the reproduction.
        models: the models whose chains are drawn.
        champion: the model to highlight.
        registered: name of the registered model it is a version of.
        ui: address of MLflow's pages.
    """
    best = store.resolve(champion)
    whole = walk(store, store.resolve(run))
    drawn = narrowed(whole, [*map(store.resolve, models), best])
    lead = "The champion and every row that was trained on U, back to the raw data."
    page = lineage_page([drawn], f"Lineage of {whole.name}", ui, lead, {best: "champion"})
    store.log_text(run=run, text=page, file=PAGE)
    store.log_text(run=run, text=json.dumps(graph(drawn), indent=1) + "\n", file=GRAPH)
    for box, lists in _notes(whole).items():
        _note(store, box, lists)
    chosen = store.model_record(best)
    version = link(f"{registered}@champion", registered_address(registered))
    _note(store, whole.key, {CHAMPION: [version, link(chosen.name, chosen.page)]})


def log_results(store: MlflowStore, *, run: str, table: str, files: Sequence[str]) -> None:
    """Put a table, and links to files, into the description of a run.

    Args:
        store: store with the run.
        run: the reproduction.
        table: Markdown.
        files: paths of the files among the run's artifacts.
    """
    record = store.run_record(run)
    links = [link(Path(file).name, record.file_page(file)) for file in files]
    key = ("run", record.run_id)
    _describe(store, key, lambda note: with_links(with_table(note, table), FILES, links))


def _notes(whole: Node) -> Mapping[tuple[str, str], Mapping[str, Sequence[str]]]:
    """Links by box and heading: what a run was made from, and who used its model or data."""
    notes: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for reader in boxes(whole):
        for thing in reader.inputs if reader.kind == "run" else ():
            maker = thing.inputs[0] if thing.inputs else None
            if reader.facts.get("stage") in NOTED:
                notes[reader.key][MADE_FROM].append(_made_from(thing, maker))
            if maker is not None and maker.facts.get("stage") in NOTED:
                used = link(_called(reader), reader.page)
                notes[maker.key][USED_BY].append(used)
                if thing.kind == "model":
                    notes[thing.key][USED_BY].append(used)
    return notes


def _called(reader: Node) -> str:
    """A run's name, with its id for reproductions, which may share a name."""
    again = reader.facts.get("stage") == REPRODUCTION
    return f"{reader.name} ({reader.id[:8]})" if again else reader.name


def _made_from(thing: Node, maker: Node | None) -> str:
    if thing.kind == "model":
        return link(thing.name, thing.page)
    return f"{thing.name} of {link(maker.name, maker.page)}" if maker else f"{thing.name}, raw"


def _note(store: MlflowStore, key: tuple[str, str], lists: Mapping[str, Sequence[str]]) -> None:
    """Bring the lines of links of a description up to date."""

    def linked(note: str) -> str:
        for heading in (MADE_FROM, USED_BY, CHAMPION):
            if heading in lists:
                note = with_links(note, heading, lists[heading])
        return note

    _describe(store, key, linked)


def _describe(store: MlflowStore, key: tuple[str, str], change: Callable[[str], str]) -> None:
    """Change a description, if there is a difference."""
    kind, box_id = key
    client = store.client
    tags = (
        client.get_run(box_id).data.tags if kind == "run" else client.get_logged_model(box_id).tags
    )
    old = tags.get(NOTE, "")
    note = change(old)
    if note == old:
        return
    if kind == "run":
        client.set_tag(box_id, NOTE, note, synchronous=True)
    else:
        client.set_logged_model_tags(box_id, {NOTE: note})
