"""A network that can be cut: connections to one address pass through here, byte for byte.

While it is cut, nothing passes and nobody is told, as behind a firewall that drops packets; afterwards what was held
goes on, or every connection of before is reset.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 65_536
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closed with a reset


@dataclass
class Relay:
    """Listens on loopback and passes on to `target`; `port` is where."""

    target: tuple[str, int]
    listener: socket.socket
    open: threading.Event = field(default_factory=threading.Event)
    pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def cut(self) -> None:
        """From now on nothing passes."""
        self.open.clear()

    def mend(self, *, reset: bool) -> None:
        """Everything passes again; `reset`: but for the connections of before."""
        if reset:
            pairs, self.pairs = self.pairs, []
            for each in (end for pair in pairs for end in pair):
                _drop(each)
        self.open.set()

    def close(self) -> None:
        """No more connections, and none of those of before."""
        _drop(self.listener)
        self.mend(reset=True)

    def serve(self) -> None:
        """Take connections until it is closed."""
        while True:
            try:
                here, _ = self.listener.accept()
                there = socket.create_connection(self.target, 10.0)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                continue
            there.settimeout(None)
            self.pairs.append((here, there))
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(PIECE):
                self.open.wait()
                other.sendall(piece)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
                each.close()


def _drop(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    """A relay to this address until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Relay((host, port), listener)
    made.open.set()
    threading.Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()
