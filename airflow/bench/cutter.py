"""A way to a server that can be cut, as a firewall or a restarted proxy cuts it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

# A connection that is closed with this goes with a reset: nobody can take it for an orderly end.
_RESET = struct.pack("ii", 1, 0)


class Cutter:
    """Passes connections on to a server, until they are cut. New ones are passed on all the same.

    :param host: of the server
    :param port: of the server
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Reset every connection there is, and give their number."""
        with self._lock:
            doomed, self._open = self._open, set()
        for s in doomed:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # What reads from it in a thread holds it open; this wakes that up, and tells the other side nothing.
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RD)
            s.close()
        return len(doomed) // 2

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._to)
            with self._lock:
                self._open |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
            if a in self._open:
                b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self) -> Cutter:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.close()
        self.cut()
