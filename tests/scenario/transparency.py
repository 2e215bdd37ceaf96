#!/usr/bin/python3
"""RFC 5321 4.5.2: what the client sent is what the next hop receives, byte for byte, in by DATA or BDAT, out by either."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position
from sink import OFFERS  # noqa: E402  pylint: disable=wrong-import-position
from player import TRACE  # noqa: E402  pylint: disable=wrong-import-position

OCTETS = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")


def random_text(size):
    """Lines of random octets and of dots, of every length from none to long."""
    rng, lines, total = random.Random(size), [], 0
    while total < size:
        length = rng.choice((0, 1, 2, 3, 70, 76, 998, rng.randint(0, 5000)))
        line = rng.choice((b"." * min(length, 4), bytes(rng.choices(OCTETS, k=length)))) + b"\r\n"
        lines.append(line)
        total += len(line)
    return b"Subject: random\r\n\r\n" + b"".join(lines)


CONTENTS = {
    "an-empty-message": b"",
    "one-empty-line": b"\r\n",
    "a-header-without-a-body": b"Subject: x\r\n",
    "a-header-and-an-empty-body": b"Subject: x\r\n\r\n",
    "a-body-without-a-header": b"\r\nHello.\r\n",
    "empty-lines-at-the-end": b"Subject: x\r\n\r\nHello.\r\n\r\n\r\n\r\n",
    "a-dot-alone": b"Subject: x\r\n\r\n.\r\n",
    "a-dot-as-the-first-line": b".\r\nSubject: x\r\n\r\n",
    "lines-of-dots": b"Subject: x\r\n\r\n.\r\n..\r\n...\r\n....\r\n.a\r\n..a\r\na.\r\n. \r\n.\t\r\n.\r\n",
    "dots-within-lines": b"Subject: x\r\n\r\na.b\r\n a.\r\n\t.\r\n",
    "all-octets": b"Subject: x\r\n\r\n" + b"\r\n".join(OCTETS[at:at + 60] for at in range(0, len(OCTETS), 60)) + b"\r\n",
    "a-line-of-a-million-octets": b"Subject: x\r\n\r\n" + b"x" * 1000000 + b"\r\n",
    "no-header-that-looks-like-one": b"this is: not a header\r\n neither\r\n\r\n",
    "a-megabyte-of-lines": random_text(1 << 20),
    **{f"{size}-octets-at-the-edge-of-a-buffer": b"Subject: x\r\n\r\n" + b"y" * (size - 16) + b"\r\n"
       for power in (9, 12, 13, 14, 16) for size in ((1 << power) - 1, 1 << power, (1 << power) + 1)},
    **{f"a-dot-at-{size}-octets": b"Subject: x\r\n\r\n" + b"y" * (size - 16) + b"\r\n.\r\n..\r\n"
       for power in (12, 13, 14, 16) for size in range((1 << power) - 3, (1 << power) + 4)},
}

GATEWAY = Gateway({"TMAIL_SMTPD_MAX_COMMANDS": "1000000"})
BY_DATA, BY_BDAT = Sink(), Sink(offers=[*OFFERS, "CHUNKING"])
CLIENT = GATEWAY.session()


def send(recipient, content, chunk=None):
    """Send by DATA, or in chunks of that size."""
    if chunk is None:
        CLIENT.mail("a@client.example", [recipient], content)
        return
    CLIENT.command("MAIL FROM:<a@client.example>", "250 ")
    CLIENT.command(f"RCPT TO:<{recipient}>", "250 ")
    for at in range(0, len(content), chunk):
        piece = content[at:at + chunk]
        CLIENT.send(b"BDAT %d\r\n" % len(piece) + piece)
        CLIENT.expect("250 ")
    CLIENT.send(b"BDAT 0 LAST\r\n")
    CLIENT.expect("250 2.0.0 Ok: queued ")


def round_trip(sink, domain, content, chunk=None):
    """Send `content` through the gateway and compare what arrives."""
    before = len(sink.messages)
    send(f"a@{domain}", content, chunk)
    message = sink.wait(before + 1)[before]
    got, traces = TRACE.subn(b"", message.content, count=1)
    equal(traces, 1, "trace fields on top")
    if got != content:
        at = next((at for at, pair in enumerate(zip(got, content)) if pair[0] != pair[1]), min(len(got), len(content)))
        check(False, f"{len(content)} octets sent, {len(got)} received, different from octet {at} on: "
              f"sent {content[at - 20 if at > 20 else 0:at + 20]!r}, received {got[at - 20 if at > 20 else 0:at + 20]!r}")


def table():
    """Each content on each way."""
    tests = {}
    for name, content in CONTENTS.items():
        tests[f"{name}-by-DATA-and-DATA"] = lambda content=content: round_trip(BY_DATA, "data.example", content)
        tests[f"{name}-by-DATA-and-BDAT"] = lambda content=content: round_trip(BY_BDAT, "bdat.example", content)
        tests[f"{name}-by-BDAT-and-DATA"] = lambda content=content: round_trip(BY_DATA, "data.example", content, 1000)
    return tests


def test_chunks_are_used_where_they_are_offered():
    """All messages came by BDAT to the next hop that offers CHUNKING, by DATA to the other."""
    round_trip(BY_BDAT, "bdat.example", b"Subject: x\r\n\r\n")
    check(all(message.chunks for message in BY_BDAT.messages), "a message came by DATA though CHUNKING was offered")
    check(not any(message.chunks for message in BY_DATA.messages), "a message came by BDAT though it was not offered")


if __name__ == "__main__":
    GATEWAY.tmail("relayip", "add", "127.0.0.1")
    GATEWAY.route("data.example", BY_DATA)
    GATEWAY.route("bdat.example", BY_BDAT)
    main(table())
