"""Access control of a locally served page: the address contains a token."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Port and token of a page.

    Attributes:
        port: port on the loopback interface.
        token: token in the address, and later in the cookie.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """Address to open in a browser on this machine."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies are shared between the ports of a host."""
        return f"gradmix-review-{self.port}"

    def is_host(self, host: str) -> bool:
        """Whether a request names this server; another name would be DNS rebinding."""
        return host in {f"{name}:{self.port}" for name in NAMES}

    def is_origin(self, origin: str) -> bool:
        """Whether a request comes from our page."""
        return urlsplit(origin).scheme == "http" and self.is_host(urlsplit(origin).netloc)

    def knows(self, token: str | None) -> bool:
        """Whether this is the token; compared in constant time."""
        return secrets.compare_digest((token or "").encode(), self.token.encode())


class OnlyTheOwner:
    """Passes requests that have the token and come from this page or no page.

    Args:
        app: the protected application.
        access: port and token.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request, exchange the token for a cookie, or pass the request on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._answer(Request(scope))

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"]).mutablecopy()
                for name, value in SAFE.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                message["headers"] = headers.raw
            await send(message)

        await (answer or self._app)(scope, receive, safely)

    def _answer(self, request: Request) -> Response | None:
        """A rejection, or a redirect to the page; None if the request may pass."""
        access = self._access
        if not access.is_host(request.headers.get("host", "")):
            return _refusal("expected this server's own name.", 421)
        origin = request.headers.get("origin")
        sends = request.method not in {"GET", "HEAD"}
        if (sends or origin is not None) and not access.is_origin(origin or ""):
            return _refusal("expected a request of this page.", 403)
        given = request.query_params.get("token")
        if request.url.path == "/" and given is not None and access.knows(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(access.cookie, access.token, httponly=True, samesite="strict")
            return answer
        if not access.knows(request.cookies.get(access.cookie)):
            return _refusal("expected the address that gradmix review has printed.", 403)
        return None


def _refusal(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status)
