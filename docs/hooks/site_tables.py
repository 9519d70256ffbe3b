"""Markdown made from the code, for the markers in the pages: `<!-- made: settings gradmix -->`.

Runs where gradmix and its pipeline are installed; MkDocs needs neither, it reads what this writes:

    python docs/hooks/site_tables.py OUT.json
"""

import csv
import dataclasses
import inspect
import json
import pkgutil
import re
import statistics
import sys
import textwrap
import types
import typing
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.cli import main
from flows.experiment.settings import Experiment
from gradmix.declarations.methods import METHODS
from gradmix.methods import method_class

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs"
MARKER = re.compile(r"^<!-- made: (\w+)((?: [\w.-]+)*) -->$", re.MULTILINE)
ENTRY = re.compile(r"^(\w+): ((?:.*\n?(?:[ ]+.*\n?)*))", re.MULTILINE)
SCOPES = {"all": "all sources", "target_classes": "sources with the target's classes", "none": ""}
RESULTS = {"digits-small": "digits", "actions-small": "photos and clips"}


def meanings(cls: type) -> dict[str, str]:
    """What the `Attributes:` of a class's docstring, and those of its bases, say of each."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        listed = re.search(r"^Attributes:\n((?:[ ]{4}.*\n?|\n)+)", text, re.MULTILINE)
        if listed:
            entries = textwrap.dedent(listed[1])
            for name, said in re.findall(
                r"^(\w+): ((?:.*\n?(?:[ ]+.*\n?)*))", entries, re.MULTILINE
            ):
                found[name] = " ".join(said.split())
    return found


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in row) + " |" for row in lines)


def stacked(head: list[str], rows: list[list[str]]) -> str:
    """A table whose rows become cards on a phone: name, type and default above the meaning."""
    return f'<div class="cards" markdown>\n\n{table(head, rows)}\n\n</div>'


def escaped(cell: str) -> str:
    """A cell's text, its bars kept from ending the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", cell)


def code(text: object) -> str:
    """Text as code."""
    return f"`{text}`"


