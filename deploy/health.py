"""Checks whether a server answers and a port is free."""

import errno
import socket
import ssl

import httpx

_TIMEOUT_S = 2.0


def answers(url: str) -> bool:
    """Whether a GET request to a URL is answered with 200, without proxies."""
    # Certificates of the system and SSL_CERT_FILE, which are only needed for https.
    certificates = ssl.create_default_context() if url.startswith("https:") else False
    try:
        answer = httpx.get(url, trust_env=False, verify=certificates, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False
    return answer.status_code == httpx.codes.OK


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on a port now.

    Raises:
        OSError: if the host is not an address of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as tried:
        # As servers do, so that a recently closed socket does not block the port.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True
