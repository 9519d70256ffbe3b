"""Links of the pages that leave `docs/`: what they point at becomes a page of the site."""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = "repository"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
SHOWN = {".md", ".py", ".toml", ".yaml", ".yml", ".txt", ".sql", ".cff", ""}


def is_elsewhere(target: str) -> bool:
    """Whether a link leaves the repository."""
    return bool(re.match(r"[a-z]+:", target))


def resolved(target: str, folder: str) -> str:
    """A link's target from the root of the repository, for a file in `folder`."""
    return posixpath.normpath(posixpath.join(folder, target))


def page_of(path: str) -> str:
    """Where the site has the file: below `docs/`, as the page's source."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    name = path if path.endswith(".md") else f"{path}.md"
    return f"{PLACE}/{name}"


def linked(text: str, folder: str) -> set[str]:
    """Files outside `docs/` that a text links to."""
    targets = (found[2] for found in LINK.finditer(text))
    paths = {resolved(target, folder) for target in targets if not is_elsewhere(target)}
    return {path for path in paths if not path.startswith("docs/") and is_shown(path)}


def is_shown(path: str) -> bool:
    """Whether the file becomes a page."""
    file = ROOT / path
    return file.is_file() and file.suffix in SHOWN


def all_linked(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Markdown of every page that is not in `docs/`, by its source's path.

    Args:
        texts: text and folder of every page in `docs/`.
    """
    pages: dict[str, str] = {}
    waiting = set().union(*(linked(text, folder) for text, folder in texts))
    while waiting:
        path = waiting.pop()
        text = (ROOT / path).read_text(encoding="utf-8")
        pages[path] = text if path.endswith(".md") else as_code(path, text)
        if path.endswith(".md"):
            waiting |= linked(text, posixpath.dirname(path)) - pages.keys()
    return pages


def as_code(path: str, text: str) -> str:
    """A page that shows a file."""
    language = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".sql": "sql"}
    return f"# {path}\n\n````{language.get(Path(path).suffix, 'text')}\n{text}\n````\n"


def with_links(text: str, folder: str, page: str) -> str:
    """A page's Markdown with its links as the site has them.

    Args:
        text: the Markdown.
        folder: of the file in the repository.
        page: the page's source below `docs/`.
    """

    def link(found: re.Match[str]) -> str:
        path = resolved(found[2], folder)
        if is_elsewhere(found[2]) or not (path.startswith("docs/") or is_shown(path)):
            return found[0]
        target = posixpath.relpath(page_of(path), posixpath.dirname(page) or ".")
        return f"{found[1]}{target}{found[3]}"

    return LINK.sub(link, text)