def shown(value: object) -> str:
    """A value as a file would have it."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def typed(hint: Any) -> str:
    """The type of a value, in words that a TOML file's author knows."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return typed(arguments[0])
    if origin is Literal:
        return " or ".join(shown(word) for word in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(typed(part) for part in arguments if part is not type(None))
    if origin is tuple:
        return f"array of {typed(arguments[0])}"
    plain = {bool: "true or false", int: "integer", float: "number", str: "text", dict: "table"}
    return plain.get(origin or hint, "table")


def fields_table(cls: type) -> str:
    """Settings of a dataclass: name, type, default, meaning."""
    said, hints = meanings(cls), typing.get_type_hints(cls, include_extras=True)
    rows = [
        [code(f.name), typed(hints[f.name]), code(shown(f.default)), said[f.name]]
        for f in dataclasses.fields(cls)
    ]
    return (
        stacked(["setting", "type", "default", "meaning"], rows) if rows else "It has no settings."
    )


def settings(name: str) -> str:
    """The settings of a method."""
    return fields_table(METHODS[name].config)


def facts(name: str) -> str:
    """What a method reads and where it starts, as it declares it."""
    method = METHODS[name]
    reads = [
        SCOPES[method.source_scope],
        "V" if method.uses_target else "",
        "U" if method.uses_unlabelled else "",
    ]
    rows = [["reads", ", ".join(filter(None, reads))]]
    start = method.starts_from
    rows += [
        ["starts from", f"a trained [`{start}`]({start}.md)" if start else "the trunk's weights"]
    ]
    if method.needs_map:
        rows += [["needs", "a trunk that ends in a map [B, F, h, w]"]]
    if method.unlabelled_ratio != 1:
        rows += [["mini-batch of U", f"{method.unlabelled_ratio} times a source's"]]
    module = method.implementation.partition(":")[0].replace(".", "/") + ".py"
    rows += [["version", str(method.version)], ["source", f"[`{module}`](../../{module})"]]
    return table(["", ""], rows)


def measured(name: str) -> str:
    """A method's rows in the committed results: mean and standard error over draws."""
    rows = []
    for folder, label in RESULTS.items():
        with (PAGES / "results" / folder / "results.csv").open(encoding="utf-8") as file:
            lines = [line for line in csv.DictReader(file) if line["method"] == name]
        drawn: dict[tuple[str, str], list[float]] = defaultdict(list)
        for line in lines:
            drawn[line["row"], line["k"]].append(100.0 * float(line["test_accuracy"]))
        record = json.loads((PAGES / "results" / folder / "record.json").read_text("utf-8"))
        place = f"[{label}](../results/{folder}/report.md), version {record['versions']['gradmix']}"
        paper = {(line["row"], line["k"]): line["paper_percent"] or "-" for line in lines}
        rows += [[place, *row, estimate(found), paper[row]] for row, found in drawn.items()]
    if not rows:
        return "The committed results have no row of it yet."
    return table(["experiment", "row", "k", "test accuracy, %", "paper"], rows)


def estimate(found: list[float]) -> str:
    """Mean and standard error, as in the reports."""
    error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else 0.0
    return f"{statistics.mean(found):.2f} ± {error:.2f}"


def methods() -> str:
    """All methods, each with its page and the first line of its docstring."""
    rows = []
    for name, declared in METHODS.items():
        summary = (method_class(declared).__doc__ or "").strip().partition("\n")[0]
        rows.append([f"[`{name}`]({name}.md)", summary])
    return table(["method", "what it does"], rows)


def keys() -> str:
    """Every key of an experiment file, table by table."""
    parts: list[tuple[str, type[BaseModel]]] = [("", Experiment)]
    lines = []
    while parts:
        place, model = parts.pop(0)
        rows = []
        for name, field in model.model_fields.items():
            if (place, name) == ("", "scale"):
                continue
            below, header = nested(name, field)
            if below is not None:
                parts.append((header, below))
                continue
            said = said_of(model, name)
            rows.append([code(name), typed(field.annotation), default_of(field, said), said])
        title = f"## `{place}`" if place else "## Top of the file"
        intro = inspect.cleandoc(model.__doc__ or "").partition("\n\nAttributes:")[0]
        lines += [title, intro, stacked(["key", "type", "default", "meaning"], rows)]
    return "\n\n".join(lines)


def said_of(model: type[BaseModel], name: str) -> str:
    """The meaning of a key."""
    return model.model_fields[name].description or meanings(model)[name]


def nested(name: str, field: FieldInfo) -> tuple[type[BaseModel] | None, str]:
    """The model of a table, and how the table is written; None for a plain value."""
    hint = field.annotation
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            origin = typing.get_origin(hint)
            header = {dict: f"[{name}.NAME]", tuple: f"[[{name}]]"}.get(origin, f"[{name}]")
            return part, header
    return None, ""


def default_of(field: FieldInfo, said: str) -> str:
    """A key's default; where it depends on other keys, its meaning says so."""
    if field.is_required():
        return "-" if "by default" in said else "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "-"
    return "empty" if value in ({}, (), "") else code(shown(value))


def commands() -> str:
    """Every command with its usage, arguments, options and example."""
    lines = []
    for name, command in sorted(main.commands.items()):
        context = click.Context(command, info_name=f"gradmix {name}")
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        lines += [f"## {name}", inspect.cleandoc(command.help or ""), f"```text\n{usage}\n```"]
        rows = [option_row(p, context) for p in command.params if isinstance(p, click.Option)]
        lines += [table(["option", "value", "meaning"], rows)] if rows else []
        lines += [str(command.epilog).replace("Example: ", "Example: `") + "`"]
    return "\n\n".join(lines)


def option_row(option: click.Option, context: click.Context) -> list[str]:
    """An option: names, kind of value, meaning with the default."""
    value = "" if option.is_flag else code(option.make_metavar(context))
    default = f" Default: `{option.default}`." if option.show_default and option.default else ""
    return [", ".join(map(code, option.opts)), value, (option.help or "") + default]


def source(name: str) -> str:
    """The code of a function or method, without its docstring."""
    text = textwrap.dedent(inspect.getsource(pkgutil.resolve_name(name)))
    body = re.sub(r'^([ ]+)"""(?:.|\n)*?"""\n', "", text, count=1, flags=re.MULTILINE)
    return f"```python\n{body.rstrip()}\n```"


MAKERS: dict[str, Callable[..., str]] = {
    "commands": commands,
    "facts": facts,
    "keys": keys,
    "measured": measured,
    "methods": methods,
    "settings": settings,
    "source": source,
}


def markers(text: str) -> list[tuple[str, ...]]:
    """What a page asks for: maker and arguments."""
    return [(found[1], *found[2].split()) for found in MARKER.finditer(text)]


def made(maker: str, *arguments: str) -> str:
    """The Markdown for a marker."""
    return MAKERS[maker](*arguments)


def all_made() -> dict[str, str]:
    """The Markdown for every marker of every page, by the marker's words."""
    found: dict[str, str] = {}
    for page in sorted(PAGES.rglob("*.md")):
        for words in markers(page.read_text(encoding="utf-8")):
            found[" ".join(words)] = made(*words)
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(all_made(), indent=1), encoding="utf-8")
