"""A token endpoint (RFC 6749) under https: gives tokens by refresh token or client credentials, misbehaves where told to."""

import json
import threading
import urllib.parse
from dataclasses import dataclass

import web
from checks import await_true

FORM = "application/x-www-form-urlencoded"


@dataclass
class Account:
    """A client that the endpoint knows, by its credentials or a `refresh_token`; `rotating`: each grant brings another refresh token."""

    secret: str = ""
    refresh_token: str = ""
    scope: str = ""
    rotating: bool = False


def Answer(status=200, body=b"", **more):  # pylint: disable=invalid-name  -- a kind of web.Answer
    """What one request gets instead of what it should: a JSON value or bytes, perhaps late, perhaps in pieces that never end."""
    return web.Answer(status, body if isinstance(body, bytes) else json.dumps(body), **more)


class TokenEndpoint(web.WebServer):
    """Listens on localhost with a Pair of certificates.py. `accounts` by client id; `requests` are the forms that came, in order.

    `script` is a list of Answers (None: as usual) for the next requests. Tokens are PREFIX1, PREFIX2, …; `more` goes into
    every good answer.
    """

    def __init__(self, pair, accounts=None, expires_in=3600, prefix="token-", host="localhost", version=None, port=0):
        self.accounts, self.expires_in, self.prefix = accounts or {}, expires_in, prefix
        self.requests, self.script, self.more = [], [], {}
        self.issued = 0
        self.lock = threading.Lock()
        super().__init__(pair, port, version)
        self.url = f"https://{host}:{self.port}/oauth2/token"

    def await_requests(self, count):
        """Wait until so many forms have come."""
        await_true(lambda: len(self.requests) >= count, lambda: f"{count} requests, {len(self.requests)} came")

    def answer(self, request):
        """The Answer to a form."""
        form = dict(urllib.parse.parse_qsl(request.content.decode(), keep_blank_values=True, strict_parsing=True))
        kind = request.headers.get("Content-Type")
        if kind != FORM or request.path != "/oauth2/token":
            form["problem"] = f"{request.path} {kind}"
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
