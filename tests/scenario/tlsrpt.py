#!/usr/bin/python3
"""RFC 8460: reports on TLS are made of what was counted, once a domain and day, and go where the domain wants them."""

import contextlib
import datetime
import email
import email.policy
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (ME, PATIENCE, PROGRAM, Certificates, Gateway, Sink, await_true, check, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   fresh_loopback, main, matches)
from gateway import clean_environment  # noqa: E402  pylint: disable=wrong-import-position
import dns  # noqa: E402  pylint: disable=wrong-import-position
from web import Answer, WebServer  # noqa: E402  pylint: disable=wrong-import-position
from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position

AUTHORITY = Certificates()
POLICY = "version: STSv1\nmode: enforce\nmx: mx.{0}\nmax_age: 86400"
COLUMNS = ("day", "domain", "type", "policy", "mx", "failure", "mx_host", "local_ip", "peer_ip", "reason", "sessions")
HOUR = 3600 * 1000


class Collector(WebServer):
    """Takes reports by HTTPS at collect.test. `posts` are (path, type, body), in order; `statuses` come first to be answered, 201 then."""

    def __init__(self, pair=None):
        self.posts, self.statuses, self.lock = [], [], threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(pair or AUTHORITY.make("collect", hosts=["collect.test"]))

    def answer(self, request):
        """Note what came."""
        with self.lock:
            self.posts.append((request.path, request.headers["Content-Type"], request.content))
            status = self.statuses.pop(0) if self.statuses else 201
        self.gate.wait(PATIENCE)
        return Answer(status)

    def url(self, path="/"):
        """Where a path of it is."""
        return f"https://collect.test:{self.port}{path}"

    def paths(self):
        """The paths that something came for."""
        return [path for path, _, _ in self.posts]


COLLECTOR = Collector()
DISTRUSTED = Collector(Certificates(name="another CA").make("collect", hosts=["collect.test"]))

# What a domain publishes below _smtp._tls, the recipients of its report, and the paths that it is sent to.
MAIL = "v=TLSRPTv1; rua=mailto:tls@reports.example"
PUBLISHED = {
    "mail": ([MAIL], ["tls@reports.example"], []),
    "https": ([f"v=TLSRPTv1; rua={COLLECTOR.url('/one')}"], [], ["/one"]),
    "both": ([f"v=TLSRPTv1; rua=mailto:tls@reports.example,{COLLECTOR.url('/both?a=b')};"], ["tls@reports.example"], ["/both?a=b"]),
    "several": ([f"v=TLSRPTv1;rua=mailto:a@reports.example,{COLLECTOR.url('/1')} , mailto:b@reports.example,{COLLECTOR.url('/2')}"],
                ["a@reports.example", "b@reports.example"], ["/1", "/2"]),
    "twice": ([f"v=TLSRPTv1; rua=mailto:a@reports.example,mailto:a@REPORTS.example,{COLLECTOR.url('/t')},{COLLECTOR.url('/t')}"],
              ["a@reports.example"], ["/t"]),
    "encoded": (["v=TLSRPTv1; rua=mailto:a%21b@reports.example?subject=x%0d%0aBcc:c@reports.example"], ["a!b@reports.example"], []),
    "in-pieces": (["v=TLSRPTv1; rua=mail\" \"to:tls@reports.example"], ["tls@reports.example"], []),
    "among-others": (["v=spf1 -all", MAIL, "v=TLSRPTv2; rua=mailto:x@reports.example"], ["tls@reports.example"], []),
    "extended": (["v=TLSRPTv1; x=y; rua=mailto:tls@reports.example; future=1"], ["tls@reports.example"], []),
    "half-known": (["v=TLSRPTv1; rua=ftp://x.test/,mailto:tls@reports.example,mailto:broken%zz@reports.example"],
                   ["tls@reports.example"], []),
    "two-records": ([MAIL, MAIL.replace("tls@", "more@")], [], []),
    "other-version": ([MAIL.replace("v1", "v2")], [], []),
    "no-address": (["v=TLSRPTv1;"], [], []),
    "only-broken": (["v=TLSRPTv1; rua=mailto:no-domain,mailto:a%0d%0ax@reports.example,mailto:a@[127.0.0.1],https://u:p@collect.test/"], [], []),
    "unreachable": ([f"v=TLSRPTv1; rua=mailto:%c3%bc@reports.example,https://127.0.0.1:{COLLECTOR.port}/,https://localhost:{COLLECTOR.port}/,"
                     "mailto:tls@reports.example"], ["tls@reports.example"], []),
    "without": ([], [], []),
}


