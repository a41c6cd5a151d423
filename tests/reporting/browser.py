"""A headless Chromium over its DevTools pipe: a page is opened, asked, clicked and photographed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A page that is not drawn by then never will be.
PATIENCE_S = 60


def found() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A browser has one page; what it fetches and complains of is kept.

    requests: the addresses that it asked for. complaints: errors, and what the console said.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest = b""
        self._number = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    _session: str | None = None

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol on the page."""
        return self._call(method, **parameters)

    def show(self, path: Path, width: int = 1200, *, dark: bool = False) -> None:
        """Opens a file on a screen of a width, and waits until the first run is drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.value(
            """new Promise((done) => (function wait() {
                 const first = document.querySelector("article");
                 if (document.readyState === "complete" && first
                     && (first.dataset.open === "drawn" || !first.querySelector(".packed")))
                   requestAnimationFrame(() => requestAnimationFrame(done));
                 else setTimeout(wait, 20);
               })())"""
        )

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives, awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, x: float, y: float) -> None:
        """Presses the mouse at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )  # fmt: skip

    def photograph(self, path: Path) -> None:
        """Saves the whole page as PNG."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == command["id"]:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
            self._saw(message)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE_S)
            assert ready, f"the browser has said nothing for {PATIENCE_S} s"
            read = os.read(self._answers, 1 << 20)
            assert read, "the browser has gone"
            self._rest += read
        text, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def _saw(self, message: dict[str, Any]) -> None:
        said, name = message.get("params", {}), message.get("method")
        if name == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled" or (
            name == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning")
        ):
            self.complaints.append(json.dumps(said))


@contextmanager
def browsing(executable: str, profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, which is closed at the end."""
    to_browser, commands = os.pipe()
    answers, from_browser = os.pipe()

    def hand_over() -> None:  # the protocol's pipes are 3 and 4
        os.dup2(to_browser, 20)
        os.dup2(from_browser, 21)
        os.dup2(20, 3)
        os.dup2(21, 4)
        os.set_inheritable(3, True)
        os.set_inheritable(4, True)

    process = subprocess.Popen(
        [
            executable, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ],
        preexec_fn=hand_over, close_fds=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    try:
        browser = Browser(commands, answers)
        yield browser
        browser.call("Browser.close")
    finally:
        os.close(commands)
        os.close(answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
