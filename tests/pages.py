"""The pages that people read, and the blocks of code in them.

A comment on the line above a block says what the tests do with it:

- nothing: Python is run at once; commands are at least parsed, and must say why they are not run;
- `<!-- run: slow -->`: run by the slow tests, with the other blocks of the page, in their order;
- `<!-- file: NAME -->`: written to a file of that name before;
- `<!-- not run: REASON -->`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REPORTS = DOCS / "results"
FENCE = re.compile(
    r"(?:^<!-- (?P<what>run|not run|file): (?P<words>[^\n]*) -->\n)?"
    r"^(?P<ticks>```+)(?P<language>\w*)\n(?P<code>.*?)^(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
WRITTEN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "RELEASING.md")


@dataclass(frozen=True)
class Block:
    """A block of code: page, line, language, code, and what its comment says."""

    page: str
    line: int
    language: str
    code: str
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a console's block, continued lines joined."""
        return re.findall(r"^\$ (.*)$", self.code.replace("\\\n", " "), re.MULTILINE)


def _pages() -> list[str]:
    found = [path for path in DOCS.rglob("*.md") if REPORTS not in path.parents]
    return [*WRITTEN, *sorted(str(path.relative_to(ROOT)) for path in found)]


def text_of(page: str) -> str:
    """A page's Markdown."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    text = text_of(page)
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("ticks")) + 1,
            language=found["language"],
            code=found["code"],
            what=found["what"] or "",
            words=found["words"] or "",
        )
        for found in FENCE.finditer(text)
    ]


PAGES = tuple(_pages())
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