def zone():
    """All of PUBLISHED, as NAME.dom.test."""
    records = [f"_smtp._tls.{name} TXT \"{text}\"" for name, (texts, _, _) in PUBLISHED.items() for text in texts]
    records += [f"_smtp._tls.m{number} TXT \"v=TLSRPTv1; rua=mailto:m{number}@reports.example\"" for number in range(40)]
    records += [f"_smtp._tls.distrusted TXT \"v=TLSRPTv1; rua={DISTRUSTED.url()}\""]
    return "\n".join(records)


DNS = Dns(Zone("dom.test", zone()), Zone("collect.test", "@ A 127.0.0.1", "insecure"))


def day(ago=1):
    """The day (UTC) so many days ago."""
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=ago)).strftime("%Y-%m-%d")


class Reporting:
    """A gateway, and the next hop of the addresses in PUBLISHED."""

    def __init__(self, start=False, **keys):
        # One that runs looks for itself what there is to send, soon after its start.
        self.gateway = Gateway({**DNS.keys(), "TMAIL_TLS_CA_FILE": AUTHORITY.ca, "TMAIL_TLSRPT_CONTACT": "tls-admin@sender.example", **keys},
                               start=start)
        self.sink = Sink()
        self.gateway.route("reports.example", self.sink)
        self.tmail = self.gateway.tmail

    def sql(self, statement, *values):
        """Run a statement on the database; its rows."""
        with contextlib.closing(sqlite3.connect(self.gateway.path("tmail.db"), timeout=30)) as db, db:
            return db.execute(statement, values).fetchall()

    def add(self, domain, ago=1, **values):
        """Add a row of what was counted; without values it is of three sessions that went well."""
        row = dict.fromkeys(COLUMNS, "") | {"day": day(ago), "domain": domain, "type": "no-policy-found", "sessions": 3} | values
        self.sql(f"INSERT INTO tls_results ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", *(row[name] for name in COLUMNS))

    def add_all(self, domain):
        """Add rows of all kinds."""
        sts = {"type": "sts", "policy": POLICY.format(domain), "mx": f"mx.{domain}\n*.{domain}"}
        tlsa = {"type": "tlsa", "policy": "3 1 1 0123\n2 0 1 4567"}
        self.add(domain, **sts, sessions=17)
        self.add(domain, **sts, failure="certificate-expired", mx_host=f"mx.{domain}", local_ip="192.0.2.7", peer_ip="2001:db8::25",
                 reason="certificate has \"expired\" \u00fc", sessions=2)
        self.add(domain, **sts, failure="sts-webpki-invalid", reason="x", sessions=1)
        self.add(domain, **tlsa, sessions=1000000)
        self.add(domain, sessions=5)

    def send(self, *words, status=0):
        """`tmail tlsrpt send`; its lines without the day."""
        result = self.gateway.run("tlsrpt", "send", *words)
        equal(result.status, status, f"exit status of tmail tlsrpt send ({result.err})")
        return result.out.splitlines()

    def make_due(self, count=1):
        """What was planned is due now; there are so many rows."""
        await_true(lambda: self.sql("SELECT count(*) FROM tls_reports")[0][0] >= count, "reports to be planned")
        self.sql("UPDATE tls_reports SET due = 1 WHERE due IS NOT NULL")

    def plan(self, *domains):
        """Have reports that are due as soon as somebody looks."""
        for domain in domains:
            self.add(domain)
            self.sql("INSERT INTO tls_reports (day, domain, due) VALUES (?, ?, 1)", day(), domain)

    def left(self):
        """What is still counted: day and domain."""
        return self.sql("SELECT DISTINCT day, domain FROM tls_results ORDER BY day, domain")


