"""A headless Chromium that is spoken to through two pipes (the DevTools protocol)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self, cast

__all__ = ["BROWSER", "Chromium"]

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe")
# The browser speaks on the descriptors 3 and 4.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """A browser with one page.

    Args:
        profile: Folder for what the browser keeps; a new one.
    """

    def __init__(self, profile: Path) -> None:
        if BROWSER is None:
            raise SystemExit("this needs Chromium or Chrome, and none is installed")
        to_read, self.to_browser = _high_pipe()
        self.from_browser, to_write = _high_pipe()
        places = [str(to_read), str(to_write)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *places, BROWSER, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.rest = b""
        self.session: str | None = None

    def __enter__(self) -> Self:
        """Open an empty page."""
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self.session = cast(str, self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        return self

    def __exit__(self, *_: object) -> None:
        """End the browser."""
        os.close(self.to_browser)
        os.close(self.from_browser)
        self.process.terminate()
        self.process.wait(timeout=30)

    def say(self, method: str, **parameters: object) -> Mapping[str, object]:
        """Send a command and return its result."""
        self.number += 1
        message: dict[str, object] = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                came = os.read(self.from_browser, 1 << 20)
                if not came:
                    raise SystemExit("the browser has gone")
                self.rest += came
            line, self.rest = self.rest.split(b"\0", 1)
            reply = cast("dict[str, object]", json.loads(line))
            if reply.get("id") == self.number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return cast("Mapping[str, object]", reply["result"])

    def value(self, script: str) -> object:
        """Return what a script (or its promise) gives."""
        found = self.say("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return cast("Mapping[str, object]", found["result"]).get("value")

    def press(self, key: str) -> None:
        """Press a key."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        self.say("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.say("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Write a text where the cursor is."""
        self.say("Input.insertText", text=text)

    def size(self, width: int, height: int = 900) -> None:
        """Give the page so many pixels."""
        self.say("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def until(self, script: str, seconds: float = 60) -> None:
        """Wait until a script gives something true."""
        deadline = time.monotonic() + seconds
        while not self.value(f"!!({script})"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {seconds} s: {script}")
            time.sleep(0.01)

    def picture(self, path: Path, *, width: int, height: int) -> None:
        """Save what is shown as PNG."""
        self.size(width, height)
        data = self.say("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(cast(str, data)))


def _high_pipe() -> tuple[int, int]:
    """Make a pipe whose ends are not 3 or 4, which the browser's own ends are going to be."""
    low = os.pipe()
    ends = fcntl.fcntl(low[0], fcntl.F_DUPFD, 20), fcntl.fcntl(low[1], fcntl.F_DUPFD, 20)
    for end in low:
        os.close(end)
    return ends
