"""The HTML pages that are written for people, from templates and one style sheet."""

from jinja2 import Environment, PackageLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=PackageLoader("tasks.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """A page that fetches nothing from anywhere.

    Values are escaped, except where a template says `safe`.

    Args:
        template: name of a file under `templates/`.
        values: what its placeholders stand for.

    Raises:
        jinja2.UndefinedError: if a placeholder has no value.
    """
    return _TEMPLATES.get_template(template).render(**values)


def template_text(name: str) -> str:
    """A file under `templates/` as it is, such as the style sheet."""
    assert _TEMPLATES.loader is not None  # noqa: S101 - given above
    return _TEMPLATES.loader.get_source(_TEMPLATES, name)[0]