def parsed(message):
    """A message as Python's reader of mail has it; it must find nothing wrong."""
    letter = email.message_from_bytes(message.content, policy=email.policy.default)
    check(not any(part.defects for part in letter.walk()), f"defects: {[part.defects for part in letter.walk()]}")
    check(all(len(line) <= 998 for line in message.content.split(b"\r\n")), "a line is too long")
    check(b"\n" not in message.content.replace(b"\r\n", b"") and b"\r" not in message.content.replace(b"\r\n", b""), "a bare CR or LF")
    return letter


def checked(report, domain, contact="tls-admin@sender.example"):
    """A report, whose frame is as RFC 8460 section 4.4 has it."""
    equal(set(report), {"organization-name", "date-range", "contact-info", "report-id", "policies"}, "members of the report")
    equal(report["date-range"], {"start-datetime": f"{day()}T00:00:00Z", "end-datetime": f"{day()}T23:59:59Z"}, "range")
    equal(report["contact-info"], contact, "contact")
    check(report["organization-name"], "no name of the organization")
    matches(re.compile(r"^[0-9A-Za-z.-]+@[a-z.]+$"), report["report-id"], "report-id")
    for entry in report["policies"]:
        check(set(entry) <= {"policy", "summary", "failure-details"}, f"members of a policy: {set(entry)}")
        check(set(entry["policy"]) <= {"policy-type", "policy-string", "policy-domain", "mx-host"}, f"members: {set(entry['policy'])}")
        check(entry["policy"]["policy-type"] in ("sts", "tlsa", "no-policy-found"), f"type: {entry['policy']}")
        equal(entry["policy"]["policy-domain"], domain, "policy-domain")
        equal(set(entry["summary"]), {"total-successful-session-count", "total-failure-session-count"}, "members of the summary")
        failed = sum(detail["failed-session-count"] for detail in entry.get("failure-details", []))
        equal(entry["summary"]["total-failure-session-count"], failed, "failures")
    return report


def unpacked(data):
    """The report in a file."""
    return json.loads(gzip.decompress(data))


# --- what is sent ---

