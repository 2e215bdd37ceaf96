"""A wire-tap: it passes on what a gateway and a real server say to each other, and keeps the gateway's commands."""

import contextlib
import socket
import threading

from checks import PATIENCE
from wire import family_of, fresh_loopback


class Recorder:
    """Listens on a free port in front of a server at `target`, a path or (address, port). A context manager.

    `sessions` are the connections, each a list of the command lines that were sent over it; contents are left out.
    """

    def __init__(self, target):
        self.target, self.sessions = target, []
        self._sockets, self._lock = set(), threading.Lock()
        self._listener = socket.create_server((fresh_loopback(), 0), backlog=100)
        self.address, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    @property
    def endpoint(self):
        """Where it listens, as the configuration has it."""
        return f"inet:{self.address}:{self.port}"

    def done(self):
        """Close the listener and all connections."""
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def commands(self, verb=""):
        """All lines so far that begin with this verb."""
        with self._lock:
            return [line for session in self.sessions for line in session if line.upper().startswith(verb.encode())]

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near):
        far = socket.socket(family_of(self.target if isinstance(self.target, str) else self.target[0]))
        far.settimeout(PATIENCE)
        session = []
        with self._lock:
            self._sockets |= {near, far}
            self.sessions.append(session)
        with near, far, contextlib.suppress(OSError):
            far.connect(self.target)
            far.settimeout(None)
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            self._follow(near, far, session)
            back.join()

    def _follow(self, near, far, session):
        """Pass on line by line; between DATA and the dot nothing is kept (a DATA that is refused ends what is known of a session)."""
        inside = False
        with near.makefile("rb") as lines:
            for line in lines:
                if not inside:
                    with self._lock:
                        session.append(line)
                inside = line != b".\r\n" if inside else line.upper() == b"DATA\r\n"
                far.sendall(line)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
