#!/usr/bin/python3
"""RFC 7628, RFC 6749 and issue 3, item 6: mail to next hops that want a token: from `tmail oauth add` to the message that arrives, and what
becomes of mail while there is no token, or none that the next hop takes."""

import contextlib
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (PATIENCE, Certificates, Gateway, Logins, Sink, await_true,  # noqa: E402  pylint: disable=wrong-import-position
                   b64, check, equal, free_port, fresh_loopback, main)
from tokens import Account, Answer, TokenEndpoint  # noqa: E402  pylint: disable=wrong-import-position

AUTHORITY = Certificates()
PAIR = AUTHORITY.make("endpoint")
JOE, CLIENT, SECRET, REFRESH = "joe@hop.example", "id-1", "client's s3cret & more", "1//refresh~token"
MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
# As long as those of the large providers: too long for a line of AUTH (RFC 5321 4.5.3.1.4).
LONG = "x" * 1800 + "-"
# An endpoint is left alone for 30 s after a failure.
UNTIL_ASKED_AGAIN = 30 + PATIENCE


def gateway_with(**keys):
    """A gateway that relays for this host and trusts the authority of the tests, for next hops and endpoints."""
    gateway = Gateway({"TMAIL_TLS_CA_FILE": AUTHORITY.ca, "TMAIL_DELIVERD_REMOTE_TIMEOUT": "10s", **keys})
    gateway.tmail("relayip", "add", "127.0.0.1")
    return gateway


def endpoint_with(**more):
    """An endpoint with our account."""
    return TokenEndpoint(PAIR, {CLIENT: Account(SECRET, REFRESH)}, **more)


def hop(token="token-1", mechanisms=MECHANISMS, **options):
    """A next hop where joe has this token, and a certificate for its address."""
    address = fresh_loopback()
    return Sink(address, tls=AUTHORITY.make(address, hosts=[], ips=[address]), logins=Logins(list(mechanisms), JOE, token=token), **options)


def add_client(gateway, url, name="office"):
    """`tmail oauth add`, its secrets typed."""
    gateway.tmail("oauth", "add", name, "--tokenUrl", url, "--clientId", CLIENT, "--secrets", stdin=f"{SECRET}\n{REFRESH}\n")


def add_route(gateway, destination, sink, *words, name="office"):
    """A route whose login is joe's with tokens of this client."""
    gateway.route(destination, sink, "-rl", JOE, "--oauth", name, *words)


def sent(gateway, destination, recipient="b"):
    """Send a message there; return its recipient."""
    address = f"{recipient}@{destination}"
    with gateway.session() as client:
        client.mail("a@client.example", [address], b"Subject: x\r\n\r\n")
        client.quit()
    return address


def deferred(gateway, address, *words, attempts=1, patience=PATIENCE):
    """The queue's entry of a recipient that waits after so many attempts, with all these words in the reason."""
    entry = gateway.await_queue(
        lambda entries: next((entry for entry in entries if entry["recipient"] == address and entry["attempts"] == attempts
                              and entry["status"] != "in-progress"), None), f"{address} after {attempts} attempts", patience)
    equal(entry["status"], "scheduled", f"status of {address}, whose reason is {entry['reason']}")
    check(all(word in entry["reason"] for word in words), f"expected {words} in the reason {entry['reason']!r}")
    return entry


def auth_lines(sink):
    """What AUTH said, of all sessions."""
    return [line.decode() for line in sink.commands() if line.startswith(b"AUTH")]


def initial(mechanism, token, sink):
    """The response that carries a token (RFC 7628 3.1, and Google's XOAUTH2)."""
    if mechanism == "XOAUTH2":
        return f"user={JOE}\1auth=Bearer {token}\1\1"
    return f"n,a={JOE},\1host={sink.address}\1port={sink.port}\1auth=Bearer {token}\1\1"


# --- endpoints that fail, all at one gateway: their pauses are waited for together, behind the other tests ---