def test_a_report_by_mail():
    r, domain = Reporting(), "mail.dom.test"
    r.add_all(domain)
    shown = json.loads(r.tmail("tlsrpt", "show", domain))
    equal(r.send(domain), [f"{day()} - {domain} - mail is queued for tls@reports.example"], "what was sent")
    r.gateway.start()
    message, = r.sink.wait(1)
    equal((message.sender, message.recipients), ("", ["tls@reports.example"]), "envelope")
    letter = parsed(message)
    report_id = shown["report-id"]
    equal(letter["Subject"], f"Report Domain: {domain} Submitter: sender.example Report-ID: <{report_id}>", "subject")
    for name, value in {"From": "<tls-admin@sender.example>", "To": "<tls@reports.example>", "TLS-Report-Domain": domain,
                        "TLS-Report-Submitter": "sender.example", "Message-ID": f"<{report_id}>", "Auto-Submitted": "auto-generated",
                        "TLS-Required": "No", "MIME-Version": "1.0"}.items():
        equal([str(found) for found in letter.get_all(name, [])], [value.strip("<>") if name in ("From", "To") else value], name)
    check(abs(letter["Date"].datetime.timestamp() - time.time()) < 600, f"date: {letter['Date']}")
    equal(letter.get_content_type(), "multipart/report", "type")
    equal(letter.get_param("report-type"), "tlsrpt", "report-type")
    words, attached = letter.iter_parts()
    equal(words.get_content_type(), "text/plain", "type of the first part")
    check(domain in words.get_content() and "1000022" in words.get_content(), f"words: {words.get_content()}")
    equal(attached.get_content_type(), "application/tlsrpt+gzip", "type of the second part")
    begin = int(datetime.datetime.fromisoformat(day() + "T00:00:00+00:00").timestamp())
    matches(re.compile(rf"^sender\.example!mail\.dom\.test!{begin}!{begin + 86399}![0-9A-Za-z]+\.json\.gz$"), attached.get_filename(), "file")
    report = checked(unpacked(attached.get_content()), domain)
    equal(report, shown, "the report")
    policies = {entry["policy"]["policy-type"]: entry for entry in report["policies"]}
    equal(policies["sts"]["policy"]["policy-string"], POLICY.format(domain).split("\n"), "policy-string")
    equal(policies["sts"]["policy"]["mx-host"], [f"mx.{domain}", f"*.{domain}"], "mx-host")
    equal(policies["sts"]["summary"], {"total-successful-session-count": 17, "total-failure-session-count": 3}, "summary")
    equal(policies["sts"]["failure-details"],
          [{"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.7", "receiving-mx-hostname": f"mx.{domain}",
            "receiving-ip": "2001:db8::25", "failed-session-count": 2, "failure-reason-code": "certificate has \"expired\" \u00fc"},
           {"result-type": "sts-webpki-invalid", "failed-session-count": 1, "failure-reason-code": "x"}], "failure-details")
    equal(policies["tlsa"]["policy"]["policy-string"], ["3 1 1 0123", "2 0 1 4567"], "policy-string")
    check("mx-host" not in policies["tlsa"]["policy"] and "failure-details" not in policies["tlsa"], "more than there is")
    equal(r.left(), [], "what is left")
    equal(r.send(domain), ["nothing"], "what is sent again")
    equal(len(r.sink.messages), 1, "messages")


def test_a_report_by_https():
    r = Reporting()
    r.add_all("https.dom.test")
    shown = json.loads(r.tmail("tlsrpt", "show", "https.dom.test"))
    before = len(COLLECTOR.posts)
    equal(r.send(), [f"{day()} - https.dom.test - sent to {COLLECTOR.url('/one')}"], "what was sent")
    (path, kind, body), = COLLECTOR.posts[before:]
    equal((path, kind), ("/one", "application/tlsrpt+gzip"), "what came")
    equal(checked(unpacked(body), "https.dom.test"), shown, "the report")
    equal(r.left(), [], "what is left")
    equal(r.sink.messages, [], "messages")


def test_without_a_contact_it_is_the_postmaster():
    r = Reporting(TMAIL_TLSRPT_CONTACT="")
    r.add("https.dom.test")
    before = len(COLLECTOR.posts)
    r.send()
    (_, _, body), = COLLECTOR.posts[before:]
    report = checked(unpacked(body), "https.dom.test", f"postmaster@{ME}")
    equal(report["organization-name"], ME, "organization")


def addressed(name):
    """The test of an entry of PUBLISHED."""
    def test():
        _, recipients, paths = PUBLISHED[name]
        r, domain = Reporting(), f"{name}.dom.test"
        r.add(domain)
        before = len(COLLECTOR.posts)
        lines = r.send(domain)
        equal(sorted(COLLECTOR.paths()[before:]), paths, "paths")
        r.gateway.start()
        if recipients:
            message, = r.sink.wait(1)
            equal(sorted(message.recipients), recipients, "recipients")
            equal(sorted(address.addr_spec for address in parsed(message)["To"].addresses), recipients, "To")
        r.gateway.await_empty_queue()
        equal(len(r.sink.messages), bool(recipients), "messages")
        expected = len(recipients) + len(paths)
        equal(lines if not expected else len(lines), expected or [f"{day()} - {domain} - no address for reports, dropped"], "lines")
        equal(r.left(), [], "what is left")
    return test


def test_only_days_that_are_over():
    r = Reporting()
    r.add("mail.dom.test", ago=0)
    equal(r.send(), ["nothing"], "what was sent")
    equal(r.left(), [(day(0), "mail.dom.test")], "what is left")


