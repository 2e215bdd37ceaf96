#!/usr/bin/python3
"""Access tokens (transfer/token.h) from a real https endpoint: what it is asked, what is taken from it, and how it fails."""

import contextlib
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from driver import Driver  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Certificates, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position
from tokens import Account, Answer, TokenEndpoint  # noqa: E402  pylint: disable=wrong-import-position

CERTIFICATES = Certificates()
PAIR = CERTIFICATES.make("endpoint")
NO_TOKEN = "454 4.7.0 OAuth client {}: its token endpoint gave no token: "
SECRET, REFRESH, SCOPE = "s3cret & more+%", "1//0refresh/~token", "https://mail.example/.default offline"


def run_sql(driver, statement):
    """A change behind the driver's back."""
    with contextlib.closing(sqlite3.connect(driver.database, timeout=30)) as database, database:
        database.execute(statement)


class Tokens(Driver):
    """transfer/token in a process of its own."""

    def __init__(self, env=None, beside=None):
        super().__init__("token_driver", lambda database: [os.path.join(os.path.dirname(database), "secret.key"), CERTIFICATES.ca], beside, env)

    def add(self, endpoint, name="work", client="id-1", secret=SECRET, refresh="", scope=""):
        """A client in the database."""
        equal(self.say("add", name, getattr(endpoint, "url", endpoint), client, secret, refresh, scope), "ok", "oauth add")

    def get(self, name="work"):
        """A token, with `ok ` in front, or the status."""
        return self.say("get", name)


@contextlib.contextmanager
def place(**more):
    """An endpoint with one account by refresh token, `id-1`, and one by client credentials, `id-2`; and a driver that knows both."""
    accounts = {"id-1": Account(SECRET, REFRESH), "id-2": Account("other", scope=SCOPE)}
    with TokenEndpoint(PAIR, accounts, **more) as endpoint, Tokens() as driver:
        driver.add(endpoint, refresh=REFRESH)
        driver.add(endpoint, "service", "id-2", "other", scope=SCOPE)
        yield endpoint, driver


def refused(endpoint, driver, answer, *words):
    """With this answer there is no token, and the status says why."""
    endpoint.script = [answer]
    got = driver.get()
    check(got.startswith("454 4.7.0 OAuth client work: "), f"expected 454, got {got!r}")
    check(all(word in got for word in words), f"expected {words} in {got!r}")
    return got


