"""HTML pages, rendered from templates with one style sheet."""

from jinja2 import Environment, PackageLoader, StrictUndefined

_TEMPLATES = Environment(
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
    return _TEMPLATES.get_template(template).render(**values)


def template_text(name: str) -> str:
    """Raw text of a file under `templates/`, such as the style sheet."""
    assert _TEMPLATES.loader is not None  # noqa: S101 - given above
    return _TEMPLATES.loader.get_source(_TEMPLATES, name)[0]
