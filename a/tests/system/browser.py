"""Chromium without a window: what a page is once a browser laid it out."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
)


def chromium() -> str:
    """The browser; its absence is a visible skip, and a failure where `CI` is set."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI"):
        pytest.fail("no chromium, and CI is set")
    return found or pytest.skip("no chromium: apt-get install chromium")


def browse(directory: Path, url: str, *flags: str) -> str:
    """Open an address with a fresh profile; the document as it is in the end."""
    profile = directory / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [chromium(), *FLAGS, f"--user-data-dir={profile}", *flags, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@contextmanager
def served(page: str) -> Iterator[tuple[str, list[str]]]:
    """A page at an address on loopback, and every path that was asked for there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode() if self.path == "/" else b"")

        def log_message(self, *_args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def widths(directory: Path, page: str, width: int) -> tuple[int, int]:
    """How wide the page is in a window of this width, and how wide what it holds is: more means a scroll bar.

    A frame of that width, because a window without head is never narrower than 500 pixels.
    """
    script = (
        "document.getElementById('f').onload = event => {"
        "const root = event.target.contentDocument.documentElement;"
        "document.title = `${root.clientWidth} ${root.scrollWidth}`}"
    )
    frame = f'<iframe id="f" style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(page)}"></iframe>'
    (directory / "frame.html").write_text(f"<!doctype html><title></title>{frame}<script>{script}</script>")
    found = re.search(r"<title>(\d+) (\d+)</title>", browse(directory, f"file://{directory}/frame.html", "--dump-dom"))
    assert found is not None
    return int(found[1]), int(found[2])


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The colour in the corner of a screenshot; there every filter of PNG leaves the value itself."""
    data, place = b"", 8
    while place < len(png):
        length, kind = int.from_bytes(png[place : place + 4]), png[place + 4 : place + 8]
        data += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += length + 12
    red, green, blue = zlib.decompressobj().decompress(data, 4)[1:4]
    return red, green, blue