def test_a_refresh_token_gets_an_access_token():
    """RFC 6749 section 6: what is sent, and that one token is enough for many logins."""
    with place() as (endpoint, driver):
        equal([driver.get() for _ in range(3)], ["ok token-1"] * 3, "tokens")
        equal(endpoint.requests, [{"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "id-1", "client_secret": SECRET}],
              "requests")
        equal(driver.say("stored", "work"), REFRESH, "stored refresh token")
        equal(driver.log(), "", "log")


def test_client_credentials_get_an_access_token():
    """RFC 6749 section 4.4, with a scope; a refresh token in the answer is not kept."""
    with place() as (endpoint, driver):
        endpoint.more = {"refresh_token": "surprise"}
        equal(driver.get("service"), "ok token-1", "token")
        equal(endpoint.requests, [{"grant_type": "client_credentials", "client_id": "id-2", "client_secret": "other", "scope": SCOPE}],
              "requests")
        equal(driver.say("stored", "service"), "", "stored refresh token")


def test_a_public_client_sends_no_secret():
    """An empty client secret is left out."""
    with place() as (endpoint, driver):
        endpoint.accounts["id-3"] = Account("", "r3")
        driver.add(endpoint, "public", "id-3", "", "r3")
        equal(driver.get("public"), "ok token-1", "token")
        equal(endpoint.requests, [{"grant_type": "refresh_token", "refresh_token": "r3", "client_id": "id-3"}], "requests")


def test_clients_have_tokens_of_their_own():
    """By name."""
    with place() as (_, driver):
        equal([driver.get("work"), driver.get("service"), driver.get("work"), driver.get("service")],
              ["ok token-1", "ok token-2", "ok token-1", "ok token-2"], "tokens")


def test_a_crowd_waits_for_one_request():
    """One thread asks, the others wait for what it gets."""
    with place() as (endpoint, driver):
        endpoint.script = [Answer(body={"access_token": "shared", "token_type": "Bearer"}, delay=0.5)]
        equal(driver.say("many", "15", "work", "work"), "ok shared\t" * 30, "tokens")
        equal(len(endpoint.requests), 1, "requests")


def test_a_crowd_shares_a_failure():
    """One request, also when it fails; and the endpoint is left alone after it."""
    with place() as (endpoint, driver):
        endpoint.script = [Answer(503, b"busy", delay=0.3)]
        answers = driver.say("many", "10", "work", "work").rstrip("\t").split("\t")
        equal(answers, [NO_TOKEN.format("work") + "HTTP status 503"] * 20, "answers")
        check(driver.get().startswith("454 "), "a token while the endpoint is left alone")
        equal(len(endpoint.requests), 1, "requests")
        equal(driver.log().count("event=token-failed"), 1, "lines")


def test_one_slow_endpoint_does_not_stop_other_clients():
    """Nobody waits for another client's token."""
    with TokenEndpoint(PAIR, {"id-1": Account(SECRET, REFRESH)}, prefix="quick-") as quick, place() as (slow, driver):
        driver.add(quick, "quick", refresh=REFRESH)
        slow.script = [Answer(body={"access_token": "late"}, delay=1)]
        equal(driver.say("many", "1", "work", "quick"), "ok quick-1\tok late\t", "tokens as they come")


def test_a_refused_token_is_replaced_once():
    """The next hop said no: another token at once, then a pause."""
    with place() as (endpoint, driver):
        equal(driver.get(), "ok token-1", "first")
        driver.say("refuse", "work", "another")
        equal(driver.get(), "ok token-1", "after the refusal of a token that is not ours")
        driver.say("refuse", "work", "token-1")
        equal(driver.get(), "ok token-2", "after a refusal")
        driver.say("refuse", "work", "token-1")
        equal(driver.get(), "ok token-2", "after a late refusal of the first")
        driver.say("refuse", "work", "token-2")
        equal(driver.get(), "454 4.7.0 OAuth client work: the next hop refuses its tokens", "after a second")
        equal(len(endpoint.requests), 2, "requests")


def test_a_new_refresh_token_is_stored_first():
    """RFC 6749 section 6: it is in the database, sealed, and is what is sent next."""
    with place() as (endpoint, driver):
        endpoint.accounts["id-1"].rotating = True
        for turn in (1, 2):
            equal(driver.get(), f"ok token-{turn}", "token")
            equal(driver.say("stored", "work"), f"refresh-{turn}", "stored refresh token")
            driver.say("refuse", "work", f"token-{turn}")
        equal([form["refresh_token"] for form in endpoint.requests], [REFRESH, "refresh-1"], "refresh tokens sent")
        with open(driver.database, "rb") as file:
            content = file.read()
        check(b"refresh-2" not in content and SECRET.encode() not in content, "a secret in the database")


def test_a_refresh_token_that_cannot_be_stored_is_kept_meanwhile():
    """The row is stored later; until then the next request has the new one."""
    with place() as (endpoint, driver):
        endpoint.accounts["id-1"].rotating = True
        run_sql(driver, "CREATE TRIGGER no BEFORE UPDATE ON oauth_clients BEGIN SELECT RAISE(ABORT, 'out of order'); END")
        equal(driver.get(), "ok token-1", "token")
        equal(driver.say("stored", "work"), REFRESH, "stored refresh token")
        driver.logged("event=token-not-stored", "client=work", "out of order")
        driver.say("refuse", "work", "token-1")
        run_sql(driver, "DROP TRIGGER no")
        endpoint.accounts["id-1"].rotating = False
        equal(driver.get(), "ok token-2", "token")
        equal(endpoint.requests[1]["refresh_token"], "refresh-1", "refresh token sent")
        equal(driver.say("stored", "work"), "refresh-1", "stored refresh token")


def test_a_refresh_token_that_another_process_renewed_is_used():
    """Two deliverers run side by side during a reload."""
    with place() as (endpoint, driver):
        endpoint.accounts["id-1"].refresh_token = "renewed"
        endpoint.script = [Answer(400, {"error": "invalid_grant"}, delay=1)]
        driver.begin("get", "work")
        endpoint.await_requests(1)
        with Tokens(beside=driver) as other:
            equal(other.say("update", "work", "renewed"), "ok", "stored by another process")
        equal(driver.answer(), "ok token-1", "token")
        equal([form["refresh_token"] for form in endpoint.requests], [REFRESH, "renewed"], "refresh tokens sent")
        equal(driver.log(), "", "log")


def test_a_refused_grant_says_what_to_do():
    """invalid_grant: temporary, and a warning for the administrator."""
    with place() as (endpoint, driver):
        endpoint.accounts["id-1"].refresh_token = "another"
        equal(driver.get(), NO_TOKEN.format("work") + "invalid_grant: Token has been expired or revoked.", "answer")
        driver.logged("level=warning", "event=token-refused", "client=work", "tmail oauth update", "invalid_grant")
        check(REFRESH not in driver.log() and SECRET not in driver.log(), "a secret in the log")


def test_errors_are_said():
    """The words of RFC 6749 section 5.2, printable; never a secret."""
    with place() as (endpoint, driver):
        driver.add(endpoint, "wrong", "id-1", "guess", REFRESH)
        equal(driver.get("wrong"), NO_TOKEN.format("wrong") + "invalid_client: Unknown client or wrong secret", "answer")
        said = refused(endpoint, driver, Answer(400, {"error": "invalid_grant", "error_description": f"a\r\nb\x1b {REFRESH}"}))
        check(REFRESH not in said and REFRESH not in driver.log(), f"a secret in {said!r}")
        check("event=token-refused" in driver.log(), "no event")


def test_answers_that_are_no_token():
    """Malformed, oversized, of another type, redirects: refused, with a reason."""
    table = [
        (Answer(body=b"<html>"), "no JSON object"),
        (Answer(body=b'{"access_token":"a","access_token":"b"}'), "no JSON object"),
        (Answer(body=b'{"access_token":"a\\r\\nRSET"}'), "other bytes"),
        (Answer(body={"access_token": "a" * 8193}), "too long"),
        (Answer(body={"access_token": "a", "token_type": "mac"}), "another type than Bearer"),
        (Answer(body=b" " * 70000), "the answer is too long"),
        (Answer(body=b"x" * 4096, endless=True), "the answer is too long"),
        (Answer(headers={f"X-{number}": "y" * 6000 for number in range(20)}), "the header of the answer is too long"),
        (Answer(500, b""), "HTTP status 500"),
        (Answer(close=True), "no answer"),
    ]
    for answer, why in table:
        with place() as (endpoint, driver):
            refused(endpoint, driver, answer, why)
            equal(len(endpoint.requests), 1, f"requests ({why})")


def test_redirects_are_not_followed():
    """Our secrets go where they were meant to go."""
    with place() as (endpoint, driver), TokenEndpoint(PAIR) as elsewhere:
        for status in (301, 307, 308):
            with Tokens() as fresh:
                fresh.add(endpoint, refresh=REFRESH)
                refused(endpoint, fresh, Answer(status, b"", headers={"Location": elsewhere.url}), f"HTTP status {status}")
        equal(elsewhere.requests, [], "requests that were led away")
        equal(driver.log(), "", "log")


def test_lives_are_kept_within_bounds():
    """A token for no time is used for a minute, one for ever for a day: neither is fetched at every login."""
    for life in (0, -1, "60", 10 ** 15):
        with place(expires_in=life) as (endpoint, driver):
            equal([driver.get(), driver.get()], ["ok token-1"] * 2, f"tokens with expires_in {life}")
            equal(len(endpoint.requests), 1, "requests")


def test_certificates_are_verified():
    """Another CA, another name, an expired one: no request is made."""
    stranger = Certificates()
    pairs = [(stranger.make("stranger"), "another CA"),
             (CERTIFICATES.make("elsewhere", hosts=["elsewhere.example"], ips=[]), "another name"),
             (CERTIFICATES.make("expired", expired=True), "an expired one"), (CERTIFICATES.make("self", signed_by="self"), "its own")]
    for pair, what in pairs:
        with TokenEndpoint(pair, {"id-1": Account(SECRET, REFRESH)}) as endpoint, Tokens() as driver:
            driver.add(endpoint, refresh=REFRESH)
            got = driver.get()
            check(got.startswith("454 4.7.0 OAuth client work: no answer of its token endpoint: "), f"{what}: {got!r}")
            equal(endpoint.requests, [], f"requests with {what}")


def test_the_name_may_be_an_address():
    """The address stands in the certificate."""
    with TokenEndpoint(PAIR, {"id-1": Account(SECRET, REFRESH)}, host="127.0.0.1") as endpoint, Tokens() as driver:
        driver.add(endpoint, refresh=REFRESH)
        equal(driver.get(), "ok token-1", "token")


def test_a_proxy_of_the_environment_is_not_used():
    """Nor a netrc."""
    proxies = {name: "http://127.0.0.1:1" for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy")}
    with TokenEndpoint(PAIR, {"id-1": Account(SECRET, REFRESH)}) as endpoint, Tokens(env=proxies) as driver:
        driver.add(endpoint, refresh=REFRESH)
        equal(driver.get(), "ok token-1", "token")


def test_an_endpoint_that_is_not_there():
    """Temporary, with a reason."""
    with place() as (endpoint, driver):
        endpoint.done()
        check("no answer of its token endpoint: " in driver.get(), driver.log())
        driver.logged("event=token-failed", "client=work")


def test_a_client_that_is_not_there():
    """Says so, and is found as soon as it is."""
    with place() as (endpoint, driver):
        equal(driver.get("nobody"), "454 4.7.0 there is no OAuth client nobody", "answer")
        driver.add(endpoint, "nobody", refresh=REFRESH)
        equal(driver.get("nobody"), "ok token-1", "token")


def test_a_database_that_cannot_be_read():
    """Temporary, and mended at once."""
    with place() as (_, driver):
        run_sql(driver, "ALTER TABLE oauth_clients RENAME TO gone")
        check(driver.get().startswith("454 4.7.0 OAuth client work: "), "no 454")
        run_sql(driver, "ALTER TABLE gone RENAME TO oauth_clients")
        equal(driver.get(), "ok token-1", "token")


def test_slow_answers_are_waited_for():
    """As long as they come within the time."""
    with place() as (endpoint, driver):
        endpoint.script = [Answer(body={"access_token": "late"}, delay=2)]
        start = time.monotonic()
        equal(driver.get(), "ok late", "token")
        check(time.monotonic() - start >= 2, "it did not wait")


main()
