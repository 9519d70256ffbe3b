"""Every command, option, extra and variable that a message names is there."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

from deploy.cli import main

ROOT = Path(__file__).parents[3]
FILES = [
    *(
        path
        for room in ("data", "tasks", "flows", "deploy")
        for path in (ROOT / room).rglob("*.py")
    ),
    ROOT / "gradmix_launcher.py",
]
# Of other programs: MLflow, uvicorn, Prefect, git.
THEIRS = {
    *("--backend-store-uri", "--factory", "--lifespan", "--log-level", "--port"),
    *("--env-manager", "--install-policy", "--limit", "--name", "--pool", "--type"),
    *("--porcelain", "--untracked-files"),
}


def said_in(path):
    """The strings of a module that are no docstrings; an f-string with a blank for each value."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in documents or id(node) in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else " " for p in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def said():
    """The strings of every module, read when first needed, as collecting tests waits for none."""
    return {path: list(said_in(path)) for path in FILES}


def found(pattern):
    """What a pattern's group finds in any message, with the module that says it."""
    return {
        (match, str(path.relative_to(ROOT)))
        for path, texts in said().items()
        for text in texts
        for match in re.findall(pattern, text)
    }


def test_commands_that_messages_name_are_commands():
    named = found(r"(?:^|[ :;(])gradmix ([a-z]+)\b")
    # "a gradmix home", "another gradmix process works", "made by gradmix that".
    words = {"command", "home", "process", "that", "works"}
    assert {name for name, _ in named} >= {"up", "deploy", "reproduce", "status"}
    assert [entry for entry in sorted(named) if entry[0] not in {*main.commands, *words}] == []


def test_options_that_messages_name_are_options():
    options = {
        option
        for command in main.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    named = found(r"(?<![\w-])(--[a-z][a-z-]+)")
    assert {name for name, _ in named} >= {"--home", "--data", "--out", "--join"}
    assert [e for e in sorted(named) if e[0] not in {*options, *THEIRS, "--help"}] == []


def test_extras_that_messages_name_are_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = found(r"pip install 'gradmix\[(\w+)\]'")
    assert "s3" in {name for name, _ in named}
    assert {name for name, _ in named} <= set(project["optional-dependencies"])


def test_variables_that_messages_name_are_in_the_documents():
    named = {name for name, _ in found(r"\b(GRADMIX_[A-Z]+)\b")}
    documents = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md"))
    assert {"GRADMIX_HOME", "GRADMIX_STORAGE"} <= named
    # Set by workers, for their jobs.
    assert [name for name in sorted(named) if name not in documents] == []
