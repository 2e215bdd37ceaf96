#!/usr/bin/python3
"""Reports (report/dsn.h) as Python's email package reads them: the parts, and every field of the part for programs."""

import email
import email.policy
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from driver import Driver  # noqa: E402  pylint: disable=wrong-import-position
from gateway import ROOT  # noqa: E402  pylint: disable=wrong-import-position
from tmail import check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

FAILED, DELAYED, DELIVERED, RELAYED = range(4)
SENDER = "alice@example.org"
ORIGINAL = (b"Received: from a.example by mx.example.org; Fri, 20 Nov 2026 22:26:40 +0000\r\nMessage-ID: <1.2@example.org>\r\n"
            b"Subject: =?utf-8?q?H=C3=A9?= you\r\nFrom: <alice@example.org>\r\n\r\nA line\r\n.\r\n--a\r\n")
FIRST = (FAILED, "bob@example.com", "rfc822;robert+2Bx@example.com", 550, "5.1.1", "No such user", "mx1.example.com[192.0.2.1]:25")
SECOND = (FAILED, "late@example.net", "", 451, "4.4.7", "It waited for 5 days", "")
NOW, YESTERDAY, TOMORROW = (f"{day} Nov 2026 22:26:40 +0000" for day in ("Sat, 21", "Fri, 20", "Sun, 22"))


def report(*recipients, original=ORIGINAL, to=SENDER, envid="", ret=0, smtputf8=0, template=""):  # pylint: disable=too-many-arguments
    """A report, parsed, and what dsn_write said of it; its lines are within the limits and its defects none."""
    with Driver("dsn_driver", lambda _: []) as driver:
        paths = [os.path.join(driver.folder.name, name) for name in ("original", "report")]
        with open(paths[0], "wb") as file:
            file.write(original)
        equal(driver.say("message", to, envid, ret, smtputf8, template, paths[0]), "ok", "message")
        for recipient in recipients:
            equal(driver.say("recipient", *recipient), "ok", "recipient")
        flags = driver.say("write", paths[1])
        with open(paths[1], "rb") as file:
            raw = file.read()
    for line in raw.split(b"\r\n"):
        check(len(line) <= 998 and b"\n" not in line and b"\r" not in line, f"bad line {line!r}")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    equal([part.defects for part in message.walk() if part.defects], [], "defects")
    return message, flags


def kinds(message):
    """The types of the three parts."""
    equal(message.get_content_type(), "multipart/report", "type")
    equal(message.get_param("report-type"), "delivery-status", "report-type")
    return [part.get_content_type() for part in message.iter_parts()]


def text_of(message, part=0):
    """The text of a part."""
    return message.get_payload(part).get_content().replace("\r\n", "\n")


def fields(message):
    """The blocks of fields of the second part, of which the first is about the message."""
    return [dict(block.items()) for block in message.get_payload(1).get_payload() if block.items()]


def test_failure():
    """Two recipients that failed together; the message comes back as it was."""
    message, flags = report(FIRST, SECOND, envid="QQ+2B314")
    equal(flags, "0 0", "flags")
    equal(kinds(message), ["text/plain", "message/delivery-status", "message/rfc822"], "parts")
    equal({name: message[name] for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "In-Reply-To", "References", "MIME-Version")},
          {"From": "Mail Delivery System <MAILER-DAEMON@mx.example.org>", "To": SENDER, "Subject": "Undelivered mail: Hé you", "Date": NOW,
           "Message-ID": "<0123456789abcdef@mx.example.org>", "Auto-Submitted": "auto-replied", "In-Reply-To": "<1.2@example.org>",
           "References": "<1.2@example.org>", "MIME-Version": "1.0"}, "header")
    text = text_of(message)
    check("<bob@example.com>\n    You wrote to <robert+x@example.com>.\n    mx1.example.com answered: 550 5.1.1 No such user\n" in text, text)
    equal(fields(message), [
        {"Original-Envelope-Id": "QQ+314", "Reporting-MTA": "dns; mx.example.org", "X-Tmail-Queue-Id": "0000000000abcdef", "Arrival-Date": YESTERDAY},
        {"Original-Recipient": "rfc822; robert+x@example.com", "Final-Recipient": "rfc822; bob@example.com", "Action": "failed", "Status": "5.1.1",
         "Remote-MTA": "dns; mx1.example.com", "Diagnostic-Code": "smtp; 550 5.1.1 No such user", "Last-Attempt-Date": NOW},
        {"Final-Recipient": "rfc822; late@example.net", "Action": "failed", "Status": "4.4.7", "Diagnostic-Code": "x-tmail; It waited for 5 days",
         "Last-Attempt-Date": NOW}], "fields")
    returned = message.get_payload(2).get_payload(0)
    equal((returned["Subject"], returned.get_payload()), ("Hé you", "A line\r\n.\r\n--a\r\n"), "what came back")