# What each of them answers to its first request, and the reason that the mail has then.
FAULTS = {
    "busy": (Answer(500, b"oops"), "its token endpoint gave no token: HTTP status 500"),
    "revoked": (Answer(400, {"error": "invalid_grant", "error_description": "Token has been revoked."}),
                "its token endpoint gave no token: invalid_grant: Token has been revoked."),
    "babbling": (Answer(body=b"<html>sign in</html>"), "its token endpoint gave no token: the answer is no JSON object"),
    "closing": (Answer(close=True), "no answer of its token endpoint: "),
    "hanging": (Answer(delay=1000), None),
    "down": (None, "no answer of its token endpoint: "),
}


class Failing:
    """A gateway with an endpoint, a client, a route and a next hop for each fault, and mail to each."""

    made = None

    def __init__(self):
        self.gateway = gateway_with()
        self.sinks, self.endpoints, self.addresses = {}, {}, {}
        self.keeper = socket.socket()
        self.keeper.bind(("127.0.0.1", free_port()))
        for name, (answer, _) in FAULTS.items():
            if answer:
                self.endpoints[name] = endpoint_with(prefix=f"{name}-")
                self.endpoints[name].script = [answer]
            self.add(name, self.endpoints[name].url if answer else f"https://localhost:{self.keeper.getsockname()[1]}/oauth2/token")
            self.addresses[name] = sent(self.gateway, f"{name}.example")

    def add(self, name, url):
        """One of them."""
        self.sinks[name] = hop(f"{name}-1")
        add_client(self.gateway, url, name)
        add_route(self.gateway, f"{name}.example", self.sinks[name], name=name)

    def come_back(self):
        """The endpoint that is down is there again, where it was looked for."""
        port = self.keeper.getsockname()[1]
        self.keeper.close()
        self.endpoints["down"] = endpoint_with(prefix="down-", port=port)

    def queue_of(self, name):
        """The entries of those who wait for an endpoint."""
        return [entry for entry in self.gateway.queue() if entry["recipient"].endswith(f"@{name}.example")]

    @classmethod
    def of(cls):
        """The only one."""
        cls.made = cls.made or cls()
        return cls.made


def test_mail_waits_while_an_endpoint_fails():
    """With the reason in the queue; nothing is said to the next hop, not even in plain text."""
    failing = Failing.of()
    for name, (_, reason) in FAULTS.items():
        if not reason:
            continue
        entry = deferred(failing.gateway, failing.addresses[name], f"OAuth client {name}: {reason}")
        check(SECRET not in entry["reason"] and REFRESH not in entry["reason"], f"a secret in the reason {entry['reason']}")
        equal(auth_lines(failing.sinks[name]), [], f"logins with the endpoint {name}")
        equal(failing.sinks[name].messages, [], f"messages with the endpoint {name}")
    failing.gateway.await_log(r"level=warning .*event=token-refused client=revoked advice=.*tmail oauth update")


def test_a_failing_endpoint_is_left_alone():
    """More mail, and a flush at once, are no reason to ask it again and again; and it waits as well."""
    failing = Failing.of()
    deferred(failing.gateway, failing.addresses["busy"])
    addresses = [sent(failing.gateway, "busy.example", f"c{number}") for number in range(5)]
    for address in addresses:
        deferred(failing.gateway, address, "HTTP status 500")
    equal(len(failing.endpoints["busy"].requests), 1, "requests")


# --- tokens that arrive ---

