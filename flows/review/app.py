"""The review page over HTTP: one page, the images of one run, and decisions on them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from os.path import commonpath
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from data.errors import UserError, one_line
from data.readers.corrections import DECISIONS
from flows.review.access import Access, OnlyTheOwner
from flows.review.decisions import Decided, Decisions, RefusedError
from flows.review.gallery import Gallery
from flows.review.thumbnails import SIDES, Thumbnails
from tasks.pages import render, template_text

MOST_BYTES = 10_000
"""Maximum bytes of a request; a decision needs a few dozen."""
KEEP = "private, max-age=86400"


def review_app(
    gallery: Gallery,
    decisions: Decisions,
    thumbnails: Thumbnails,
    suggested: Sequence[int],
    access: Access,
) -> Starlette:
    """Create the application.

    Args:
        gallery: images to show.
        decisions: records and saves decisions.
        thumbnails: thumbnails of the gallery.
        suggested: images to label next, in order.
        access: port and token.
    """
    page = _Page(gallery, decisions, thumbnails, suggested)
    routes = [
        Route("/", page.start),
        Route("/review.js", _file("review.js", "text/javascript")),
        Route("/style.css", _file("style.css", "text/css")),
        Route("/api/images", page.images),
        Route("/image/{size}/{image:int}", page.image),
        Route("/api/decide", page.decide, methods=["POST"]),
        Route("/api/undo", page.undo, methods=["POST"]),
    ]
    handlers: dict[Any, Callable[..., Response]] = {UserError: _refused, OSError: _failed}
    return Starlette(
        routes=routes,
        middleware=[Middleware(OnlyTheOwner, access=access)],
        exception_handlers=handlers,
    )


class _Page:
    """Handlers of the routes."""

    def __init__(
        self,
        gallery: Gallery,
        decisions: Decisions,
        thumbnails: Thumbnails,
        suggested: Sequence[int],
    ) -> None:
        self._gallery, self._decisions = gallery, decisions
        self._thumbnails, self._suggested = thumbnails, list(suggested)

    # Not `async`: Starlette then uses threads, so that images do not wait for each other.
    def start(self, _: Request) -> Response:
        return HTMLResponse(render("review.html", title=self._gallery.title))

    def images(self, _: Request) -> Response:
        """Predictions for all images, as one list per property."""
        said = self._gallery.opinions
        return JSONResponse(
            {
                "classes": self._gallery.classes,
                "names": _without_folder(self._gallery.names),
                "label": said.label.tolist(),
                "runner_up": said.runner_up.tolist(),
                **{
                    name: [round(value, 4) for value in getattr(said, name).tolist()]
                    for name in ("confidence", "runner_up_confidence", "agreement", "disagreement")
                },
                "next": self._suggested,
                "decisions": [asdict(one) for one in self._decisions.all],
                "table": str(self._decisions.table),
            }
        )

    def image(self, request: Request) -> Response:
        size, image = request.path_params["size"], request.path_params["image"]
        if size not in SIDES or image >= len(self._gallery):
            return _error("expected an image of this run.", 404)
        content = self._thumbnails.get(image, size)
        return Response(content, media_type="image/webp", headers={"Cache-Control": KEEP})

    async def decide(self, request: Request) -> Response:
        asked = await _body(request)
        image, decision = asked.get("image"), asked.get("decision")
        label = asked.get("label", "") or ""
        if type(image) is not int or decision not in DECISIONS or not isinstance(label, str):
            raise RefusedError(f"expected an image and one of {', '.join(DECISIONS)}.")
        return _answer(await run_in_threadpool(self._decisions.decide, image, decision, label))

    async def undo(self, request: Request) -> Response:
        await _body(request)
        one = await run_in_threadpool(self._decisions.undo)
        if one is None:
            raise RefusedError("nothing to undo since the page's server was started.")
        return _answer(one)


def _without_folder(names: Sequence[str]) -> list[str]:
    """Names without their common folder."""
    shared = commonpath(names) + "/" if len(names) > 1 and names[0].startswith("/") else ""
    return [name.removeprefix(shared) for name in names]


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise RefusedError("expected application/json.")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise RefusedError(f"expected at most {MOST_BYTES} bytes.")

    try:
        asked = json.loads(content)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise RefusedError("expected a JSON object.")
    return asked


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = template_text(name)

    def send(_: Request) -> Response:
        return Response(content, media_type=kind)

    return send


def _answer(one: Decided) -> Response:
    return JSONResponse(asdict(one))


def _error(error: str, status: int) -> Response:
    return JSONResponse({"error": error}, status)


def _refused(_: Request, error: Exception) -> Response:
    """Report an error that the user can fix, such as an unknown class."""
    return _error(one_line(error), 422)


def _failed(_: Request, error: Exception) -> Response:
    """Report that the disk failed, so nothing was decided."""
    return _error(f"not saved: {one_line(error)}", 507)
