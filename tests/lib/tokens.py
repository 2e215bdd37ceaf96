"""A token endpoint (RFC 6749) under https: gives tokens by refresh token or client credentials, misbehaves where told to."""

import json
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from checks import PATIENCE, await_true
from tls import server_context

FORM = "application/x-www-form-urlencoded"


@dataclass
class Account:
    """A client that the endpoint knows, by its credentials or a `refresh_token`; `rotating`: each grant brings another refresh token."""

    secret: str = ""
    refresh_token: str = ""
    scope: str = ""
    rotating: bool = False


@dataclass
class Answer:
    """What one request gets instead of what it should: a JSON value or bytes, perhaps late, perhaps in pieces that never end."""

    status: int = 200
    body: object = b""
    delay: float = 0
    headers: dict = field(default_factory=dict)
    endless: bool = False
    close: bool = False


class TokenEndpoint:
    """Listens on localhost with a Pair of certificates.py. `accounts` by client id; `requests` are the forms that came, in order.

    `script` is a list of Answers (None: as usual) for the next requests. Tokens are PREFIX1, PREFIX2, …; `more` goes into
    every good answer.
    """

    def __init__(self, pair, accounts=None, expires_in=3600, prefix="token-", host="localhost", version=None):
        self.accounts, self.expires_in, self.prefix = accounts or {}, expires_in, prefix
        self.requests, self.failures, self.script, self.more = [], [], [], {}
        self.issued = 0
        self.lock = threading.Lock()
        endpoint = self

        class Handler(_Handler):
            """Of this endpoint."""
            owner = endpoint

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.server.context = server_context(pair, version)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"https://{host}:{self.port}/oauth2/token"
        self.ended = threading.Event()
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

    def await_requests(self, count):
        """Wait until so many forms have come."""
        await_true(lambda: len(self.requests) >= count, lambda: f"{count} requests, {len(self.requests)} came")

    def answer(self, form):
        """The Answer to a form."""
        with self.lock:
            self.requests.append(form)
            scripted = self.script.pop(0) if self.script else None
            return scripted if scripted is not None else self._grant(form)

    def _grant(self, form):
        account = self.accounts.get(form.get("client_id"))
        if account is None or form.get("client_secret", "") != account.secret:
            return self._refuse(401, "invalid_client", "Unknown client or wrong secret")
        expected = {"grant_type", "client_id"} | ({"client_secret"} if account.secret else set()) | ({"scope"} if account.scope else set())
        grant = "refresh_token" if account.refresh_token else "client_credentials"
        if account.refresh_token:
            expected.add("refresh_token")
        if set(form) != expected or form["grant_type"] != grant:
            return self._refuse(400, "invalid_request", f"expected {sorted(expected)}, got {sorted(form)}")
        if form.get("scope", "") != account.scope:
            return self._refuse(400, "invalid_scope", "Unknown scope")
        if form.get("refresh_token", "") != account.refresh_token:
            return self._refuse(400, "invalid_grant", "Token has been expired or revoked.")
        return Answer(body=self._token(account))

    def _token(self, account):
        self.issued += 1
        token = {"access_token": f"{self.prefix}{self.issued}", "token_type": "Bearer", "expires_in": self.expires_in}
        if account.rotating:
            account.refresh_token = f"refresh-{self.issued}"
            token["refresh_token"] = account.refresh_token
        return token | self.more

    @staticmethod
    def _refuse(status, error, description):
        return Answer(status, {"error": error, "error_description": description})


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

    def do_POST(self):  # pylint: disable=invalid-name  -- http.server wants it
        """A token request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True))
        if self.headers.get("Content-Type") != FORM or self.path != "/oauth2/token":
            form["problem"] = f"{self.path} {self.headers.get('Content-Type')}"
        self._give(self.owner.answer(form))

    def _give(self, answer):
        if self.owner.ended.wait(answer.delay) or answer.close:
            self.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.endless:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        while answer.endless and not self.owner.ended.is_set():
            self.wfile.write(body)
            time.sleep(0.001)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin  -- http.server's name
        """Nothing on the test's output."""