def test_mail_arrives_with_a_token():
    """By each mechanism, over STARTTLS and TLS from the first byte, with a short token and a long one: these bytes, and nothing
    in plain text."""
    for prefix in ("token-", LONG):
        with endpoint_with(prefix=prefix) as endpoint, gateway_with() as gateway:
            add_client(gateway, endpoint.url)
            for mechanism in MECHANISMS:
                for smtps in (False, True):
                    with hop(prefix + "1", [mechanism], smtps=smtps) as sink:
                        destination = f"{mechanism}-{smtps}.example".lower()
                        add_route(gateway, destination, sink, *(("--tls", "verify+smtps") if smtps else ()))
                        address = sent(gateway, destination)
                        message = sink.wait(1)[0]
                        equal((message.sender, message.recipients), ("a@client.example", [address]), "envelope")
                        session = message.session
                        equal((session.login, session.mechanism, session.tls, session.exposed), (JOE, mechanism, "TLSv1.3", False),
                              "session")
                        response = "" if prefix == LONG else f" {b64(initial(mechanism, prefix + '1', sink))}"
                        equal(auth_lines(sink), [f"AUTH {mechanism}{response}\r\n"], "logins")
                        gateway.await_log(rf"event=delivered .*recipient={address} .*attempts=1\b")
            equal(len(endpoint.requests), 1, "requests")


