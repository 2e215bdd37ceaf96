"""A web server under https that gives what it is told to give, well or badly: policies.py, tokens.py and others stand on it."""

import contextlib
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from checks import PATIENCE
from tls import server_context


@dataclass
class Answer:
    """What a request gets. `delay`: seconds before it begins; `drip`: seconds between its bytes; `endless`: the body again and again;
    `close`: the connection ends instead."""

    status: int = 200
    body: object = b""  # bytes or text
    headers: dict = field(default_factory=dict)
    delay: float = 0
    drip: float = 0
    endless: bool = False
    close: bool = False

    def content(self):
        """The body as bytes."""
        return self.body if isinstance(self.body, bytes) else self.body.encode()


class WebServer:
    """Listens on 127.0.0.1 with a Pair of certificates.py; a context manager. A subclass has `answer(request)`, which returns an Answer;
    `request` is the handler of http.server, with its `path`, `headers` and, for a POST, `content`. `failures` are those of handshakes."""

    def __init__(self, pair, port=0, version=None):
        self.failures, self.ended = [], threading.Event()
        self.server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"owner": self}))
        self.server.context = server_context(pair, version)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def done(self):
        """Close the socket; what is being answered ends by itself."""
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        """What this request gets."""
        raise NotImplementedError


class _Server(ThreadingHTTPServer):
    """With the handshake in the connection's own thread."""

    def finish_request(self, request, client_address):
        request.settimeout(PATIENCE)
        try:
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        except (OSError, ssl.SSLError) as error:
            self.RequestHandlerClass.owner.failures.append(str(error))


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    owner, content = None, b""

    def do_GET(self):  # pylint: disable=invalid-name  -- http.server wants it
        """A page is asked for."""
        self._give(self.owner.answer(self))

    def do_POST(self):  # pylint: disable=invalid-name  -- http.server wants it
        """Something comes."""
        self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._give(self.owner.answer(self))

    def _give(self, answer):
        if self.owner.ended.wait(answer.delay) or answer.close:
            self.close_connection = True
            return
        with contextlib.suppress(OSError):  # who asked may be gone
            self._send_head(answer)
            self._send_body(answer)

    def _send_head(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if value is not None:
                self.send_header(name, value)
        if answer.endless:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(answer.content())))
        self.end_headers()

    def _send_body(self, answer):
        for piece in ([bytes([byte]) for byte in answer.content()] if answer.drip else [answer.content()]):
            if answer.drip and self.owner.ended.wait(answer.drip):
                return
            self.wfile.write(piece)
        while answer.endless and not self.owner.ended.is_set():
            self.wfile.write(answer.content())
            time.sleep(0.001)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin  -- http.server's name
        """Nothing on the test's output."""
