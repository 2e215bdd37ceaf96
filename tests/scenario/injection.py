#!/usr/bin/python3
"""DESIGN 6.5: what a client says reaches no header, no SMTP line and no log line unescaped."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

# Names for HELO: taken or not, none may disturb a header or a log.
NAMES = ["a b", "(comment)", "a(b", "a)b", "a;b", 'a"b', "a\\b", "<a@b>", "a,b", "a:b", "[x", "x]", "[192.0.2.1] x",
         "=?x?=", "a=b event=queued", "{}", "x" * 255, "x" * 1000, "'; DROP TABLE users; --", "%s%n%x", "$(id)", "`id`", "-", "."]
CONTROLS = [bytes([octet]) for octet in (0, 1, 7, 8, 9, 11, 12, 27, 31, 127, 128, 155, 255)]
RECEIVED = re.compile(rb"\AReceived: from(?: |\r\n\t)[!-'*-:<-~]+(?:(?: |\r\n\t)\([!-'*-[\]-~]*\))?"
                      rb"(?: |\r\n\t)\(\[127\.0\.0\.1\]\)\r\n\tby mx\.tmail\.test with \w+ id "
                      rb"[0-9a-f]{16}\r\n\tfor <a@hop\.example>; \w{3}, [ \d:A-Za-z+-]+\r\nSubject: x\r\n")
LOGFMT = re.compile(r'time=\S+ level=\w+ process=\w+ event=[\w-]+(?: [\w.-]+=(?:[^\s"=]*|"(?:[^"\\]|\\.)*"))*')


def prepared(log_format):
    """A gateway that relays everything to a sink, and the sink."""
    gateway, sink = Gateway({"TMAIL_LOG_FORMAT": log_format, "TMAIL_DEBUG_ENABLED": "true"}), Sink()
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.route("hop.example", sink, "-p", "1")
    return gateway, sink


def helo_and_send(gateway, name):
    """Say EHLO with this name; where it is taken, send a message. Returns whether it was taken."""
    with gateway.client() as client:
        client.expect("220 ")
        reply = client.command(f"EHLO {name}")
        check(reply.code in (250, 500, 501), f"EHLO {name}: {reply}")
        if reply.code == 250:
            client.mail("a@client.example", ["a@hop.example"], b"Subject: x\r\n\r\n")
        client.quit()
        return reply.code == 250


# Where a bad octet may come, and whether the command must be refused for it.
PLACES = [(b"EHLO x%sy", True), (b"HELO x%sy", True), (b"MAIL FROM:<x%sy@client.example>", True),
          (b'MAIL FROM:<"x%sy"@client.example>', True), (b"MAIL FROM:<a@x%sy.example>", True),
          (b"RCPT TO:<x%sy@hop.example>", True), (b"VRFY x%sy", False), (b"X%sY", False), (b"NOOP x%sy", False)]


def speak_badly(gateway):
    """Put bad octets into every place, each in a session of its own; return the commands that should not have been taken."""
    taken = []
    for octet in CONTROLS:
        for place, forbidden in PLACES:
            with gateway.session() as client:
                if place.startswith(b"RCPT"):
                    client.command("MAIL FROM:<a@client.example>", "250 ")
                client.send(place % octet + b"\r\n")
                if client.reply().code < 500 and forbidden:
                    taken.append(place % octet)
    return taken


def run_all(log_format):
    """Do all of it; return the gateway's log as octets, the messages that arrived, and what was wrongly taken."""
    gateway, sink = prepared(log_format)
    taken = [name for name in NAMES if helo_and_send(gateway, name)]
    wrong = speak_badly(gateway)
    with gateway.session() as client:
        client.mail('"quoted = \\"local\\" part"@client.example', ["a@hop.example"], b"Subject: x\r\n\r\n")
    messages = sink.wait(len(taken) + 1)
    gateway.await_empty_queue()
    gateway.finish()
    with open(gateway.path("run.log"), "rb") as log:
        return log.read(), messages, wrong


LOG, MESSAGES, WRONG = run_all("logfmt")


def test_no_bad_octet_is_taken():
    """Not in a HELO name, not in a path."""
    equal(WRONG, [], "commands that were taken")


def test_a_helo_name_is_one_harmless_word_in_the_trace_field():
    """Whatever name was taken, the trace field keeps its shape."""
    check(len(MESSAGES) > 1, "no name at all was taken")
    for message in MESSAGES:
        check(RECEIVED.match(message.content), f"a trace field of another shape: {message.content!r}")


def test_no_message_gained_a_header():
    """Every message is its trace field and what was sent."""
    for message in MESSAGES:
        check(RECEIVED.sub(b"", message.content) == b"\r\n", f"more than was sent: {message.content!r}")


def test_the_next_hop_heard_no_control_octet():
    """Command lines are printable."""
    for session in {id(message.session): message.session for message in MESSAGES}.values():
        for line in session.commands:
            check(re.fullmatch(rb"[ -~]*\r\n", line), f"heard {line!r}")


def test_a_quoted_local_part_arrives_as_it_was():
    """Quoting survives."""
    senders = [message.sender for message in MESSAGES]  # which of them came last is the next hop's chance
    check('"quoted = \\"local\\" part"@client.example' in senders, f"senders {senders!r}")


def test_every_line_of_the_log_is_printable():
    """No control octet but the line ends."""
    for line in LOG.split(b"\n"):
        check(not re.search(rb"[\0-\x1f\x7f\x80-\xff]", line), f"the log has {line!r}")


def test_every_line_of_the_log_is_logfmt():
    """No line was split or forged by what a client said."""
    for line in LOG.decode().splitlines():
        check(LOGFMT.fullmatch(line), f"not a line of logfmt: {line!r}")


def test_the_json_log_is_an_object_a_line():
    """The same in JSON."""
    log, _, _ = run_all("json")
    for line in log.decode().splitlines():
        check({"time", "level", "process", "event"} <= json.loads(line).keys(), f"a line without its fields: {line!r}")


if __name__ == "__main__":
    main()
