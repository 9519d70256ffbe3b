"""LaTeX in the pages to MathML, which browsers draw by themselves.

Sources are written as GitHub reads them: ```` ```math ```` blocks, and ``$`x`$`` in a line.
"""

import html
import re

from latex2mathml.converter import convert

BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$<code>(.*?)</code>\$")


def with_blocks(markdown: str) -> str:
    """Markdown with its blocks of LaTeX as MathML."""
    return BLOCK.sub(
        lambda found: f'<div class="equation">{mathml(found[1], "block")}</div>', markdown
    )


def with_inline(page: str) -> str:
    """A page's HTML with its LaTeX in lines as MathML."""
    return INLINE.sub(lambda found: mathml(html.unescape(found[1]), "inline"), page)


def mathml(latex: str, display: str) -> str:
    """One formula."""
    return convert(latex.strip(), display=display)
