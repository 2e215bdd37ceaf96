"""A web server of MTA-STS policies on port 443 of 127.0.0.1: it gives what it is told to give, well or badly."""

from checks import await_true
from tls import server_context
from web import Answer, WebServer

TEXT = "text/plain; charset=utf-8"


def Page(body="", status=200, type=TEXT, headers=None, **more):  # pylint: disable=invalid-name,redefined-builtin  -- a kind of Answer
    """What a host gives: an Answer with that Content-Type; None: it is not said."""
    return Answer(status, body, {"Content-Type": type, **(headers or {})}, **more)


def policy(*hosts, mode="enforce", age=604800):
    """The text of a policy."""
    return "".join(f"{line}\r\n" for line in ("version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), f"max_age: {age}"))


class PolicyServer(WebServer):
    """`pages` by host (Host: without a port); `pairs` by name of the handshake, if it is not the first. `requests`: (host, path)."""

    def __init__(self, pair, port=443):
        self.pages, self.requests, self.pairs = {}, [], {}
        super().__init__(pair, port)
        self.server.context.sni_callback = self._choose

    def answer(self, request):
        """The page of the host that is asked."""
        host = request.headers.get("Host", "")
        self.requests.append((host, request.path))
        return self.pages.get(host, Page("no such host", 404))

    def _choose(self, sock, name, _context):
        if name in self.pairs:
            sock.context = server_context(self.pairs[name])

    def count(self, host):
        """How many requests came for it."""
        return sum(1 for asked, _ in list(self.requests) if asked == host)

    def await_requests(self, host, count):
        """Wait until so many have come."""
        await_true(lambda: self.count(host) >= count, lambda: f"{count} requests for {host}, {self.count(host)} came")
