"""A headless Chromium, driven through its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import connect

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_S = 60
KEYS = {"Enter": (13, "\r"), " ": (32, " "), "ArrowRight": (39, None), "ArrowDown": (40, None)}


class Tab:
    """A tab of the browser."""

    def __init__(self, address):
        self._socket, self._number = connect(address, max_size=None), 0
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method, **parameters):
        """The result of a DevTools method."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def size(self, width, height, *, dark=False, scale=1):
        """Set the size of the screen, and the colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=width < 600,
        )  # fmt: skip
        value = "dark" if dark else "light"
        feature = {"name": "prefers-color-scheme", "value": value}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, address):
        """Go to an address."""
        self.call("Page.navigate", url=address)

    def get(self, expression):
        """The value of JavaScript."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression):
        """Wait until JavaScript is true; returns its value."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if value := self.get(f"(() => {{ try {{ return {expression}; }} catch {{}} }})()"):
                return value
            time.sleep(0.05)
        raise AssertionError(
            f"expected {expression}; message: {self.get('document.body.innerText')}"
        )

    def key(self, name):
        """Press a key."""
        code, text = KEYS[name] if name in KEYS else (ord(name.upper()), name)
        same = {"key": name, "windowsVirtualKeyCode": code}
        down = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **same, **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def click(self, selector):
        """Click in the middle of an element."""
        x, y = self.get(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        same = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **same)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **same)

    def picture(self, path):
        """Write what is on screen as PNG."""
        content = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(content))


@contextmanager
def browser(folder):
    """A tab of a new browser, with a profile of its own in the folder."""
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
        f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank",
    ]  # fmt: skip
    log = Path(folder) / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        port = _port(Path(folder) / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            tabs = json.load(answer)
        yield Tab(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
    finally:
        process.kill()
        process.wait()


def _port(path):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if path.exists() and (lines := path.read_text().split()):
            return lines[0]
        time.sleep(0.1)
    raise AssertionError("expected Chromium to start.")