def test_days_that_are_long_over_are_dropped():
    r = Reporting()
    for ago in (0, 1, 2, 3, 4, 400):
        r.add("mail.dom.test", ago=ago)
    equal(r.send(), [f"{day(ago)} - mail.dom.test - mail is queued for tls@reports.example" for ago in (2, 1)], "what was sent")
    equal(r.left(), [(day(0), "mail.dom.test")], "what is left")


def test_names_that_are_none_go_nowhere():
    r = Reporting()
    for domain in ("a b.dom.test", "x\r\nBcc: y@reports.example", "[127.0.0.1]", "", "-", "\u2028"):
        r.add(domain)
    r.add("mail.dom.test")
    equal(r.send(), [f"{day()} - mail.dom.test - mail is queued for tls@reports.example"], "what was sent")
    equal(r.left(), [], "what is left")


# --- what fails ---

def test_https_is_tried_again():
    r = Reporting()
    r.add("both.dom.test")
    COLLECTOR.statuses += [503, 404, 301]
    before = len(COLLECTOR.posts)
    first = [f"{day()} - both.dom.test - mail is queued for tls@reports.example",
             f"{day()} - both.dom.test - later: {COLLECTOR.url('/both?a=b')}: the server answered 503"]
    equal(r.send(status=75), first, "what was sent")
    shown = r.tmail("tlsrpt", "show", "both.dom.test")
    for attempt, status in enumerate((404, 301), 2):
        wait = r.sql("SELECT (due - CAST(1000 * unixepoch('subsec') AS INTEGER)) / 60000.0 FROM tls_reports WHERE due IS NOT NULL") \
            if sqlite3.sqlite_version_info >= (3, 42) else \
            r.sql("SELECT (due - 1000 * CAST(strftime('%s', 'now') AS INTEGER)) / 60000.0 FROM tls_reports WHERE due IS NOT NULL")
        expected = 20 * 2 ** (attempt - 2)
        check(expected - 1 < wait[0][0] <= expected + 0.1, f"waits {wait} minutes after attempt {attempt - 1}")
        equal(r.send(status=75), [f"{day()} - both.dom.test - later: {COLLECTOR.url('/both?a=b')}: the server answered {status}"], "news")
    equal(r.tmail("tlsrpt", "show", "both.dom.test"), shown, "the report, later")
    equal(r.send(), [f"{day()} - both.dom.test - sent to {COLLECTOR.url('/both?a=b')}"], "what was sent")
    equal(COLLECTOR.paths()[before:], ["/both?a=b"] * 4, "what came")
    equal(len({body for _, _, body in COLLECTOR.posts[before:]}), 1, "different reports")
    equal(r.left(), [], "what is left")


def test_what_is_done_is_told_before_the_next_begins():
    r = Reporting()
    r.plan("mail.dom.test", "https.dom.test")
    before = len(COLLECTOR.posts)
    COLLECTOR.gate.clear()
    words = [PROGRAM, "-c", r.gateway.config_path, "tlsrpt", "send"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=clean_environment()) as process:
        try:
            await_true(lambda: len(COLLECTOR.posts) > before, "the post to begin")
            process.kill()
        finally:
            COLLECTOR.gate.set()
        equal(process.stdout.read().decode(), f"{day()} - mail.dom.test - mail is queued for tls@reports.example\n", "what was told")


def test_rows_that_nobody_here_wrote_do_no_harm():
    r = Reporting()
    for when, domain in ((day(), b"mail.dom.test"), (day().encode(), "mail.dom.test"), ("some day", "mail.dom.test")):
        r.sql(f"INSERT INTO tls_results ({', '.join(COLUMNS)}) VALUES (?, ?, 'sts', '', '', '', '', '', '', '', 1)", when, domain)
    r.add("mail.dom.test")
    equal(r.send(), [f"{day()} - mail.dom.test - mail is queued for tls@reports.example"], "what was sent")
    equal(r.left(), [], "what is left")


