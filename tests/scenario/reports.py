#!/usr/bin/python3
"""Issue 5, item 2: reports to senders (RFC 3461 to 3464, RFC 6533), read back as any program reads them."""

import contextlib
import email
import email.policy
import os
import re
import signal
import sqlite3
import sys
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import ME, Gateway, Sink, await_true, check, equal, main, matches  # noqa: E402  pylint: disable=wrong-import-position

SENDER = "a@client.example"
HOP, HOME = "hop.example", "client.example"
TEXT = b"Subject: the original\r\n\r\nHello.\r\n"
REFUSED = "RCPT <refused: 550 5.1.1 No such user"
LATE = "RCPT <late: 450 4.2.1 Mailbox busy"
QUICK = {"DELIVERD_RETRY_MIN": "1s", "DELIVERD_RETRY_MAX": "1s", "DELIVERD_CONNECTION_IDLE": "0s"}
HEADER = {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}


def reporting(hop, home, **keys):
    """A gateway that reports, relays for 127.0.0.1, and sends mail for others to `hop`, and the reports to `home`."""
    gateway = Gateway({"TMAIL_BOUNCE_ENABLED": "true", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.route(HOP, hop)
    gateway.route(HOME, home)
    return gateway


@contextlib.contextmanager
def places(*script, home=(), offers=None, **keys):
    """A next hop that follows this script, the sender's home, and a gateway between them."""
    with Sink(script=script, **({} if offers is None else {"offers": offers})) as hop, Sink(script=home) as back, \
            reporting(hop, back, **keys) as gateway:
        yield gateway, hop, back


def send(gateway, *recipients, sender=SENDER, text=TEXT, mail=""):
    """Send a message to recipients, each an address with its parameters behind it; return its id."""
    with gateway.session() as client:
        client.command(f"MAIL FROM:<{sender}> {mail}".rstrip(), "250 ")
        for recipient in recipients:
            address, _, parameters = recipient.partition(" ")
            client.command(f"RCPT TO:<{address}> {parameters}".rstrip(), "250 ")
        client.command("DATA", "354 ")
        client.send(text + b".\r\n")
        identifier = client.expect("250 2.0.0 Ok: queued ").last.rsplit(" ", 1)[1]
        client.quit()
    return identifier


@dataclass
class Report:
    """A report, taken apart."""

    whole: object
    words: str
    kinds: list
    fields: dict
    recipients: list
    returned: bytes

    def __getitem__(self, address):
        """The fields of one recipient."""
        found = [fields for fields in self.recipients if fields["Final-Recipient"].partition(";")[2].strip() == address]
        equal(len(found), 1, f"groups of {address} in {self.recipients!r}")
        return found[0]

    @property
    def actions(self):
        """What became of whom."""
        return {fields["Final-Recipient"].partition(";")[2].strip(): fields["Action"] for fields in self.recipients}


def parts_of(content, boundary):
    """The parts as they were sent, header and body each."""
    pieces = content.split(b"\r\n--" + boundary.encode())
    equal(pieces[-1].strip(), b"--", "what follows the last part")
    return [piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")[::2] for piece in pieces[1:-1]]


def read(message, to=SENDER):
    """Take a report apart; what must be true of any report is looked at here."""
    equal((message.sender, message.recipients), ("", [to]), "envelope of the report")
    check(any(b" NOTIFY=NEVER" in line for line in message.session.commands), f"NOTIFY=NEVER in {message.session.commands!r}")
    check(b"\r\n" not in message.content.replace(b"\r\n", b"") and all(len(line) <= 998 for line in message.content.split(b"\r\n")), "lines")
    whole = email.message_from_bytes(message.content, policy=email.policy.SMTPUTF8)
    equal(whole.defects, [], "defects")
    equal(whole.get_content_type(), "multipart/report", "type")
    equal(whole.get_param("report-type"), "delivery-status", "report-type")
    equal(whole["From"].addresses[0].addr_spec, f"MAILER-DAEMON@{ME}", "From")
    equal(whole["To"].addresses[0].addr_spec.encode(errors="surrogateescape").decode(), to, "To")
    equal(whole["Auto-Submitted"], "auto-replied", "Auto-Submitted")
    equal(whole["MIME-Version"], "1.0", "MIME-Version")
    matches(re.compile(rf"<[^<>@\s]+@{re.escape(ME)}>"), whole["Message-ID"], "Message-ID")
    check(parsedate_to_datetime(whole["Date"]) is not None and whole["Subject"], "Date and Subject")
    parts = list(whole.iter_parts())
    equal(len(parts), 3, "parts")
    equal(parts[0].get_content_type(), "text/plain", "first part")
    (_, _), (_, status), (_, returned) = parts_of(message.content, whole.get_boundary())
    groups = [dict(email.message_from_bytes(group, policy=email.policy.compat32).items()) for group in status.strip().split(b"\r\n\r\n")]
    equal(groups[0]["Reporting-MTA"], f"dns; {ME}", "Reporting-MTA")
    check(parsedate_to_datetime(groups[0]["Arrival-Date"]) is not None, "Arrival-Date")
    return Report(whole, parts[0].get_content(), [part.get_content_type() for part in parts[1:]], groups[0], groups[1:], returned)


def only_report(home, to=SENDER):
    """The only report that came home."""
    equal(len(home.wait(1)), 1, "reports")
    return read(home.messages[0], to)


def quiet(gateway, home, count=0):
    """Nothing is left to do, and no more than `count` reports came home."""
    gateway.await_empty_queue()
    equal(len(home.messages), count, "reports")


def history(gateway, identifier):
    """What happened to a message, oldest first: event, recipient, reason."""
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"), timeout=30)) as database:
        return database.execute("SELECT event, recipient, reason FROM history WHERE message = ? ORDER BY id", (int(identifier, 16),)).fetchall()


def change_queue(gateway, statement, *values):
    """Carry out SQL in the queue's database."""
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"), timeout=30)) as database, database:
        database.execute(statement, values)


def report_all(gateway):
    """Turn reports on in a gateway that made none."""
    gateway.config["TMAIL_BOUNCE_ENABLED"] = "true"
    gateway.reload()


# --- failures ---


def failure(script, status, diagnostic, recipient="u@" + HOP):
    """The test that a failure after these replies of the next hop is reported with this status and diagnostic."""
    def test():
        with places(script) as (gateway, hop, home):
            identifier = send(gateway, recipient)
            report = only_report(home)
            equal(report.actions, {recipient: "failed"}, "actions")
            fields = report[recipient]
            equal(fields["Final-Recipient"], f"rfc822; {recipient}", "Final-Recipient")
            equal(fields["Status"], status, "Status")
            equal(fields["Diagnostic-Code"], f"smtp; {diagnostic}", "Diagnostic-Code")
            equal(fields["Remote-MTA"], f"dns; {hop.address}", "Remote-MTA")
            check(parsedate_to_datetime(fields["Last-Attempt-Date"]) is not None, "Last-Attempt-Date")
            check("Original-Recipient" not in fields and "Will-Retry-Until" not in fields, f"fields too many: {fields!r}")
            check("Original-Envelope-Id" not in report.fields, "an ENVID that nobody gave")
            equal(report.kinds, ["message/delivery-status", "message/rfc822"], "parts")
            check(report.returned.endswith(TEXT), f"the original comes back: {report.returned!r}")
            check(recipient in report.words and diagnostic in report.words, f"words for people: {report.words}")
            gateway.await_empty_queue()
            names = [event for event, *_ in history(gateway, identifier)]
            equal(names, ["failed", "reported"], "history")
            gateway.await_log(rf"event=report .*queue={identifier} report={history(gateway, identifier)[1][2]} ")
            session = gateway.await_log(rf"event=queued session=(\w+) queue={identifier}")[1]
            gateway.await_log(rf'event=delivered session={session} queue=\w+ sender="" recipient={SENDER}')
    return test


FAILURES = {
    "mail": ("MAIL: 550 5.7.1 Not from you", "5.7.1", "550 5.7.1 Not from you"),
    "rcpt": ("RCPT: 550 5.1.1 No such user", "5.1.1", "550 5.1.1 No such user"),
    "data": ("DATA: 554 5.7.1 Not today", "5.7.1", "554 5.7.1 Not today"),
    "the-final-dot": (".: 554 5.6.0 Bad content", "5.6.0", "554 5.6.0 Bad content"),
    "rcpt-without-a-status": ("RCPT: 550 No", "5.0.0", "550 No"),
}


def test_a_sender_that_is_an_alias():
    """A report to an alias of ours goes to those whom it stands for, by the daemon and by an administrator."""
    with places(REFUSED, "RCPT <later: 450 4.2.1 Mailbox busy") as (gateway, _, home):
        gateway.tmail("rcpthost", "add", "-l", "local.example")
        gateway.tmail("alias", "add", "-d", f"one@{HOME};two@{HOME}", "team@local.example")
        send(gateway, f"refused@{HOP}", sender="team@local.example")
        home.wait(1)
        held = send(gateway, f"later@{HOP}", sender="team@local.example")
        gateway.await_recipient(f"later@{HOP}", "scheduled")
        gateway.tmail("queue", "bounce", held)
        for message in home.wait(2):
            equal((message.sender, sorted(message.recipients)), ("", [f"one@{HOME}", f"two@{HOME}"]), "envelope of the report")
            check(b"To: <team@local.example>" in message.content or b"To: team@local.example" in message.content, "To")
        gateway.await_empty_queue()


def test_one_report_tells_of_all_that_failed():
    """Of five recipients two go; the report tells of the three others, each with its own reply."""
    names = [f"{name}@{HOP}" for name in ("u1", "refused1", "u2", "refused2", "gone")]
    with places(REFUSED, "RCPT <gone: 551 5.1.6 Moved away") as (gateway, hop, home):
        send(gateway, *names)
        report = only_report(home)
        equal(report.actions, {names[1]: "failed", names[3]: "failed", names[4]: "failed"}, "actions")
        equal([report[name]["Status"] for name in (names[1], names[3], names[4])], ["5.1.1", "5.1.1", "5.1.6"], "Status")
        check("u1@" not in report.words and "u2@" not in report.words, f"words: {report.words}")
        equal(hop.messages[0].recipients, [names[0], names[2]], "recipients")
        quiet(gateway, home, 1)


def test_recipients_of_two_hops_are_reported_together():
    """The second hop takes its time to refuse: the report waits for it."""
    with Sink(script=["RCPT: gate; 550 5.1.1 Nobody"]) as slow, places(REFUSED) as (gateway, _, home):
        gateway.route("slow.example", slow)
        send(gateway, "refused@" + HOP, "u@slow.example")
        gateway.await_recipient("refused@" + HOP, "failed")
        slow.wait_for(lambda sink: any(b"RCPT" in line for session in sink.sessions for line in session.commands), "RCPT")
        send(gateway, "refused.later@" + HOP)
        equal(only_report(home).actions, {"refused.later@" + HOP: "failed"}, "the first report")
        slow.gate.set()
        equal(read(home.wait(2)[1]).actions, {"refused@" + HOP: "failed", "u@slow.example": "failed"}, "the second report")
        quiet(gateway, home, 2)


def test_a_message_that_outlives_the_queue_is_reported():
    """With the last reply that it met."""
    with places(LATE, DELIVERD_QUEUE_LIFETIME="1s", **QUICK) as (gateway, _, home):
        send(gateway, "late@" + HOP)
        fields = only_report(home)["late@" + HOP]
        equal(fields["Action"], "failed", "Action")
        equal(fields["Status"], "5.2.1", "Status")
        check("Mailbox busy" in fields["Diagnostic-Code"], f"Diagnostic-Code: {fields['Diagnostic-Code']}")
        quiet(gateway, home, 1)


def test_what_failed_while_nothing_was_reported_is_reported_later():
    """TMAIL_BOUNCE_ENABLED=false keeps it in the queue; true, and a reload, report it."""
    with places(REFUSED, BOUNCE_ENABLED="false") as (gateway, _, home):
        send(gateway, "refused@" + HOP)
        gateway.await_recipient("refused@" + HOP, "failed")
        equal(home.messages, [], "reports")
        report_all(gateway)
        equal(only_report(home).actions, {"refused@" + HOP: "failed"}, "actions")
        quiet(gateway, home, 1)


# --- what the sender asked for ---


def test_notify_never_and_others_are_not_told_of_failures():
    """RFC 3461 4.1: who lists other events than FAILURE hears of none; the message behind them is reported."""
    with places(REFUSED, BOUNCE_DELAY="all") as (gateway, _, home):
        for notify in ("NEVER", "SUCCESS", "DELAY", "SUCCESS,DELAY"):
            send(gateway, f"refused@{HOP} NOTIFY={notify}")
        send(gateway, f"refused0@{HOP} NOTIFY=NEVER", f"refused1@{HOP}")
        equal(only_report(home).actions, {"refused1@" + HOP: "failed"}, "actions")
        quiet(gateway, home, 1)
        await_true(lambda: len(re.findall(r"event=dropped ", gateway.log())) == 5, "five lines of the log")


def test_notify_failure_is_told_of_failures():
    """Alone and among others."""
    names = [f"refused{number}@{HOP}" for number in range(2)]
    with places(REFUSED) as (gateway, _, home):
        send(gateway, f"{names[0]} NOTIFY=FAILURE", f"{names[1]} NOTIFY=SUCCESS,FAILURE,DELAY")
        equal(only_report(home).actions, {names[0]: "failed", names[1]: "failed"}, "actions")
        quiet(gateway, home, 1)


def test_envid_and_orcpt_come_back():
    """RFC 3464 2.2.1, 2.3.1: ENVID without its xtext, ORCPT with its type."""
    with places(REFUSED) as (gateway, _, home):
        send(gateway, f"refused@{HOP} ORCPT=rfc822;old+2Bname@first.example", mail="ENVID=QQ+2B314159")
        report = only_report(home)
        equal(report.fields["Original-Envelope-Id"], "QQ+314159", "Original-Envelope-Id")
        equal(report["refused@" + HOP]["Original-Recipient"], "rfc822; old+name@first.example", "Original-Recipient")


def returned(mail, size, kind, **keys):
    """The test that after this MAIL a message of this size comes back as this kind of part."""
    def test():
        text = TEXT + size * b"123456789 123456789 123456789 123456\r\n"
        with places(REFUSED, **keys) as (gateway, _, home):
            send(gateway, "refused@" + HOP, text=text, mail=mail)
            report = only_report(home)
            if kind == "whole":
                equal(report.kinds[1], "message/rfc822", "type")
                check(report.returned.endswith(text), "the original comes back whole")
            else:
                check(report.kinds[1] in HEADER, f"type: {report.kinds[1]}")
                check(b"Subject: the original" in report.returned and b"Hello" not in report.returned, f"the header: {report.returned!r}")
    return test


RETURNED = {
    "by-default": ("", 10, "whole"),
    "ret-full": ("RET=FULL", 10, "whole"),
    "ret-hdrs": ("RET=HDRS", 10, "header"),
    "ret-full-too-large": ("RET=FULL", 2000, "header"),
    "larger-by-the-key": ("", 20000, "whole"),
}
RETURN_KEYS = {"larger-by-the-key": {"BOUNCE_SIZE": "2M"}}


def test_a_success_is_told_by_the_last_who_can():
    """RFC 3461 5.2.2: a next hop without DSN has it relayed; one with DSN is asked to report itself."""
    with places(offers=("PIPELINING", "8BITMIME")) as (gateway, _, home), Sink() as able:
        gateway.route("able.example", able)
        send(gateway, f"u@{HOP} NOTIFY=SUCCESS ORCPT=rfc822;u@{HOP}", f"v@{HOP}", f"w@{HOP} NOTIFY=FAILURE", mail="RET=FULL ENVID=x")
        report = only_report(home)
        equal(report.actions, {"u@" + HOP: "relayed"}, "actions")
        matches(re.compile(r"2\.[0-9]+\.[0-9]+"), report["u@" + HOP]["Status"], "Status")
        check(report.kinds[1] in HEADER, f"a success brings no content back (RFC 3461 4.3): {report.kinds[1]}")
        send(gateway, "u@able.example NOTIFY=SUCCESS,FAILURE")
        able.wait(1)
        check(any(b"NOTIFY=SUCCESS,FAILURE" in line for line in able.commands()), f"NOTIFY is passed on: {able.commands()!r}")
        quiet(gateway, home, 1)


# --- delays ---


def test_a_delay_is_told_once():
    """TMAIL_BOUNCE_DELAY=all; then the message goes, of which nobody wanted to hear."""
    with places(LATE, BOUNCE_DELAY="all", BOUNCE_DELAY_AFTER="1s", **QUICK) as (gateway, hop, home):
        send(gateway, "late@" + HOP)
        report = only_report(home)
        fields = report["late@" + HOP]
        equal(fields["Action"], "delayed", "Action")
        matches(re.compile(r"4\.[0-9]+\.[0-9]+"), fields["Status"], "Status")
        check(parsedate_to_datetime(fields["Will-Retry-Until"]) > parsedate_to_datetime(fields["Last-Attempt-Date"]), f"times: {fields!r}")
        check(report.kinds[1] in HEADER, f"a delay brings no content back: {report.kinds[1]}")
        gateway.await_queue(lambda entries: [entry["status"] for entry in entries] == ["scheduled"], "the message alone, which waits")
        before = len(hop.sessions)
        hop.wait_for(lambda sink: len(sink.sessions) >= before + 3, "three more attempts")
        hop.rules.clear()
        hop.wait(1)
        quiet(gateway, home, 1)


def delays(key, notify, told):
    """The test that a message with this NOTIFY is told of a delay, or not, with this TMAIL_BOUNCE_DELAY."""
    def test():
        with places(LATE, BOUNCE_DELAY=key, BOUNCE_DELAY_AFTER="1s", **QUICK) as (gateway, hop, home):
            send(gateway, f"late@{HOP} {notify and 'NOTIFY=' + notify}".rstrip())
            if told:
                equal(only_report(home).actions, {"late@" + HOP: "delayed"}, "actions")
            hop.wait_for(lambda sink: sum(b"RCPT" in line for session in sink.sessions for line in session.commands) >= 4, "four attempts")
            hop.rules.clear()
            hop.wait(1)
            quiet(gateway, home, int(told))
    return test


DELAYS = {
    "none-though-asked-for": ("none", "DELAY", False),
    "asked-for": ("asked", "DELAY,FAILURE", True),
    "asked-for-something-else": ("all", "FAILURE,SUCCESS", False),
    "not-asked-for": ("asked", "", False),
    "never": ("all", "NEVER", False),
}


# --- mail that must not be answered ---


def test_the_null_sender_is_never_answered():
    """It is dropped with a line in the log; with TMAIL_BOUNCE_DELAY=all too."""
    with places(REFUSED, BOUNCE_DELAY="all") as (gateway, _, home):
        identifier = send(gateway, "refused@" + HOP, sender="")
        line = gateway.await_log(rf"level=(\w+) .*event=dropped .*queue={identifier} recipient=refused@{HOP} .*reason=(.*)")
        equal(line[1], "warning", "level")
        check("No such user" in line[2], f"the reason: {line[2]}")
        quiet(gateway, home)


def test_a_report_that_is_refused_is_dropped():
    """No report on a report."""
    with places(REFUSED, home=["RCPT: 550 5.1.1 Unknown here"]) as (gateway, _, home):
        identifier = send(gateway, "refused@" + HOP)
        report = gateway.await_log(rf"event=report .*queue={identifier} report=(\w+) recipients=1")[1]
        gateway.await_log(rf"event=dropped .*queue={report} recipient={SENDER} ")
        quiet(gateway, home)
        equal(len(re.findall("event=report ", gateway.log())), 1, "reports made")


def test_a_report_that_is_late_is_dropped_at_the_end_of_its_life():
    """TMAIL_DELIVERD_QUEUE_BOUNCES_LIFETIME, not that of other mail."""
    with places(REFUSED, home=["RCPT: 450 4.2.0 Later"], DELIVERD_QUEUE_BOUNCES_LIFETIME="1s", **QUICK) as (gateway, _, home):
        send(gateway, "refused@" + HOP)
        gateway.await_log(rf"event=dropped .*recipient={SENDER} .*given up after")
        quiet(gateway, home)


def test_the_postmaster_hears_of_reports_that_cannot_be_delivered():
    """But not of other mail from the null sender; what the postmaster refuses is dropped."""
    postmaster = "post@master.example"
    with Sink(script=["RCPT#2: 550 5.2.1 Enough"]) as office, \
            places(REFUSED, home=["RCPT: 550 5.1.1 Unknown here"], BOUNCE_POSTMASTER=postmaster) as (gateway, _, home):
        gateway.route("master.example", office)
        send(gateway, "refused@" + HOP)
        equal(read(office.wait(1)[0], postmaster).actions, {SENDER: "failed"}, "actions")
        send(gateway, "refused@" + HOP, sender="")
        gateway.await_log(rf"event=dropped .*recipient=refused@{HOP} ")
        send(gateway, "refused@" + HOP)
        gateway.await_log(rf"event=dropped .*recipient={postmaster} ")
        quiet(gateway, home)
        equal(len(office.messages), 1, "messages for the postmaster")


def relaying(port_of=None, **keys):
    """A gateway that sends everything to another, once it has one."""
    gateway = Gateway({"TMAIL_BOUNCE_ENABLED": "true", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    if port_of:
        relay_to(gateway, port_of)
    return gateway


def relay_to(gateway, other):
    """Send everything to the other gateway."""
    gateway.tmail("routes", "add", "-d", "*", "-rh", "127.0.0.1", "-rp", str(other.port))


def test_a_loop_between_two_gateways_ends():
    """Each sends everything to the other: the message ends at the limit of hops, its report too, and that is not reported."""
    with relaying(ME="one.test", SMTPD_MAX_HOPS="5") as one, relaying(one, ME="two.test", SMTPD_MAX_HOPS="5") as two:
        relay_to(one, two)
        send(one, "u@somewhere.example", sender="x@elsewhere.example")
        for event in ("report", "dropped"):
            await_true(lambda: f"event={event} " in one.log() + two.log(), f"the event {event}")  # pylint: disable=cell-var-from-loop
        one.await_empty_queue()
        two.await_empty_queue()
        log = one.log() + two.log()
        equal((len(re.findall("event=report ", log)), len(re.findall("event=dropped ", log))), (1, 1), "reports made and dropped")


def test_postmasters_of_each_other_hear_of_nothing_twice():
    """Each gateway's postmaster is a mailbox of the other's, and no mailbox takes anything: a report from there is no report of ours."""
    with Sink(script=["RCPT: 550 5.1.1 Unknown here"]) as nobody, relaying(ME="one.test", BOUNCE_POSTMASTER="pm@two.example") as one, \
            relaying(one, ME="two.test", BOUNCE_POSTMASTER="pm@one.example") as two:
        relay_to(one, two)
        one.route("one.example", nobody)
        two.route("two.example", nobody)
        send(one, "u@one.example", sender="x@two.example")
        await_true(lambda: "event=dropped " in one.log() + two.log(), "something to be dropped")
        one.await_empty_queue()
        two.await_empty_queue()
        one.await_empty_queue()
        check(len(re.findall("event=report ", one.log() + two.log())) <= 3, "more reports than one, and one about it")


# --- contents ---


def test_an_original_of_eight_bits_comes_back_as_it_is():
    """With BODY=8BITMIME for the report."""
    text = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße.\r\n".encode()
    with places(REFUSED) as (gateway, _, home):
        send(gateway, "refused@" + HOP, text=text, mail="BODY=8BITMIME")
        report = only_report(home)
        check(report.returned.endswith(text), f"the original: {report.returned!r}")
        check(b"BODY=8BITMIME" in home.messages[0].mail, f"MAIL: {home.messages[0].mail!r}")


def test_an_original_that_no_mail_may_hold_costs_no_report():
    """NUL and bare line ends, which are no longer accepted, in header and body: the report is mail as any other."""
    text = b"Subject: a\0b\nX-Bare: x\r\nX-Other: kept\r\n\r\nHello \0 there \xff\xfe.\r\n"
    with places(REFUSED, BOUNCE_ENABLED="false") as (gateway, _, home):
        identifier = send(gateway, "refused@" + HOP)
        gateway.await_recipient("refused@" + HOP, "failed")
        change_queue(gateway, "UPDATE message SET content = ?, size = ? WHERE id = ?", text, len(text), int(identifier, 16))
        report_all(gateway)
        report = only_report(home)
        check(b"\0" not in home.messages[0].content, "a NUL in the report")
        check(report.kinds[1] in HEADER and b"X-Other: kept" in report.returned, f"the original: {report.returned!r}")
        equal(report.actions, {"refused@" + HOP: "failed"}, "actions")


def test_a_boundary_in_the_original_ends_nothing():
    """The original looks like the parts of a report."""
    with places(REFUSED) as (gateway, _, home):
        send(gateway, "refused@" + HOP)
        boundary = only_report(home).whole.get_boundary()
        text = TEXT + f"--{boundary}--\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\nAction: delivered\r\n".encode()
        send(gateway, "refused@" + HOP, text=text)
        report = read(home.wait(2)[1])
        check(report.returned.endswith(text), f"the original: {report.returned!r}")
        equal(report.actions, {"refused@" + HOP: "failed"}, "actions")


def test_a_reply_cannot_write_fields():
    """What the next hop says stays in its field."""
    reply = r"RCPT <refused: 550-5.1.1 first\r\n550-5.1.1 Action: delivered\r\n550 5.1.1 " + 300 * "x"
    with places(reply) as (gateway, _, home):
        send(gateway, "refused@" + HOP)
        report = only_report(home)
        equal(report.actions, {"refused@" + HOP: "failed"}, "actions")
        check("first" in report["refused@" + HOP]["Diagnostic-Code"], f"Diagnostic-Code: {report.recipients!r}")


def test_a_message_that_needs_smtputf8_has_a_report_that_does():
    """RFC 6533: message/global-delivery-status, utf-8 addresses, and SMTPUTF8 at MAIL."""
    sender, recipient = "jürgen@client.example", "refused.dürer@" + HOP
    text = "Subject: Grüße\r\n\r\nHello.\r\n".encode()
    with places(REFUSED) as (gateway, _, home):
        send(gateway, recipient, sender=sender, text=text, mail="SMTPUTF8 BODY=8BITMIME")
        report = only_report(home, sender)
        check(b"SMTPUTF8" in home.messages[0].mail, f"MAIL: {home.messages[0].mail!r}")
        equal(report.kinds, ["message/global-delivery-status", "message/global"], "parts")
        raw = home.messages[0].content.decode()
        check(f"Final-Recipient: utf-8; {recipient}\r\n" in raw, f"Final-Recipient in {raw}")
        check(report.returned.endswith(text), f"the original: {report.returned!r}")


def test_a_header_that_needs_smtputf8_is_enough():
    """All addresses are ASCII; what comes back is not."""
    text = "Subject: Grüße\r\n\r\nHello.\r\n".encode()
    with places(REFUSED) as (gateway, _, home):
        send(gateway, "refused@" + HOP, text=text, mail="SMTPUTF8 BODY=8BITMIME")
        report = only_report(home)
        check(b"SMTPUTF8" in home.messages[0].mail, f"MAIL: {home.messages[0].mail!r}")
        equal(report.kinds, ["message/global-delivery-status", "message/global"], "parts")
        check(report.returned.endswith(text), f"the original: {report.returned!r}")


def test_words_of_the_administrators_own():
    """TMAIL_BOUNCE_TEMPLATE; when the file is gone, the words that are built in: that costs no report."""
    words = "Subject: Sorry\n\nDear user, {{each failed}}{{address}} {{end}}was not reached.\n"
    with places(REFUSED) as (gateway, _, home):
        path = gateway.write_file("words.tpl", words)
        gateway.config["TMAIL_BOUNCE_TEMPLATE"] = path
        gateway.restart()
        send(gateway, "refused@" + HOP)
        report = only_report(home)
        equal(report.whole["Subject"], "Sorry", "Subject")
        check(f"Dear user, refused@{HOP} was not reached." in report.words, f"words: {report.words}")
        os.remove(path)
        send(gateway, "refused@" + HOP)
        check("could not be delivered" in read(home.wait(2)[1]).words, "words that are built in")


# --- one report, whatever happens ---


def test_every_failure_is_reported_once_through_crashes():
    """SIGKILL of the delivering process while it reports: of each message one report is made, and none is lost."""
    count = 120
    with places(REFUSED, **QUICK) as (gateway, _, home):
        for start in range(0, count, count // 2):
            with gateway.session() as client:
                for number in range(start, start + count // 2):
                    client.mail(SENDER, [f"refused{number}@{HOP}"], TEXT)
            home.wait(start // 4 + 1)
            os.kill(gateway.child("deliverd"), signal.SIGKILL)
        gateway.await_empty_queue()
        reports = {message.content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0]: read(message) for message in home.messages}
        equal(sorted(name for report in reports.values() for name in report.actions), sorted(f"refused{number}@{HOP}" for number in range(count)),
              "recipients reported")


def test_two_generations_report_once():
    """Reloads while failures are reported: the process that drains and the new one."""
    count = 150
    with places(REFUSED, "RCPT <refused7: gate; 550 5.1.1 No") as (gateway, hop, home):
        with gateway.session() as client:
            for number in range(count):
                client.mail(SENDER, [f"refused{number}@{HOP}"], TEXT)
                if number % 50 == 49:
                    gateway.reload()
        hop.gate.set()
        gateway.await_empty_queue()
        equal(sorted(name for message in home.messages for name in read(message).actions), sorted(f"refused{number}@{HOP}" for number in range(count)),
              "recipients reported")


def test_a_message_that_cannot_be_reported_is_held():
    """Its content is gone; those around it are reported."""
    with places(REFUSED, BOUNCE_ENABLED="false") as (gateway, _, home):
        ids = [send(gateway, f"refused{number}@{HOP}") for number in range(3)]
        for number in range(3):
            gateway.await_recipient(f"refused{number}@{HOP}", "failed")
        change_queue(gateway, "UPDATE message SET content = x'' WHERE id = ?", int(ids[1], 16))
        report_all(gateway)
        home.wait(2)
        check("content cannot be read" in gateway.await_recipient(f"refused1@{HOP}", "held")["reason"], "the reason")
        gateway.await_queue(lambda entries: len(entries) == 1, "one that is held")
        equal(sorted(name for message in home.messages for name in read(message).actions), [f"refused0@{HOP}", f"refused2@{HOP}"], "reported")


if __name__ == "__main__":
    main({**{f"failure-at-{name}": failure(*words) for name, words in FAILURES.items()},
          **{f"returned-{name}": returned(*words, **RETURN_KEYS.get(name, {})) for name, words in RETURNED.items()},
          **{f"delay-{name}": delays(*words) for name, words in DELAYS.items()}})
