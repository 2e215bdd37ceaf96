"""A web server of MTA-STS policies on port 443 of 127.0.0.1: it gives what it is told to give, well or badly."""

import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from checks import PATIENCE, await_true
from tls import server_context

TEXT = "text/plain; charset=utf-8"


@dataclass
class Page:
    """What a host gives. `delay`: seconds before it begins; `drip`: seconds between its bytes; `endless`: the body again and again."""

    body: object = ""
    status: int = 200
    type: str = TEXT  # None: not said
    headers: dict = field(default_factory=dict)
    delay: float = 0
    drip: float = 0
    endless: bool = False
    close: bool = False


def policy(*hosts, mode="enforce", age=604800):
    """The text of a policy."""
    return "".join(f"{line}\r\n" for line in ("version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), f"max_age: {age}"))


class PolicyServer:
    """`pages` by host (Host: without a port); `pairs` by name of the handshake, if it is not the first. `requests`: (host, path)."""

    def __init__(self, pair, port=443):
        self.pages, self.requests, self.failures, self.pairs = {}, [], [], {}
        self.ended = threading.Event()
        owner_ = self

        class Handler(_Handler):
            """Of this server."""
            owner = owner_

        self.server = _Server(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.context = server_context(pair)
        self.server.context.sni_callback = self._choose
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def _choose(self, sock, name, _context):
        if name in self.pairs:
            sock.context = server_context(self.pairs[name])

    def count(self, host):
        """How many requests came for it."""
        return sum(1 for asked, _ in list(self.requests) if asked == host)

    def await_requests(self, host, count):
        """Wait until so many have come."""
        await_true(lambda: self.count(host) >= count, lambda: f"{count} requests for {host}, {self.count(host)} came")


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
    owner = None

    def do_GET(self):  # pylint: disable=invalid-name  -- http.server wants it
        """A policy is asked for."""
        host = self.headers.get("Host", "")
        self.owner.requests.append((host, self.path))
        self._give(self.owner.pages.get(host, Page("no such host", 404)))

    def _give(self, page):
        if self.owner.ended.wait(page.delay) or page.close:
            self.close_connection = True
            return
        body = page.body if isinstance(page.body, bytes) else page.body.encode()
        self.send_response(page.status)
        for name, value in {"Content-Type": page.type, **page.headers}.items():
            if value is not None:
                self.send_header(name, value)
        if page.endless:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if page.drip:
            self._drip(body, page.drip)
            return
        self.wfile.write(body)
        while page.endless and not self.owner.ended.is_set():
            self.wfile.write(body)

    def _drip(self, body, pause):
        for byte in body:
            if self.owner.ended.wait(pause):
                return
            self.wfile.write(bytes([byte]))

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin  -- http.server's name
        """Nothing on the test's output."""