def test_https_is_given_up_in_the_end():
    r = Reporting()
    r.add("distrusted.dom.test")
    for _ in range(6):
        line, = r.send(status=75)
        matches(re.compile(r" later: https://collect\.test:\d+/: .*certificate"), line)
    line, = r.send(status=75)
    matches(re.compile(r" given up: https://collect\.test:\d+/: .*certificate"), line)
    equal(DISTRUSTED.posts, [], "what came")
    equal(r.left(), [], "what is left")
    equal(r.send(), ["nothing"], "what is sent again")


def test_a_dns_that_fails_is_asked_again():
    r = Reporting()
    r.add("mail.dom.test")
    DNS.fault("servfail", "_smtp._tls.mail.dom.test", "TXT")
    try:
        line, = r.send(status=75)
    finally:
        DNS.mend()
    matches(re.compile(r"mail\.dom\.test - later: .+"), line)
    equal(r.left(), [(day(), "mail.dom.test")], "what is left")
    equal(r.send(), [f"{day()} - mail.dom.test - mail is queued for tls@reports.example"], "what was sent")


# --- by itself ---

def test_reports_go_out_by_themselves():
    r = Reporting()
    r.plan("mail.dom.test", "https.dom.test", "without.dom.test")
    r.add("several.dom.test", ago=0)
    before = len(COLLECTOR.posts)
    r.gateway.start()
    r.sink.wait(1)
    for pattern in (r"step=queued .*domain=mail\.dom\.test to=tls@reports\.example", r"step=posted .*domain=https\.dom\.test to=https://"):
        r.gateway.await_log(rf"level=info .*event=tls-report {pattern}")
    await_true(lambda: r.left() == [(day(0), "several.dom.test")], r.left)
    equal(COLLECTOR.paths()[before:], ["/one"], "what came")


def test_the_plan_spreads_reports_over_hours():
    r = Reporting()
    for number in range(20):
        r.add(f"m{number}.dom.test", ago=1)
    r.gateway.start()
    await_true(lambda: r.sql("SELECT count(*) FROM tls_reports")[0][0] == 20, "all to be planned")
    midnight = int(datetime.datetime.fromisoformat(day(0) + "T00:00:00+00:00").timestamp()) * 1000
    # What was due by now may be done; its time is gone then.
    times = [due for due, in r.sql("SELECT due FROM tls_reports WHERE due IS NOT NULL AND attempts = 0")]
    check(all(midnight + HOUR / 6 <= due < midnight + 4.2 * HOUR for due in times), f"times: {times}")


def test_two_deliverers_send_one_report():
    r = Reporting()
    domains = [f"m{number}.dom.test" for number in range(40)]
    r.plan(*domains, "https.dom.test")
    before = len(COLLECTOR.posts)
    COLLECTOR.gate.clear()
    try:
        r.gateway.start()
        for _ in range(3):
            r.gateway.reload()
        r.sink.wait(40)
        await_true(lambda: len(COLLECTOR.posts) > before, "the post to begin")
        r.gateway.reload()
    finally:
        COLLECTOR.gate.set()
    await_true(lambda: r.left() == [], r.left)
    r.gateway.await_empty_queue()
    equal(sorted(address for message in r.sink.messages for address in message.recipients),
          sorted(f"m{number}@reports.example" for number in range(40)), "recipients")
    equal(COLLECTOR.paths()[before:], ["/one"], "what was posted")


def test_two_commands_send_one_report():
    r = Reporting()
    for number in range(40):
        r.add(f"m{number}.dom.test")
    lines, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: lines.extend(r.send())))
        threads[-1].start()
    for thread in threads:
        thread.join()
    equal(sorted(line for line in lines if line != "nothing"),
          sorted(f"{day()} - m{number}.dom.test - mail is queued for m{number}@reports.example" for number in range(40)), "lines")


