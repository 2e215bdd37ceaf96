"""What LMTP servers (RFC 2033) may answer, and what three recipients come to by it: cases, and the gateway that meets them."""

import collections
import contextlib

from checks import PATIENCE, check, equal
from gateway import Gateway
from sink import Sink

DOMAIN, SENDER, PASSWORD = "local.example", "a@client.example", "secret one"
NAMES = [f"r{number}@{DOMAIN}" for number in (1, 2, 3)]
TEXT = b"Subject: x\r\n\r\nHello.\r\n"
KEYS = {"TMAIL_DELIVERD_RETRY_MIN": "1h", "TMAIL_DELIVERD_RETRY_MAX": "1h", "TMAIL_DELIVERD_RETRY_TIMES": "", "TMAIL_DELIVERD_DEAD_HOST_TIME": "0s",
        "TMAIL_DELIVERD_CONNECTION_IDLE": "1m"}
DELIVERED, CLOSED, SILENT = "delivered", "connection closed", "timed out"
SHORT = {"TMAIL_DELIVERD_REMOTE_TIMEOUT": "1s", "TMAIL_DELIVERD_CONNECTION_IDLE": "0s"}
OFFERS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")

Case = collections.namedtuple("Case", "script outcomes keys", defaults=({},))

# What three recipients come to in the first attempt: DELIVERED, or what their reason says; they are tried again unless that begins with 5.
CASES = {
    "all-are-taken": Case([], [DELIVERED] * 3),
    "each-has-its-own-answer": Case([". <r2@: 452 4.2.2 Full", ". <r3@: 552 5.2.2 Too full"], [DELIVERED, "452 4.2.2 ", "552 5.2.2 "]),
    "all-are-refused": Case([".: 550 5.6.0 Not this"], ["550 5.6.0 "] * 3),
    "one-is-refused-before-the-content": Case(["RCPT <r1@: 550 5.1.1 Unknown", ". <r3@: 450 4.2.0 Busy"], ["550 5.1.1 ", DELIVERED, "450 4.2.0 "]),
    "one-waits-before-the-content": Case(["RCPT <r2@: 450 4.2.1 Busy"], [DELIVERED, "450 4.2.1 ", DELIVERED]),
    "all-are-refused-before-the-content": Case(["RCPT: 550 5.1.1 Unknown"], ["550 5.1.1 "] * 3),
    "the-content-is-not-wanted": Case(["DATA: 451 4.3.0 Not now"], ["451 4.3.0 "] * 3),
    "answers-of-several-lines": Case([". <r1@: 250-2.0.0 Well; 250 2.0.0 taken", ". <r2@: 452-4.2.2 Full; 452 4.2.2 of mail"],
                                     [DELIVERED, "452 4.2.2 ", DELIVERED]),
    "closed-before-the-first-answer": Case([".#1: close"], [CLOSED] * 3),
    "closed-after-the-first-answer": Case([".#2: close"], [DELIVERED, CLOSED, CLOSED]),
    "closed-within-an-answer": Case([".#2: repeat 1 250 2.0.0 Tak; close"], [DELIVERED, CLOSED, CLOSED]),
    "closed-before-the-last-answer": Case([". <r2@: 550 5.2.2 Full", ".#3: close"], [DELIVERED, "550 5.2.2 ", CLOSED]),
    "closed-after-the-last-answer": Case([".#3: 250 2.0.0 Taken; close"], [DELIVERED] * 3),
    "an-answer-that-is-none": Case([".#2: raw Yes, gladly.\\r\\n; close"], [DELIVERED, "Malformed", "Malformed"]),
    "an-answer-without-end": Case([".#2: flood 250-more\\r\\n"], [DELIVERED, "too big", "too big"], SHORT),
    "an-answer-of-no-kind": Case([".#2: 354 Go on"], [DELIVERED, "354", DELIVERED]),
    "it-goes-among-the-answers": Case([".#2: 421 4.3.2 Shutting down; close"], [DELIVERED, "421 4.3.2 ", ""]),
    "it-goes-when-all-is-answered": Case([".#2: 421 4.3.2 Shutting down"], [DELIVERED, "421 4.3.2 ", DELIVERED]),
    "silent-among-the-answers": Case([".#2: hang"], [DELIVERED, SILENT, SILENT], SHORT),
    "silent-at-the-first-answer": Case([".#1: hang"], [SILENT] * 3, SHORT),
    "it-goes-at-rcpt": Case(["RCPT#2: 421 4.3.2 Shutting down; close"], [""] * 3),
    "it-is-not-there-for-mail": Case(["greeting: 421 4.3.2 Come later; close"], ["421 4.3.2 "] * 3),
    "it-does-not-want-us": Case(["greeting: 554 5.3.2 No"], ["4.3.2 No"] * 3),
    "it-does-not-greet": Case(["greeting: hang"], [SILENT] * 3, SHORT),
    "it-knows-no-lhlo": Case(["LHLO: 500 5.5.1 What?"], ["4.5.1 What?"] * 3),
}


