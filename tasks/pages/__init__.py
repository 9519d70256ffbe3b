"""HTML pages, rendered from templates with one style sheet."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _templates() -> "Environment":
    from jinja2 import (  # noqa: PLC0415 - slow, and most commands render nothing
        Environment,
        PackageLoader,
        StrictUndefined,
    )

    return Environment(
        loader=PackageLoader("tasks.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: object) -> str:
    """Render a self-contained page, which fetches nothing.

    Values are escaped unless the template marks them `safe`.

    Args:
        template: name of a file under `templates/`.
        values: values of its placeholders.

    Raises:
        jinja2.UndefinedError: if a placeholder has no value.
    """
    return _templates().get_template(template).render(**values)


def template_text(name: str) -> str:
    """Raw text of a file under `templates/`, such as the style sheet."""
    templates = _templates()
    assert templates.loader is not None  # noqa: S101 - given above
    return templates.loader.get_source(templates, name)[0]
