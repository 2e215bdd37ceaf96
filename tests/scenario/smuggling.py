#!/usr/bin/python3
"""RFC 5321 2.3.8 and 4.1.1.4: nothing but CR LF . CR LF ends DATA, and no bare CR, bare LF or NUL is ever passed on.

Each sequence is put in the middle of a message, with a second transaction right behind it. A server that takes the
sequence for the end of data would execute the second transaction (SMTP smuggling, CVE-2023-51764 and kin).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

SEQUENCES = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "LF.CR": b"\n.\r", "LF.": b"\n.",
    "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n", "CR.LF": b"\r.\n",
    "CRLF.LF": b"\r\n.\n", "CRLF.CR": b"\r\n.\r", "CRLF.CRCRLF": b"\r\n.\r\r\n", "CRLF.NUL": b"\r\n.\0\r\n",
    "CRLF-NUL.CRLF": b"\r\n\0.\r\n", "NUL.NUL": b"\0.\0", "LFLF.LFLF": b"\n\n.\n\n", "CRCR.CRCR": b"\r\r.\r\r",
    "LF.LF-before-CRLF": b"\n.\n\r\n", "CRLF.CRLF-with-NULs": b"\r\0\n.\r\0\n", "CR-alone": b"\r", "LF-alone": b"\n",
    "NUL-alone": b"\0", "LFCR.LFCR": b"\n\r.\n\r", "CRLF.LF-then-dot": b"\r\n.\n.\n", "CRLF.space": b"\r\n.\n \r\n",
}
FIRST = b"From: a@client.example\r\nSubject: smuggler\r\n\r\nfirst"
SECOND = (b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<evil@hop.example>\r\nDATA\r\n"
          b"From: evil@client.example\r\n\r\nsmuggled\r\n")
# Exactly CR LF . CR LF with a bare newline before it: the true end, and what follows it are commands.
TRUE_ENDS = {"CRCRLF.CRLF": b"\r\r\n.\r\n", "LFCRLF.CRLF": b"\n\r\n.\r\n", "NULCRLF.CRLF": b"\0\r\n.\r\n"}
RELAY_IP, STRANGER = "127.0.0.2", "127.0.0.1"


def setting(policy):
    """A gateway of that policy with a sink behind it; 127.0.0.2 is a relay IP."""
    gateway, sink = Gateway({"TMAIL_SMTPD_BARE_NEWLINE": policy, "TMAIL_SMTPD_MAX_COMMANDS": "1000000"}), Sink()
    gateway.tmail("rcpthost", "add", "hop.example")
    gateway.tmail("relayip", "add", RELAY_IP)
    gateway.route("hop.example", sink)
    return gateway, sink


GATEWAY, SINK = setting("refuse")
NORMALIZING, NORMAL_SINK = setting("normalize")


def open_transaction(gateway, source):
    """A session in which a transaction is open."""
    client = gateway.session(source)
    client.command("MAIL FROM:<a@client.example>", "250 ")
    client.command("RCPT TO:<a@hop.example>", "250 ")
    return client


def by_data(gateway, source, content):
    """Send `content` and the end of data; return the session. Its next reply is that to the message."""
    client = open_transaction(gateway, source)
    client.command("DATA", "354 ")
    client.send(content + b"\r\n.\r\n")
    return client


def by_bdat(gateway, source, content):
    """Send `content` as one last chunk; return the session. Its next reply is that to the message."""
    client = open_transaction(gateway, source)
    client.send(b"BDAT %d LAST\r\n" % len(content) + content)
    return client


def refused(gateway, source, content, send=by_data):
    """Expect one refusal, a session that goes on, and nothing queued."""
    with send(gateway, source, content) as client:
        client.expect("550 5.5.2 ")
        client.command("NOOP", "250 2.0.0 ok")
        client.quit()
    equal(gateway.queue(), [], "queue")


def delivered_marker(gateway, sink):
    """Send an honest message and return all that the sink has by the time that it arrives."""
    with gateway.session() as client:
        client.mail("honest@client.example", ["a@hop.example"], b"Subject: honest\r\n\r\n")
    return sink.wait_for(lambda hop: hop.messages if hop.messages and hop.messages[-1].sender.startswith("honest")
                         else None, "the honest message")


def refusal(sequence, send):
    """The test that `sequence`, sent by `send`, is refused."""
    return lambda: refused(GATEWAY, STRANGER, FIRST + sequence + SECOND, send)


def true_end(sequence):
    """The test that `sequence` is an end of data, refused, and that a command follows it."""
    def test():
        with open_transaction(GATEWAY, STRANGER) as client:
            client.command("DATA", "354 ")
            client.send(FIRST + sequence + b"NOOP\r\n")
            client.expect("550 5.5.2 ")
            client.expect("250 2.0.0 ok")
            client.quit()
        equal(GATEWAY.queue(), [], "queue")
    return test


def normalized(sequence):
    """The test that a relay IP's `sequence` is one message's text, with only CR LF in it (or refused for its NUL)."""
    def test():
        content = FIRST + sequence + SECOND
        if b"\0" in content:
            refused(NORMALIZING, RELAY_IP, content)
            return
        before = len(NORMAL_SINK.messages)
        with by_data(NORMALIZING, RELAY_IP, content) as client:
            client.expect("250 2.0.0 Ok: queued ")
            client.quit()
        message = NORMAL_SINK.wait(before + 1)[before]
        equal(message.sender, "a@client.example", "sender")
        check(b"smuggled" in message.content, "the text behind the sequence belongs to the message")
        rest = message.content.replace(b"\r\n", b"")
        check(b"\r" not in rest and b"\n" not in rest, f"a bare newline was passed on: {message.content!r}")
        NORMALIZING.await_empty_queue()
        equal(len(NORMAL_SINK.messages), before + 1, "messages at the next hop")
    return test


def test_nothing_refused_was_passed_on():
    """After all the rest, the next hop has the honest message alone."""
    equal([message.sender for message in delivered_marker(GATEWAY, SINK)], ["honest@client.example"], "senders")


def test_normalize_is_for_relay_ips_alone():
    """A stranger's bare newlines are refused though the policy is to normalise."""
    refused(NORMALIZING, STRANGER, FIRST + b"\n.\n" + SECOND)


def test_normalize_bare_LF_and_CR_become_line_ends():
    """Each bare CR and each bare LF is one line end; CR LF stays one."""
    before = len(NORMAL_SINK.messages)
    with by_data(NORMALIZING, RELAY_IP, b"Subject: x\n\na\rb\r\nc") as client:
        client.expect("250 ")
    message = NORMAL_SINK.wait(before + 1)[before]
    check(message.content.endswith(b"\r\nSubject: x\r\n\r\na\r\nb\r\nc\r\n"), f"got {message.content!r}")


def table():
    """All tests that come from the sequences."""
    tests = {}
    for name, sequence in SEQUENCES.items():
        tests[f"DATA-{name}-is-refused-and-ends-nothing"] = refusal(sequence, by_data)
        tests[f"BDAT-{name}-is-refused"] = refusal(sequence, by_bdat)
        tests[f"normalize-{name}-ends-nothing"] = normalized(sequence)
    for name, sequence in TRUE_ENDS.items():
        tests[f"DATA-{name}-is-the-end-and-refused"] = true_end(sequence)
    return tests


if __name__ == "__main__":
    main(table())
