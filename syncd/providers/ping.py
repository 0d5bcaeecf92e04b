"""One request to a monitor, by the same transport as all others: no redirect, no proxy, one deadline."""

from __future__ import annotations

import httpx

from syncd.providers.transport import Transport, extensions
from syncd.providers.way import Way


def ping(url: str, body: bytes | None, *, deadline: float, sockets: str = "") -> int:
    """The status of the answer; its body is not read. `deadline` is a moment (monotonic); `sockets` as in `Way`.

    A monitor may be inside the own network: it learns nothing but whether syncd is well.

    Raises `Temporary` where no answer came by the deadline, and `ValueError` for text that is no URL.
    """
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("no URL") from None
    transport = Transport(address.copy_with(path="/", query=None), Way(private=True, sockets=sockets))
    beside = extensions(deadline=deadline, reading=True, what="ping")
    request = httpx.Request("GET" if body is None else "POST", address, content=body, extensions=beside)
    try:
        answer = transport.handle_request(request)
        answer.close()
        return answer.status_code
    finally:
        transport.close()