def test_off_by_the_key():
    r = Reporting(TMAIL_TLSRPT="false")
    r.plan("mail.dom.test")
    r.gateway.start()
    result = r.gateway.run("tlsrpt", "send")
    equal((result.status, result.out), (1, ""), "tmail tlsrpt send")
    check("TMAIL_TLSRPT is false" in result.err, result.err)
    r.gateway.restart()
    equal(r.left(), [(day(), "mail.dom.test")], "what is left")
    equal(r.gateway.queue(), [], "the queue")
    equal(r.sink.messages, [], "messages")


# --- what is counted ---

class Counting(Reporting):
    """A gateway that sends by MX, to hosts whose zones are made for it."""

    def __init__(self, start=True):
        super().__init__(start, TMAIL_DELIVERD_REMOTE_TIMEOUT="5s")
        self.tmail("relayip", "add", "127.0.0.1")

    def hop(self, domain, tlsa=None, tls=True, more=""):
        """The next hop of a domain's mail, reports for it included, and the data of its TLSA record: True for a good one, or of another key."""
        address = fresh_loopback()
        pair = AUTHORITY.make(domain, hosts=[f"mx.{domain}"])
        sink = Sink(address, tls=pair if tls else None)
        data = dns.tlsa((pair if tlsa is True else AUTHORITY.make(f"other.{domain}")).cert)
        record = f"_{sink.port}._tcp.mx TLSA {data}\n" if tlsa else ""
        DNS.update(Zone(domain, f"@ MX 10 mx\nmx A {address}\n{record}_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:tls@{domain}\"\n{more}"))
        self.tmail("routes", "add", "-d", domain, "-rh", "mx", "-rp", str(sink.port))
        return sink, data

    def mail(self, *domains):
        """Send a message to each."""
        with self.gateway.session() as client:
            for domain in domains:
                client.mail("a@client.example", [f"b@{domain}"], b"Subject: x\r\n\r\n")
            client.quit()

    def counted(self, domain):
        """The policies of a domain's report of today, once there is one."""
        def listed():
            return [row for row in json.loads(self.tmail("tlsrpt", "list", "--json")) if row["domain"] == domain]
        await_true(listed, lambda: f"sessions with {domain} to be counted; the log:\n{self.gateway.log_tail()}")
        return json.loads(self.tmail("tlsrpt", "show", domain, "--day", listed()[0]["day"]))["policies"]


def one(policies):
    """The one policy: what it is, successes, failures, and its failures' details."""
    entry, = policies
    return (entry["policy"], *entry["summary"].values(), entry.get("failure-details", []))


def test_sessions_without_a_policy_are_counted():
    r = Counting()
    good, _ = r.hop("good.test")
    r.hop("plain.test", tls=False)
    r.mail("good.test", "plain.test")
    good.wait(1)
    equal(one(r.counted("good.test")), ({"policy-type": "no-policy-found", "policy-domain": "good.test"}, 1, 0, []), "under TLS")
    policy, successes, failures, (detail,) = one(r.counted("plain.test"))
    equal((policy["policy-type"], successes, failures), ("no-policy-found", 0, 1), "in plain text")
    equal((detail["result-type"], detail["receiving-mx-hostname"]), ("starttls-not-supported", "mx.plain.test"), "details")


def test_sessions_under_dane_are_counted():
    r = Counting()
    good, data = r.hop("good.test", tlsa=True)
    bad, other = r.hop("bad.test", tlsa="wrong")
    r.mail("good.test", "bad.test")
    good.wait(1)
    equal(one(r.counted("good.test")), ({"policy-type": "tlsa", "policy-string": [data], "policy-domain": "good.test"}, 1, 0, []), "good")
    policy, successes, failures, details = one(r.counted("bad.test"))
    equal((policy["policy-type"], policy["policy-string"], successes), ("tlsa", [other], 0), "bad")
    equal(failures, sum(detail["failed-session-count"] for detail in details), "failures")
    for name, value in (("result-type", "certificate-not-trusted"), ("receiving-mx-hostname", "mx.bad.test"), ("receiving-ip", bad.address)):
        equal({detail[name] for detail in details}, {value}, name)
    equal(bad.messages, [], "messages")