def test_the_standard_mechanism_is_taken_before_the_older_one():
    """OAUTHBEARER before XOAUTH2, however they are offered; and neither a password nor a token goes by the mechanisms of the other."""
    with endpoint_with() as endpoint, gateway_with() as gateway:
        add_client(gateway, endpoint.url)
        for number, offered in enumerate((("XOAUTH2", "OAUTHBEARER"), ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"))):
            with hop(mechanisms=offered) as sink:
                add_route(gateway, f"both{number}.example", sink)
                sent(gateway, f"both{number}.example")
                equal(sink.wait(1)[0].session.attempts, ["OAUTHBEARER"], f"mechanisms of {offered}")
        with hop(mechanisms=["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"]) as sink:
            add_route(gateway, "passwords.example", sink)
            deferred(gateway, sent(gateway, "passwords.example"), "offers no login for an OAuth token")
            equal((auth_lines(sink), sink.messages), ([], []), "logins and messages")


def test_no_token_in_plain_text():
    """A next hop that offers AUTH and no TLS, or TLS with the certificate of somebody else, never sees one."""
    stranger = Certificates(name="another CA")
    with endpoint_with() as endpoint, gateway_with() as gateway:
        add_client(gateway, endpoint.url)
        logins = Logins(list(MECHANISMS), JOE, token="token-1")
        with Sink(logins=logins) as plain, Sink(logins=logins, tls=stranger.make("hop")) as other:
            for name, sink, status in (("plain", plain, "4.7.4"), ("other", other, "4.7.5")):
                for rule in ("", "may"):
                    if (name, rule) == ("other", "may"):
                        continue  # any certificate will do there
                    destination = f"{name}{rule}.example"
                    add_route(gateway, destination, sink, *(("--tls", rule) if rule else ()))
                    gateway.await_log(rf"event=deferred .*recipient={sent(gateway, destination)} .*status={status}")
                equal((auth_lines(sink), sink.messages), ([], []), f"logins and messages of the {name} one")


def test_one_token_is_for_all_messages_and_sessions():
    """Two routes, two next hops, sessions that end after each message, many messages at once: one request."""
    with endpoint_with() as endpoint, gateway_with() as gateway, hop(script=[".: 250 2.0.0 ok; close"]) as first, hop() as second:
        add_client(gateway, endpoint.url)
        add_route(gateway, "first.example", first)
        add_route(gateway, "second.example", second)
        with gateway.session() as client:
            for number in range(10):
                for name in ("first", "second"):
                    client.mail("a@client.example", [f"b{number}@{name}.example"], b"Subject: x\r\n\r\n")
            client.quit()
        first.wait(10)
        second.wait(10)
        gateway.await_empty_queue()
        check(len(first.sessions) >= 10, f"sessions of the first: {len(first.sessions)}")
        for sink in (first, second):
            equal({session.login for session in sink.sessions if session.attempts}, {JOE}, "logins")
        equal(endpoint.requests, [{"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": CLIENT,
                                   "client_secret": SECRET}], "requests")


def test_other_destinations_are_not_held_up_by_a_slow_endpoint():
    """Not even by more mail for it than there may be connections to one destination; and all that goes in its first attempt once there
    is a token."""
    with endpoint_with() as endpoint, gateway_with(TMAIL_DELIVERD_REMOTE_CONCURRENCY="40") as gateway, hop() as slow, Sink() as other:
        go, usual = threading.Event(), endpoint.answer
        endpoint.answer = lambda form: go.wait(PATIENCE) and usual(form)
        add_client(gateway, endpoint.url)
        add_route(gateway, "slow.example", slow)
        gateway.route("other.example", other)
        for destination in ("slow.example", "other.example"):
            with gateway.session() as client:
                for number in range(60):
                    client.mail("a@client.example", [f"b{number}@{destination}"], b"Subject: x\r\n\r\n")
                client.quit()
            if destination == "slow.example":
                gateway.await_queue(lambda entries: any(entry["status"] == "in-progress" for entry in entries), "an attempt")
        other.wait(60)
        equal((slow.messages, endpoint.issued), ([], 0), "messages, and tokens, before the endpoint answers")
        go.set()
        slow.wait(60)
        gateway.await_empty_queue()
        check("event=deferred" not in gateway.log(), f"a second attempt:\n{gateway.log_tail()}")
        equal(len(endpoint.requests), 1, "requests")


# --- tokens that are refused ---

def test_a_refused_token_is_fetched_anew():
    """535 behind RFC 7628's complaint: the mail waits with both in its reason, and goes with another token after a flush."""
    for mechanism in MECHANISMS:
        with endpoint_with() as endpoint, gateway_with() as gateway, hop("token-2", [mechanism]) as sink:
            add_client(gateway, endpoint.url)
            add_route(gateway, "stale.example", sink)
            address = sent(gateway, "stale.example")
            entry = deferred(gateway, address, "535 ", "invalid_token")
            check("token-1" not in entry["reason"], f"the token is in the reason {entry['reason']}")
            equal((len(endpoint.requests), sink.messages), (1, []), "requests and messages")
            gateway.tmail("queue", "flush")
            equal(sink.wait(1)[0].recipients, [address], "recipients")
            gateway.await_log(rf"event=delivered .*recipient={address} .*attempts=2\b")
            equal(len(endpoint.requests), 2, "requests")
            check("event=failed" not in gateway.log(), "a failure in the log")


def test_a_token_that_goes_bad_between_messages():
    """Of three messages the second meets the refusal, and none is lost."""
    with endpoint_with() as endpoint, gateway_with() as gateway, hop("token-1", script=[".: 250 2.0.0 ok; close"]) as sink:
        add_client(gateway, endpoint.url)
        add_route(gateway, "turning.example", sink)
        sent(gateway, "turning.example", "b1")
        sink.wait(1)
        sink.logins = Logins(list(MECHANISMS), JOE, token="token-2")
        deferred(gateway, sent(gateway, "turning.example", "b2"), "invalid_token")
        gateway.tmail("queue", "flush")
        sink.wait(2)
        sent(gateway, "turning.example", "b3")
        equal([message.recipients[0][:2] for message in sink.wait(3)], ["b1", "b2", "b3"], "recipients")
        equal(len(endpoint.requests), 2, "requests")


def test_a_next_hop_that_refuses_every_token():
    """It is not asked, nor the endpoint, time and again, but when an administrator wants it; the mail never fails."""
    with endpoint_with() as endpoint, gateway_with() as gateway, hop("none of ours") as sink:
        add_client(gateway, endpoint.url)
        add_route(gateway, "never.example", sink)
        for number in range(3):
            deferred(gateway, sent(gateway, "never.example", f"b{number}"), "invalid_token", attempts=1)
        equal((len(endpoint.requests), len(auth_lines(sink)), sink.messages), (1, 1, []), "requests, logins, messages")
        gateway.tmail("queue", "flush")
        for number in range(3):
            deferred(gateway, f"b{number}@never.example", "invalid_token", attempts=2)
        equal((len(endpoint.requests), len(auth_lines(sink)), sink.messages), (2, 2, []), "requests, logins, messages after a flush")
        check("event=failed" not in gateway.log(), "a failure in the log")


def test_a_login_that_fails_hands_over_to_the_next_route():
    """In the same attempt, whether the endpoint gives no token or the next hop does not take it."""
    with endpoint_with() as endpoint, gateway_with() as gateway, hop("another") as refusing, Sink() as second:
        broken = endpoint_with()
        broken.done()
        add_client(gateway, endpoint.url)
        add_client(gateway, broken.url, "broken")
        for name in ("office", "broken"):
            add_route(gateway, f"{name}.example", refusing, "-p", "1", name=name)
            gateway.route(f"{name}.example", second, "-p", "2")
            address = sent(gateway, f"{name}.example")
            gateway.await_log(rf"event=delivered .*recipient={address} .*attempts=1\b")
        equal((len(second.messages), [session.attempts for session in second.sessions if session.attempts]), (2, []),
              "messages and logins of the second")
        equal((refusing.messages, len(auth_lines(refusing))), ([], 1), "messages and logins of the first")


def test_a_refused_token_stands_in_the_way_of_no_other():
    """Another client's, at the same next hop, right after it; and mail without a login."""
    with endpoint_with() as bad, endpoint_with(prefix="good-") as good, gateway_with() as gateway, hop("good-1") as sink:
        add_client(gateway, bad.url, "bad")
        add_client(gateway, good.url, "good")
        add_route(gateway, "bad.example", sink, name="bad")
        add_route(gateway, "good.example", sink, name="good")
        deferred(gateway, sent(gateway, "bad.example"), "invalid_token")
        address = sent(gateway, "good.example")
        equal(sink.wait(1)[0].recipients, [address], "recipients")


# --- what is kept, and what is shown ---

def test_a_rotated_refresh_token_is_used_by_the_next_start():
    """And by the one after that; an endpoint that rotates takes no old one."""
    with endpoint_with() as endpoint, gateway_with() as gateway:
        endpoint.accounts[CLIENT].rotating = True
        add_client(gateway, endpoint.url)
        for turn in (1, 2, 3):
            with hop(f"token-{turn}") as sink:
                add_route(gateway, f"turn{turn}.example", sink)
                sent(gateway, f"turn{turn}.example")
                sink.wait(1)
                gateway.await_empty_queue()
            if turn == 1:
                gateway.restart()
            else:
                gateway.reload()
        equal([form["refresh_token"] for form in endpoint.requests], [REFRESH, "refresh-1", "refresh-2"], "refresh tokens sent")


def test_a_client_that_is_changed():
    """`oauth update` with another refresh token: the next start uses it; a deleted client leaves the mail waiting, with its name."""
    with endpoint_with() as endpoint, gateway_with() as gateway, hop("token-1") as sink:
        endpoint.accounts[CLIENT].refresh_token = "2//another"
        add_client(gateway, endpoint.url)
        add_route(gateway, "changed.example", sink)
        deferred(gateway, sent(gateway, "changed.example"), "OAuth client office: its token endpoint gave no token: invalid_grant")
        gateway.tmail("oauth", "update", "office", "--refreshToken", "2//another")
        gateway.restart()
        gateway.tmail("queue", "flush")
        sink.wait(1)
        equal([form["refresh_token"] for form in endpoint.requests], [REFRESH, "2//another"], "refresh tokens sent")
        equal(gateway.run("oauth", "del", "office").status, 1, "exit status of deleting a client that a route uses")


def forms_of(secret):
    """Ways in which a secret could be shown: itself, and encoded whichever way it lies in base64."""
    yield secret
    for before in range(3):
        # Only whole groups, without those that depend on what stands beside it.
        yield b64("." * before + secret)[4 if before else 0:-4]


def test_secrets_are_shown_nowhere():
    """Access token, refresh token and the client's secret: in no listing, no log with the dialogue in it, no file but the sealed ones."""
    token = "access-token-that-is-nowhere-"
    with endpoint_with(prefix=token) as endpoint, gateway_with(TMAIL_DEBUG_ENABLED="true") as gateway:
        endpoint.accounts[CLIENT].rotating = True
        add_client(gateway, endpoint.url)
        responses = []
        for expected, event in ((token + "1", "delivered"), ("what it never is", "deferred")):
            for mechanism in MECHANISMS:
                with hop(expected, [mechanism]) as sink:
                    name = f"{mechanism}-{event}.example".lower()
                    add_route(gateway, name, sink)
                    gateway.await_log(rf"event={event} .*recipient={sent(gateway, name)}")
                    responses.append(b64(initial(mechanism, token + "1", sink)))
        for mechanism in MECHANISMS:
            gateway.await_log(f"AUTH {mechanism}")
        listings = [(noun, "list", *json) for noun in ("oauth", "routes", "queue") for json in ((), ("--json",))]
        shown = "".join(gateway.tmail(*words) for words in listings) + gateway.tmail("config") + gateway.log()
        check('"client_secret": true' in shown and '"refresh_token": true' in shown, "the listing does not say that there are secrets")
        gateway.stop()
        kept = shown
        for folder, _, names in os.walk(gateway.folder):
            for path in filter(os.path.isfile, (os.path.join(folder, name) for name in names)):
                with open(path, "rb") as file:
                    kept += file.read().decode("latin-1")
        check(JOE in kept, "nothing is kept at all")
        for secret in (token, SECRET, REFRESH, "refresh-1", "refresh-2"):
            for form in forms_of(secret):
                check(len(form) < 8 or form not in kept, f"{secret} is shown or kept, as {form}")
        for response in responses:
            check(response[8:] not in kept, "a response of a login is shown or kept")


# --- the endpoints that failed, again ---

def test_an_endpoint_that_never_answers():
    """Mail waits with that as its reason once the time for a token is over."""
    failing = Failing.of()
    entry = deferred(failing.gateway, failing.addresses["hanging"], "OAuth client hanging: ", patience=UNTIL_ASKED_AGAIN)
    check("no answer of its token endpoint" in entry["reason"] or "still being fetched" in entry["reason"], f"reason: {entry['reason']}")
    equal((auth_lines(failing.sinks["hanging"]), failing.sinks["hanging"].messages), ([], []), "logins and messages")


def test_mail_goes_when_its_endpoint_is_back():
    """All of it, after a flush, with the token of the endpoint that failed before."""
    failing = Failing.of()
    failing.come_back()
    back = [name for name in FAULTS if name != "hanging"]

    def gone():
        failing.gateway.tmail("queue", "flush")
        return not any(failing.queue_of(name) for name in back)
    await_true(gone, lambda: f"mail to go after `queue flush`; the queue: {failing.gateway.queue()!r}", UNTIL_ASKED_AGAIN)
    for name in back:
        messages = failing.sinks[name].messages
        equal({message.session.login for message in messages}, {JOE}, f"logins with the endpoint {name}")
        check([failing.addresses[name]] in [message.recipients for message in messages], f"the first message for {name} has not come")
        equal(len(failing.endpoints[name].requests), 1 if name == "down" else 2, f"requests of the endpoint {name}")
    check("event=failed" not in failing.gateway.log(), f"a failure in the log:\n{failing.gateway.log_tail()}")


def end_failing():
    """Close what the tests of failing endpoints have open."""
    with contextlib.ExitStack() as stack:
        if Failing.made:
            for part in (*Failing.made.endpoints.values(), *Failing.made.sinks.values()):
                stack.callback(part.done)


if __name__ == "__main__":
    try:
        main()
    finally:
        end_failing()