def through_mailboxes(sink, keys):
    """A gateway whose users' mailboxes are at the sink."""
    gateway = Gateway({**KEYS, "TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LMTP_ADDRESS": sink.endpoint, **keys})
    for name in NAMES:
        gateway.tmail("user", "add", "-m", name, PASSWORD)
    return gateway


def through_a_route(sink, keys):
    """A gateway that relays a domain to the sink."""
    gateway = Gateway({**KEYS, **keys})
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.tmail("routes", "add", "-d", DOMAIN, "-rh", f"lmtp:{sink.endpoint.removeprefix('inet:')}")
    return gateway


@contextlib.contextmanager
def delivering(script=(), keys=None, way=through_mailboxes, **options):
    """An LMTP server that follows a script, and a gateway whose mail goes there."""
    with Sink(script=script, lmtp=True, **{"offers": OFFERS, **options}) as sink, way(sink, keys or {}) as gateway:
        yield gateway, sink


def send(gateway, names=tuple(NAMES), text=TEXT, sender=SENDER, parameters=""):
    """One message to these."""
    with gateway.session() as client:
        client.mail(sender, names, text, parameters)
        client.quit()


def after(gateway, names=tuple(NAMES)):
    """What has become of each by the first attempt: DELIVERED, or its status and reason."""
    def settled(entries):
        return all(entry["status"] == "failed" or (entry["status"], entry["attempts"]) == ("scheduled", 1) for entry in entries)
    gateway.await_queue(settled, "one attempt for each")
    found = {entry["recipient"]: (entry["status"], entry["reason"]) for entry in gateway.queue()}
    return {name: found.get(name, DELIVERED) for name in names}


def compare(outcome, expected, name, final):
    """Whether a recipient has come to what it should."""
    if expected == DELIVERED:
        equal(outcome, DELIVERED, name)
        return
    check(outcome != DELIVERED, f"{name} counts as delivered, expected {expected!r}")
    equal(outcome[0], "failed" if final else "scheduled", f"status of {name} ({outcome[1]})")
    check(expected in outcome[1], f"{name}: expected {expected!r}, got {outcome[1]!r}")


def counts(sink):
    """How often the mail of each was taken."""
    return dict(collections.Counter(name for message in sink.messages for name in message.taken))


def taken(sink, expected, what="taken"):
    """Check how often the mail of each was taken; what the sink has said it may not have noted yet."""
    with sink.changed:
        sink.changed.wait_for(lambda: counts(sink) == expected, PATIENCE)
        equal(counts(sink), expected, what)


def flush(gateway, sink):
    """The server mends its ways, and what waits is tried again."""
    with sink.changed:
        sink.rules.clear()
    gateway.tmail("queue", "flush")


def run_case(case, way):
    """One attempt with the script, then one without: everything is where it should be, once."""
    final = {name: outcome.startswith("55") for name, outcome in zip(NAMES, case.outcomes)}
    with delivering(case.script, case.keys, way) as (gateway, sink):
        send(gateway)
        outcomes = after(gateway)
        for name, expected in zip(NAMES, case.outcomes):
            compare(outcomes[name], expected, f"{name} of {outcomes}", final[name])
        taken(sink, {name: 1 for name, expected in zip(NAMES, case.outcomes) if expected == DELIVERED}, "taken at first")
        check(sum(line.startswith(b"MAIL") for line in sink.commands()) <= 1, f"more than one transaction: {sink.commands()}")
        flush(gateway, sink)
        gateway.await_queue(lambda entries: all(entry["status"] == "failed" for entry in entries), "the rest to be delivered")
        taken(sink, {name: 1 for name in NAMES if not final[name]}, "taken at last")
        equal([entry["recipient"] for entry in gateway.queue()], [name for name in NAMES if final[name]], "failed")


def cases_through(way):
    """A test for each case, by its name."""
    return {name: (lambda case=case: run_case(case, way)) for name, case in CASES.items()}