def test_delay():
    """A warning has the header, and says until when."""
    message, flags = report((DELAYED, "bob@example.com", "", 451, "4.3.0", "busy", "mx1.example.com[192.0.2.1]:25"))
    equal(flags, "0 0", "flags")
    equal(kinds(message), ["text/plain", "message/delivery-status", "text/rfc822-headers"], "parts")
    equal(message["Subject"], "Delayed mail: Hé you", "subject")
    equal(fields(message)[1], {"Final-Recipient": "rfc822; bob@example.com", "Action": "delayed", "Status": "4.3.0", "Remote-MTA": "dns; mx1.example.com",
                               "Diagnostic-Code": "smtp; 451 4.3.0 busy", "Last-Attempt-Date": NOW, "Will-Retry-Until": TOMORROW}, "fields")
    check("until" not in text_of(message) and "2026-11-22 22:26:40 UTC" in text_of(message), "no time in the text")
    equal(text_of(message, 2), ORIGINAL.decode().split("\r\n\r\n", maxsplit=1)[0].replace("\r\n", "\n") + "\n", "the header")


def test_success():
    """Delivered and relayed in one report."""
    message, _ = report((DELIVERED, "bob@example.com", "", 250, "2.1.5", "Ok", "mx1.example.com[192.0.2.1]:25"),
                        (RELAYED, "carol@example.net", "", 250, "", "Queued", "[192.0.2.9]:24"), ret=1)
    equal(kinds(message), ["text/plain", "message/delivery-status", "text/rfc822-headers"], "parts")
    equal([(block["Action"], block["Status"], block["Remote-MTA"], block["Diagnostic-Code"]) for block in fields(message)[1:]],
          [("delivered", "2.1.5", "dns; mx1.example.com", "smtp; 250 2.1.5 Ok"), ("relayed", "2.0.0", "dns; [192.0.2.9]", "smtp; 250 Queued")], "fields")


def test_recipient_beyond_ascii():
    """A recipient's address alone does not make the report need SMTPUTF8."""
    message, flags = report((FAILED, "böb@example.com", "utf-8;bøb@example.com", 550, "5.1.1", "né", "mx1.example.com[192.0.2.1]:25"))
    equal(flags, "0 0", "flags")
    equal(fields(message)[1]["Final-Recipient"], r"utf-8; b\x{F6}b@example.com", "Final-Recipient")
    equal(fields(message)[1]["Original-Recipient"], r"utf-8; b\x{F8}b@example.com", "Original-Recipient")
    equal(fields(message)[1]["Diagnostic-Code"], "smtp; 550 5.1.1 n?", "Diagnostic-Code")
    check("<böb@example.com>" in text_of(message), "the address in the text")


def test_smtputf8():
    """A message that needs SMTPUTF8 is answered with one."""
    message, flags = report((FAILED, "böb@example.com", "", 550, "5.1.1", "né", "mx1.example.com[192.0.2.1]:25"),
                            original="Subject: Hé\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nÉté\r\n".encode(), smtputf8=1)
    equal(flags, "1 1", "flags")
    equal(kinds(message), ["text/plain", "message/global-delivery-status", "message/global"], "parts")
    equal(message["Content-Transfer-Encoding"], "8bit", "encoding")
    check("Final-Recipient: utf-8; böb@example.com\r\n".encode() in message.as_bytes(policy=email.policy.SMTPUTF8), "Final-Recipient")
    equal(message.get_payload(2).get_payload(0).get_content().strip(), "Été", "what came back")


def test_too_large():
    """Of a large message the header comes back."""
    message, _ = report(FIRST, original=ORIGINAL + b"x" * 70 * 1024 + b"\r\n", ret=1)
    equal(kinds(message), ["text/plain", "message/delivery-status", "text/rfc822-headers"], "parts")
    check("Its header is attached." in text_of(message), "the text does not say so")


def test_french():
    """The French words, quoted."""
    message, flags = report(FIRST, template=os.path.join(ROOT, "contrib", "bounce", "french.tpl"))
    equal(flags, "0 0", "flags")
    equal(message["Subject"], "Message non remis : Hé you", "subject")
    text = message.get_payload(0)
    equal((text["Content-Language"], text.get_content_charset(), text["Content-Transfer-Encoding"]), ("fr", "utf-8", "quoted-printable"), "the text")
    check(text_of(message).startswith("Ceci est un avis du système de messagerie mx.example.org.\n\nVotre message n'a pas pu être remis"), text_of(message))


main()