def test_reports_go_in_spite_of_tls_and_are_not_counted():
    r = Counting(start=False)
    bad, _ = r.hop("bad.test", tlsa="wrong")
    plain, _ = r.hop("plain.test", tlsa=True, tls=False)
    good, _ = r.hop("good.test")
    for domain in ("bad.test", "plain.test", "good.test"):
        r.add(domain)
    equal(len(r.send()), 3, "what was sent")
    r.gateway.start()
    for sink in (bad, plain, good):
        message, = sink.wait(1)
        equal(message.sender, "", "sender")
    r.mail("good.test")
    r.counted("good.test")
    equal(r.left(), [(day(0), "good.test")], "what is counted")
    equal(one(r.counted("good.test"))[1:3], (1, 0), "sessions")


def test_what_was_counted_outlives_a_reload_and_a_stop():
    r = Counting()
    r.hop("good.test")
    for change in (r.gateway.reload, r.gateway.restart):
        r.mail("good.test")
        r.gateway.await_empty_queue()
        change()
    await_true(lambda: one(r.counted("good.test"))[1] == 2, lambda: f"two sessions: {r.counted('good.test')}")


def test_nothing_is_counted_when_it_is_off():
    r = Counting()
    good, _ = r.hop("good.test")
    r.gateway.config["TMAIL_TLSRPT"] = "false"
    r.gateway.restart()
    r.mail("good.test")
    good.wait(1)
    r.gateway.stop()
    equal(r.left(), [], "what is counted")


# --- the command line ---

def test_what_is_counted_is_listed():
    r = Reporting()
    equal(r.tmail("tlsrpt", "list"), "Nothing is counted.\n", "an empty list")
    equal(r.tmail("tlsrpt", "list", "--json").split(), ["[]"], "an empty list")
    r.add_all("mail.dom.test")
    r.add("a.dom.test", ago=0)
    expected = [(day(), "mail.dom.test", "no-policy-found", 5, 0), (day(), "mail.dom.test", "sts", 17, 3),
                (day(), "mail.dom.test", "tlsa", 1000000, 0), (day(0), "a.dom.test", "no-policy-found", 3, 0)]
    equal([tuple(row.values()) for row in json.loads(r.tmail("tlsrpt", "list", "--json"))], expected, "rows")
    equal(list(json.loads(r.tmail("tlsrpt", "list", "--json"))[0]), ["day", "domain", "policy", "successes", "failures"], "columns")
    equal(r.tmail("tlsrpt", "list").splitlines(),
          [f"{row[0]} - {row[1]} - Policy: {row[2]} - Successes: {row[3]} - Failures: {row[4]}" for row in expected], "lines")


def test_a_report_is_shown():
    r = Reporting()
    equal(r.tmail("tlsrpt", "show", "mail.dom.test"), "nothing\n", "nothing")
    r.add("mail.dom.test", ago=0, sessions=7)
    r.add("mail.dom.test", sessions=8)

    def successes(*words):
        entry, = json.loads(r.tmail("tlsrpt", "show", *words))["policies"]
        return entry["summary"]["total-successful-session-count"]

    equal(successes("mail.dom.test"), 7, "successes of the newest day")
    equal(successes("MAIL.dom.test.", "--day", day()), 8, "successes of the day")
    equal(r.tmail("tlsrpt", "show", "mail.dom.test", "--day", day(5)), "nothing\n", "nothing")
    for words, complaint in ((("a b",), "is no domain"), (("mail.dom.test", "--day", "yesterday"), "is no day"),
                             (("mail.dom.test", "--day", "2026-02-30"), "is no day"), (("[127.0.0.1]", "--day", day()), "no reports")):
        result = r.gateway.run("tlsrpt", "show", *words)
        check(result.status == 1 and complaint in result.err, f"{words}: {result}")
    result = r.gateway.run("tlsrpt", "send", "a b")
    check(result.status == 1 and "is no domain" in result.err, f"{result}")


main({f"addresses-{name}": addressed(name) for name in PUBLISHED})
