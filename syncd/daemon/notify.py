"""What systemd is told: datagrams on `$NOTIFY_SOCKET`, as in sd_notify(3). Without a socket nothing happens."""

from __future__ import annotations

import contextlib
import socket

from syncd.clock import Clock


class Notifier:
    """The line to systemd. A datagram that cannot be sent is dropped: a status line must not end the daemon."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._clock = clock

    def ready(self, status: str) -> None:
        """Source, triggers, state and lease are fine: units that wait for us may start."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def reloading(self) -> None:
        """SIGHUP was heard. systemd 253 and later wait for `ready`; Debian 12's 252 only shows it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def status(self, text: str) -> None:
        """The one line that `systemctl status` shows."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The last work ends."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(1.0)
            line.sendto(text.encode(), self._address)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
