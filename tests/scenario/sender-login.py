#!/usr/bin/python3
"""Issue 3, item 2: the From fields that TMAIL_SMTPD_SENDER_LOGIN lets pass, warns of, refuses (RFC 5322 3.4, 3.6.2, 4.4; RFC 6854)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main, stuff  # noqa: E402  pylint: disable=wrong-import-position

LOGIN, PASSWORD = "joe@example.com", "secret-word"

# Headers whose authors are the login's own.
OWN = {
    "the-login": "From: joe@example.com",
    "in-brackets": "From: <joe@example.com>",
    "with-a-name": "From: Joe Doe <joe@example.com>",
    "with-a-quoted-name": 'From: "Doe, \\"Joe\\" <x@evil.example>" <joe@example.com>',
    "a-name-that-is-another-address": 'From: "ann@example.com" <joe@example.com>',
    "with-comments": "From: (ann@example.com) joe (a (nested) one) @ (and) example.com (ann@example.com)",
    "domain-in-capitals": "From: joe@EXAMPLE.COM",
    "a-quoted-local-part": 'From: "joe"@example.com',
    "field-name-in-capitals": "FROM: joe@example.com",
    "folded": "From:\r\n\tJoe\r\n <joe@example.com>",
    "obsolete-space-before-the-colon": "From : joe@example.com",
    "several-of-the-login": "From: joe@example.com, Joe at other <info@other.example>",
    "a-group-of-the-login": "From: Us: joe@example.com, Other <info@other.example>;",
    "an-encoded-name": "From: =?utf-8?q?ann=40example=2Ecom=2C?= <joe@example.com>",
    "a-domain-of-the-login": "From: who.ever@whole.example",
    "empty-items-in-the-list": "From: , joe@example.com ,,",
    "no-From-at-all": "Subject: x",
    "From-only-in-the-text": "Subject: x\r\n\r\nFrom: ann@example.com",
    "another-field-of-another": "From: joe@example.com\r\nReply-To: ann@example.com\r\nX-From: ann@example.com",
    "Resent-From-is-another-field": "From: joe@example.com\r\nResent-From: ann@example.com\r\nTo: From: ann@example.com",
}

# Headers with an author who is somebody else, or may be for some reader.
FOREIGN = {
    "a-second-field-of-the-login": "From: joe@example.com\r\nFrom: info@other.example",
    "another": "From: ann@example.com",
    "another-in-brackets": "From: Joe <ann@example.com>",
    "a-name-that-is-the-login": 'From: "joe@example.com" <ann@example.com>',
    "a-comment-that-is-the-login": "From: ann@example.com (joe@example.com)",
    "a-comment-before-it": "From: (joe@example.com) ann@example.com",
    "a-comment-that-hides-brackets": "From: (<joe@example.com>) <ann@example.com>",
    "an-escape-within-a-comment": "From: (\\) <joe@example.com>) ann@example.com",
    "quotes-that-hide-brackets": 'From: "a \\" <joe@example.com>" <ann@example.com>',
    "the-second-of-two": "From: joe@example.com, ann@example.com",
    "the-first-of-two": "From: ann@example.com, joe@example.com",
    "one-of-a-group": "From: Us: joe@example.com, ann@example.com;",
    "behind-a-group": "From: Us: joe@example.com;, ann@example.com",
    "the-second-field": "From: joe@example.com\r\nSubject: x\r\nFrom: ann@example.com",
    "the-first-field": "From: ann@example.com\r\nFrom: joe@example.com",
    "folded": "From:\r\n\tann@example.com",
    "folded-within": "From: Joe\r\n <ann@example.com>",
    "small-letters": "from: ann@example.com",
    "capitals": "FROM: ann@example.com",
    "obsolete-space-before-the-colon": "From : ann@example.com",
    "no-space-behind-the-colon": "From:ann@example.com",
    "an-encoded-name-that-is-the-login": "From: =?utf-8?q?joe=40example=2Ecom?= <ann@example.com>",
    "an-obsolete-source-route": "From: <@joe.example,@example.com:ann@example.com>",
    "a-quoted-at": 'From: "joe@example.com"@evil.example',
    "a-longer-domain": "From: joe@example.com.evil.example",
    "a-longer-local-part": "From: notjoe@example.com",
    "an-address-literal": "From: joe@[192.0.2.1]",
    "no-domain": "From: joe",
    "two-addresses-without-a-comma": "From: joe@example.com ann@example.com",
    "two-pairs-of-brackets": "From: <joe@example.com> <ann@example.com>",
    "brackets-without-an-end": "From: joe@example.com, <ann@example.com",
    "a-comment-without-an-end": "From: joe@example.com, (ann@example.com",
    "a-NUL-like-escape": "From: joe\\@example.com@evil.example",
    "a-late-field": "\r\n".join(f"X-{number}: {'x' * 900}" for number in range(100)) + "\r\nFrom: ann@example.com",
    "a-long-list": "From: " + ",\r\n ".join(["joe@example.com"] * 2000) + ",\r\n ann@example.com",
    "an-encoded-address": "From: =?utf-8?q?joe?=@evil.example",
}


class Subject:
    """One gateway in a mode, and a session that has logged in; made once a mode."""

    made = {}

    def __init__(self, mode):
        self.gateway = Gateway({"TMAIL_SMTPD_SENDER_LOGIN": mode, "TMAIL_DELIVERD_LAUNCH": "false"},
                               listeners={"submissions": "true:submission"})
        self.gateway.tmail("rcpthost", "add", "example.com")
        for login in (LOGIN, "ann@example.com"):
            self.gateway.tmail("user", "add", "-r", login, PASSWORD)
        for sender in ("info@other.example", "whole.example"):
            self.gateway.tmail("sender", "add", LOGIN, sender)
        self.client = self.gateway.secure_session(at="submissions")
        equal(self.client.login("PLAIN", LOGIN, PASSWORD).code, 235, "login")

    @classmethod
    def of(cls, mode):
        """The one of this mode."""
        if mode not in cls.made:
            cls.made[mode] = cls(mode)
        return cls.made[mode]

    def says(self, header, sender=LOGIN):
        """The reply to a message with this header."""
        self.client.command(f"MAIL FROM:<{sender}>", "250 ")
        self.client.command("RCPT TO:<b@example.com>", "250 ")
        self.client.command("DATA", "354 ")
        self.client.send(stuff(header.encode() + b"\r\n\r\nHello.\r\n"))
        return self.client.reply().last


def passes(header):
    """The test that all modes let it pass, without a word."""
    def test():
        for mode in ("enforce", "warn", "off"):
            subject = Subject.of(mode)
            mark = subject.gateway.mark()
            reply = subject.says(header)
            check(reply.startswith("250 2.0.0 Ok: queued "), f"{mode}: {reply}")
            complaints = [line for line in subject.gateway.log().splitlines()[mark:] if "level=warn" in line]
            equal(complaints, [], f"warnings of {mode}")
    return test


def is_foreign(header):
    """The test that it is refused, warned of, or let pass, as the mode has it."""
    def test():
        reply = Subject.of("enforce").says(header)
        check(reply.startswith("553 5.7.1 "), f"enforce: {reply}")
        subject = Subject.of("warn")
        mark = subject.gateway.mark()
        reply = subject.says(header)
        check(reply.startswith("250 2.0.0 Ok: queued "), f"warn: {reply}")
        subject.gateway.await_log(rf"level=warn.*{LOGIN}", mark)
        reply = Subject.of("off").says(header)
        check(reply.startswith("250 2.0.0 Ok: queued "), f"off: {reply}")
    return test


def test_warn_and_off_let_any_sender_pass():
    """MAIL FROM of another: a warning that names both, or nothing."""
    for mode, warned in (("warn", True), ("off", False)):
        subject = Subject.of(mode)
        mark = subject.gateway.mark()
        reply = subject.says(f"From: {LOGIN}", "ann@example.com")
        check(reply.startswith("250 2.0.0 Ok: queued "), f"{mode}: {reply}")
        if warned:
            subject.gateway.await_log(r"level=warn(?=.*joe@example\.com).*ann@example\.com", mark)
        else:
            check("level=warn" not in "\n".join(subject.gateway.log().splitlines()[mark:]), "a warning under off")


def test_a_refused_message_is_not_queued_and_the_session_goes_on():
    """And another login's address in chunks is found as well."""
    subject = Subject.of("enforce")
    for line in ("MAIL FROM:<joe@example.com>", "RCPT TO:<chunk@example.com>"):
        subject.client.command(line, "250 ")
    subject.client.send(b"BDAT 7\r\nFrom: aBDAT 18 LAST\r\nnn@example.com\r\n\r\n")
    subject.client.expect("250 2.0.0 ")
    subject.client.expect("553 5.7.1 ")
    check(subject.says(f"From: {LOGIN}").startswith("250 2.0.0 Ok: queued "), "the next message")
    equal([entry for entry in subject.gateway.queue() if entry["recipient"] == "chunk@example.com"], [], "queue")


def test_headers_arrive_as_they_were():
    """Reading From changes nothing of it."""
    with Sink() as sink, Gateway({"TMAIL_SMTPD_SENDER_LOGIN": "enforce"}, listeners={"smtps": "true"}) as gateway:
        gateway.tmail("user", "add", "-r", LOGIN, PASSWORD)
        for sender in ("info@other.example", "whole.example"):
            gateway.tmail("sender", "add", LOGIN, sender)
        gateway.route("hop.example", sink)
        with gateway.secure_session(at="smtps") as client:
            equal(client.login("PLAIN", LOGIN, PASSWORD).code, 235, "login")
            for header in OWN.values():
                client.mail(LOGIN, ["b@hop.example"], header.encode() + b"\r\n\r\nHello.\r\n")
            client.quit()
        contents = [message.content for message in sink.wait(len(OWN))]
        for name, header in OWN.items():
            check(any(content.endswith(b"\r\n" + header.encode() + b"\r\n\r\nHello.\r\n") for content in contents), f"{name} has changed")


if __name__ == "__main__":
    TABLE = {f"{name}-passes": passes(header) for name, header in OWN.items()}
    main(TABLE | {f"{name}-is-foreign": is_foreign(header) for name, header in FOREIGN.items()})
