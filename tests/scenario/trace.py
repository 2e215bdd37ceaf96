#!/usr/bin/python3
"""Issue 5, items 4 to 6: `tmail trace`, `tmail queue stats`, `tmail queue sql` and `tmail queue check`."""

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import PROGRAM, Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
SENDER = "a@client.example"
DOMAIN = "hop.example"
UNKNOWN = "0000000000000123"
LATER = {f"DELIVERD_RETRY_{name}": "1h" for name in ("TIMES", "GREYLIST", "MIN", "MAX")}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z - ")


def gateway_to(sink=None, **keys):
    """A gateway that takes mail for one domain, with a route to the sink for everything."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.tmail("rcpthost", "add", DOMAIN)
    if sink:
        gateway.route("*", sink)
    return gateway


def send(gateway, *names, parameters="", domain=DOMAIN):
    """Send one message to these local parts of the domain; return its id."""
    with gateway.session() as client:
        number = client.mail(SENDER, [f"{name}@{domain}" for name in names], TEXT, parameters)
        client.quit()
    return number


def trace(gateway, number):
    """What `tmail trace --json` says of a message."""
    return json.loads(gateway.tmail("trace", number, "--json"))


def lines(gateway, number):
    """The lines of `tmail trace`."""
    return gateway.tmail("trace", number).splitlines()


def await_event(gateway, number, event):
    """Wait until the history of a message has such an event; return the story."""
    def find():
        story = trace(gateway, number)
        return story if any(row["event"] == event for row in story["events"]) else None
    return await_true(find, lambda: f"the event {event}; the story: {trace(gateway, number)!r}")


def events(story):
    """Who met what, in order."""
    return [(row["event"], row["recipient"]) for row in story["events"]]


def change_queue(gateway, *statements):
    """Run SQL on the queue's database."""
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"))) as database:
        for statement in statements:
            database.executescript(statement)


def ask(gateway, statement):
    """The rows of `tmail queue sql --json`."""
    return json.loads(gateway.tmail("queue", "sql", statement, "--json"))


# --- trace ---

def test_the_story_of_a_message_that_waits():
    """Session, refused and accepted recipients, an attempt, an administrator's hand, what is planned: in order of time."""
    with Sink(script=["RCPT <late@: 450 4.2.1 Busy just now"]) as sink, gateway_to(sink, **LATER) as gateway:
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}> ENVID=order7", "250 ")
            client.command("RCPT TO:<x@elsewhere.example>", "55")
            client.command(f"RCPT TO:<good@{DOMAIN}>", "250 ")
            client.command(f"RCPT TO:<late@{DOMAIN}>", "250 ")
            client.command("DATA", "354 ")
            client.send(TEXT + b".\r\n")
            number = client.expect("250 ").last.rsplit(" ", 1)[1]
            client.quit()
        sink.wait(1)
        story = await_event(gateway, number, "deferred")
        equal(sorted(events(story)),
              [("deferred", f"late@{DOMAIN}"), ("delivered", f"good@{DOMAIN}"), ("refused", "x@elsewhere.example")], "events")
        equal([story[key] for key in ("id", "queued", "kind", "sender", "client", "helo", "login", "envid", "via")],
              [number, True, "mail", SENDER, "127.0.0.1", "client.example", None, "order7", "ESMTP"], "the session")
        check(story["session"] and story["size"] > len(TEXT), f"no session or size: {story!r}")
        rows = {row["recipient"]: row for row in story["recipients"]}
        equal(set(rows), {f"good@{DOMAIN}", f"late@{DOMAIN}"}, "recipients")
        late, good = rows[f"late@{DOMAIN}"], rows[f"good@{DOMAIN}"]
        equal((late["status"], late["attempts"], late["taken"]), ("scheduled", 1, "the domain is a rcpthost"), "who waits")
        equal((good["status"], good["next"], good["taken"]), ("gone", None, "the domain is a rcpthost"), "who has it")
        refused, deferred = [next(row for row in story["events"] if row["event"] == event) for event in ("refused", "deferred")]
        check(refused["code"] in (550, 551, 554) and refused["reason"] and refused["attempt"] is None, f"the refusal: {refused!r}")
        equal((deferred["attempt"], deferred["code"], deferred["enhanced"], deferred["tls"]), (1, 450, "4.2.1", "none"), "the attempt")
        check("Busy just now" in deferred["reason"] and f":{sink.port}" in deferred["host"], f"the attempt: {deferred!r}")
        check(deferred["took"] >= 0, f"the attempt: {deferred!r}")
        gateway.tmail("queue", "hold", number)
        told = lines(gateway, number)
        times = [line[:24] for line in told if TIME.match(line)]
        equal(times, sorted(times), "times")
        check(f"{number} arrived from <{SENDER}>" in told[0] and "ENVID: order7" in told[0] and "HELO: client.example" in told[0], told[0])
        check("<x@elsewhere.example> refused" in told[1], told[1])
        check(f"<good@{DOMAIN}> accepted - the domain is a rcpthost" in "\n".join(told[2:4]), "\n".join(told))
        check(any(f"<late@{DOMAIN}> deferred - Attempt: 1 - Took: " in line and "TLS: none - 450 4.2.1" in line for line in told),
              "\n".join(told))
        check(told[-1].startswith(f"Now - <late@{DOMAIN}> held - Attempts: 1"), told[-1])
        gateway.tmail("queue", "release", number)


def test_the_story_of_a_message_that_is_gone():
    """Everything is still known: the session from `past`, recipients from their last event."""
    with Sink() as sink, gateway_to(sink) as gateway:
        number = send(gateway, "one", "two")
        send(gateway, "other")
        gateway.await_empty_queue()
        story = trace(gateway, number)
        equal((story["queued"], story["sender"], story["helo"]), (False, SENDER, "client.example"), "the session")
        equal([(row["recipient"], row["status"], row["taken"]) for row in story["recipients"]],
              [(f"{name}@{DOMAIN}", "gone", "the domain is a rcpthost") for name in ("one", "two")], "recipients")
        equal([row["event"] for row in story["events"]], ["delivered"] * 2, "events")
        told = lines(gateway, number)
        equal(told[-1], "Now - no longer in the queue", "the last line")
        check(any(f"<one@{DOMAIN}> delivered - Attempt: 1" in line for line in told), "\n".join(told))


def test_the_story_of_a_report():
    """A failure names the report, and the report the message that it is about."""
    with Sink(script=["RCPT <bad@: 550 5.1.1 No such user"]) as sink, gateway_to(sink, BOUNCE_ENABLED="true") as gateway:
        number = send(gateway, "bad")
        story = await_event(gateway, number, "reported")
        equal(events(story), [("failed", f"bad@{DOMAIN}"), ("reported", None)], "events")
        sink.wait(1)
        gateway.await_empty_queue()
        report = trace(gateway, story["events"][1]["reason"])
        equal((report["kind"], report["sender"]), ("report", ""), "the report")
        equal([(row["recipient"], row["taken"]) for row in report["recipients"]], [(SENDER, f"report on {number}")], "whom it went to")
        told = "\n".join(lines(gateway, report["id"]))
        check(f"<{SENDER}> accepted - report on {number}" in told, told)
        check(f"reported to the sender - {report['id']}" in "\n".join(lines(gateway, number)), "the text does not say which report")


def test_what_nobody_knows():
    """An id that is none, one that is unknown, and a gateway that keeps no history."""
    with Sink() as sink, gateway_to(sink) as gateway:
        refused = gateway.run("trace", "nonsense")
        check(refused.status == 1 and "no queue id" in refused.err, repr(refused))
        refused = gateway.run("trace", UNKNOWN)
        check(refused.status == 1 and UNKNOWN in refused.err and "TMAIL_HISTORY (7d)" in refused.err and not refused.out, repr(refused))
    with Sink() as sink, gateway_to(sink, HISTORY="0") as gateway:
        number = send(gateway, "one")
        gateway.await_empty_queue()
        refused = gateway.run("trace", number)
        check(refused.status == 1 and "TMAIL_HISTORY=0" in refused.err, repr(refused))


# --- stats ---

def test_stats_by_destination_and_reason():
    """Destinations by number, ages, the next attempt, reasons without what differs, their hosts."""
    script = [f"RCPT <u{number}@: 451 4.7.1 <u{number}@{DOMAIN}>: try again in {number}0 seconds" for number in (1, 2, 3)]
    with Sink(script=script) as sink, gateway_to(sink, **LATER) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.1")
        empty = json.loads(gateway.tmail("queue", "stats", "--json"))
        equal((empty["recipients"], empty["destinations"], empty["oldest"]), (0, [], None), "an empty queue")
        check("TOTAL" in gateway.tmail("queue", "stats"), "no total of an empty queue")
        ids = [send(gateway, f"u{number}") for number in (1, 2, 3)]
        gateway.await_queue(lambda rows: [(row["attempts"], row["status"]) for row in rows] == [(1, "scheduled")] * 3, "three deferred")
        gateway.tmail("queue", "hold", ids[0])
        sink.script = []
        change_queue(gateway, "UPDATE recipient SET domain = 'other.example' WHERE message = " + str(int(ids[2], 16)))
        stats = json.loads(gateway.tmail("queue", "stats", "--json"))
        equal([stats[key] for key in ("recipients", "scheduled", "held", "failed", "destination_count")], [3, 2, 1, 0, 2], "totals")
        equal([(row["domain"], row["recipients"], row["ages"]["5"]) for row in stats["destinations"]],
              [(DOMAIN, 2, 2), ("other.example", 1, 1)], "destinations")
        check(stats["next"] > stats["oldest"] > "2020", f"the times: {stats!r}")
        equal([(row["recipients"], row["code"], row["enhanced"]) for row in stats["reasons"]], [(3, 451, "4.7.1")], "reasons")
        check("<*>: try again in * seconds" in stats["reasons"][0]["reason"], f"the reason: {stats['reasons']!r}")
        equal([row["recipients"] for row in stats["reasons"][0]["hosts"]], [3], "hosts")
        text = gateway.tmail("queue", "stats", "--limit", "1")
        check(re.search(rf"^{DOMAIN} +2 +2( +0){{9}} +\d+[sm] +\d+[mh]$", text, re.M), text)
        check("other.example" not in text and "(and 1 other destinations)" in text, text)
        check("Scheduled: 2 - In progress: 0 - Held: 1 - Failed: 0" in text and "try again in * seconds - Hosts: " in text, text)
        for limit in ("0", "many", "-1"):
            equal(gateway.run("queue", "stats", f"--limit={limit}").status, 64, f"exit status for --limit={limit}")


# --- sql ---

def test_questions_are_answered():
    """Lines and JSON, NULL, numbers, BLOBs, control bytes; the four views."""
    with Sink(script=["RCPT: 450 4.2.1 Busy"]) as sink, gateway_to(sink) as gateway:
        number = send(gateway, "one")
        gateway.await_queue(lambda rows: rows[0]["attempts"] > 0 and rows[0]["status"] == "scheduled", "an attempt")
        equal(gateway.tmail("queue", "sql", "SELECT id, number, recipient, route FROM v_recipient;").splitlines(),
              ["id | number | recipient | route", f"{number} | 1 | one@{DOMAIN} | NULL"], "lines")
        equal(ask(gateway, "SELECT id, sender, kind, login FROM v_message"),
              [{"id": number, "sender": SENDER, "kind": "mail", "login": None}], "v_message")
        equal(ask(gateway, "SELECT id, recipient, attempt, result, code FROM v_attempt LIMIT 1"),
              [{"id": number, "recipient": f"one@{DOMAIN}", "attempt": 1, "result": "deferred", "code": 450}], "v_attempt")
        equal(ask(gateway, "SELECT domain, recipients, scheduled FROM v_destination"),
              [{"domain": DOMAIN, "recipients": 1, "scheduled": 1}], "v_destination")
        values = gateway.tmail("queue", "sql", "SELECT char(27, 10, 127, 0x9b) || 'a' AS a, 1.5 AS b, x'00ff' AS c, NULL AS d")
        equal(values.splitlines()[1:], ["????a | 1.5 | (BLOB, 2 bytes) | NULL"], "values")
        equal(ask(gateway, "SELECT char(27) || 'a' AS a, 1.5 AS b, x'00ff' AS c, NULL AS d, 9e999 AS e"),
              [{"a": "\x1ba", "b": 1.5, "c": "(BLOB, 2 bytes)", "d": None, "e": None}], "values as JSON")
        equal(ask(gateway, "SELECT id FROM v_message WHERE 0"), [], "no rows")


REFUSED = {
    "DELETE FROM recipient": "not authorized",
    "UPDATE recipient SET state = 3": "not authorized",
    "DROP VIEW v_message": "not authorized",
    "PRAGMA journal_mode = DELETE": "not authorized",
    "ATTACH '/tmp/other.db' AS other": "not authorized",
    "VACUUM INTO 'copy.db'": "does not read",
    "SELECT load_extension('x')": "load_extension",
    "SELECT 1; SELECT 2": "more than one statement",
    "SELECT 1; DELETE FROM recipient": "more than one statement",
    "SELECT colour FROM v_message": "no such column: colour",
    "": "no statement",
    "SELECT abs(-9223372036854775808)": "integer overflow",
}


def test_questions_change_nothing():
    """What would write, look elsewhere or is no statement is refused with a word why; the rows stay."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        send(gateway, "one")
        for statement, why in REFUSED.items():
            refused = gateway.run("queue", "sql", statement)
            check(refused.status == 1 and why in refused.err, f"{statement}: {refused!r}")
        refused = gateway.run("queue", "sql", "SELECT id, id FROM v_message", "--json")
        check(refused.status == 1 and "AS" in refused.err and not refused.out, repr(refused))
        refused = gateway.run("queue", "sql", "SELECT 1 AS \udcff")
        check(refused.status == 1 and "UTF-8" in refused.err, repr(refused))
        equal(ask(gateway, "SELECT count(*) AS n FROM v_recipient WHERE status = 'scheduled'"), [{"n": 1}], "recipients")


def test_a_reader_that_goes_away_ends_the_question():
    """The rows are streamed: one that would never end stops with its reader, and by an interrupt."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, 'text' FROM n"
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        for json_word in ((), ("--json",)):
            for go_away in (lambda asked: asked.stdout.close(), lambda asked: asked.send_signal(2)):
                with subprocess.Popen([PROGRAM, "-c", gateway.config_path, "queue", "sql", endless, *json_word], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL) as asked:
                    check(asked.stdout.readline() in (b"i | 'text'\n", b"[\n"), "the first line")
                    go_away(asked)
                    if not asked.stdout.closed:
                        asked.stdout.read()
                    check(asked.wait(20) != 0, "it ended as if all had been said")


# --- check ---

def test_a_queue_that_is_whole():
    """Nothing to complain of, with messages in every state, while a daemon runs and one is being delivered."""
    script = ["RCPT <wait@: gate; 250 ok", "RCPT <bad@: 550 5.1.1 no", "RCPT <late@: 450 4.2.1 later"]
    with Sink(script=script) as sink, gateway_to(sink) as gateway:
        equal(gateway.run("queue", "check").status, 0, "exit status for an empty queue")
        held = send(gateway, "late")
        gateway.await_recipient(f"late@{DOMAIN}", "scheduled")
        gateway.tmail("queue", "hold", held)
        send(gateway, "bad")
        send(gateway, "good")
        send(gateway, "wait")
        gateway.await_recipient(f"wait@{DOMAIN}", "in-progress")
        gateway.await_recipient(f"bad@{DOMAIN}", "failed")
        done = gateway.run("queue", "check")
        equal((done.status, done.out.strip(), done.err), (0, "The queue is in order.", ""), "the answer")
        equal(json.loads(gateway.tmail("queue", "check", "--json")), [], "the answer as JSON")
        sink.gate.set()


DAMAGES = {
    "recipients-without-a-message": ("DELETE FROM message WHERE id = {id}", "recipients without a message"),
    "a-message-without-recipients": ("DELETE FROM recipient WHERE message = {id}", "a message without recipients"),
    "a-state-that-is-none": ("UPDATE recipient SET state = 9 WHERE message = {id}", "the state is 9"),
    "a-state-that-is-no-number": ("UPDATE recipient SET state = 'odd' WHERE message = {id}", "the state is 'odd'"),
    "a-wish-that-is-none": ("UPDATE recipient SET wish = 4 WHERE message = {id}", "the wish is 4"),
    "a-warning-that-is-none": ("UPDATE recipient SET warn = -1 WHERE message = {id}", "warn is -1"),
    "a-content-that-was-cut": ("UPDATE message SET content = substr(content, 1, 9) WHERE id = {id}", "the content has 9 octets"),
    "a-content-that-is-text": ("UPDATE message SET content = 'text' WHERE id = {id}", "the content is text"),
    "an-empty-domain": ("UPDATE recipient SET domain = '' WHERE message = {id}", "the domain is ''"),
    "a-flow-that-is-no-number": ("UPDATE recipient SET flow = 'x' WHERE message = {id}", "the flow is 'x'"),
    "an-attempt-in-a-far-future": ("UPDATE recipient SET due = due + 90 * 86400000 WHERE message = {id}", "days ahead"),
    "a-time-that-is-none": ("UPDATE recipient SET due = 'soon' WHERE message = {id}", "due is 'soon'"),
    "an-attempt-of-the-dead": ("UPDATE recipient SET state = 2, owner = 77 WHERE message = {id}", "its deliverer does not live"),
    "an-attempt-of-nobody": ("UPDATE recipient SET state = 2, owner = NULL WHERE message = {id}", "its deliverer does not live"),
    "a-message-that-is-gone-too": ("INSERT INTO past SELECT id, session, arrived, sender, user, client, helo, via, kind, envid, size "
                                   "FROM message WHERE id = {id}", "among the messages that are gone"),
}


def fingerprint(gateway):
    """Of the database's file, with its log."""
    digest = hashlib.sha256()
    for name in ("queue.db", "queue.db-wal"):
        with contextlib.suppress(FileNotFoundError), open(gateway.path("store", name), "rb") as file:
            digest.update(file.read())
    return digest.digest()


def damaged(damage, problem):
    """The test that such a damage is told, with the message that has it and with advice, and that it is left as it is."""
    def test():
        with gateway_to(DELIVERD_LAUNCH="false") as gateway:
            ids = [send(gateway, "one") for _ in range(3)]
            change_queue(gateway, damage.format(id=int(ids[1], 16)))
            before = fingerprint(gateway)
            found = gateway.run("queue", "check")
            told = found.out.splitlines()
            check(found.status == 1 and len(told) == 1, repr(found))
            check(told[0].startswith(ids[1]) and problem in told[0] and told[0].endswith(")"), told[0])
            rows = json.loads(gateway.run("queue", "check", "--json").out)
            equal([row["id"] for row in rows], [ids[1]], "the messages as JSON")
            check(problem in rows[0]["problem"] and rows[0]["advice"], f"the problem as JSON: {rows!r}")
            check(fingerprint(gateway) == before, "the database was changed")
    return test


def test_more_problems_than_are_listed():
    """A kind of problem is told a thousand times, and that there are others."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        send(gateway, *(f"u{number}" for number in range(600)))
        send(gateway, *(f"u{number}" for number in range(600)))
        change_queue(gateway, "UPDATE recipient SET warn = 7")
        told = gateway.run("queue", "check").out.splitlines()
        equal(len(told), 1000, "lines")
        check("others that are not listed" in told[-1] and "others" not in told[0], told[-1])


def overwrite(gateway, pages):
    """Stop it and write noise over these pages of the database, as a share of the file."""
    gateway.stop()
    change_queue(gateway, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = gateway.path("store", "queue.db")
    count = os.path.getsize(path) // 4096
    with open(path, "r+b") as file:
        for page in (int(count * share) for share in pages):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


def test_a_file_with_broken_pages():
    """SQLite's own look at the file finds them."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        for _ in range(20):
            send(gateway, *(f"u{number}" for number in range(100)))
        equal(gateway.run("queue", "check").status, 0, "exit status before")
        overwrite(gateway, [0.5, 0.6, 0.7])
        before = fingerprint(gateway)
        found = gateway.run("queue", "check")
        check(found.status == 1 and "Traceback" not in found.err and (found.out + found.err).strip(), repr(found))
        check("queue.db: " in found.out, f"no problem was listed: {found!r}")
        check(fingerprint(gateway) == before, "the file was changed")


def test_a_file_that_is_no_database():
    """It says so, as do the others that read it; a missing one is not made."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        overwrite(gateway, [0])
        for words in (["queue", "check"], ["queue", "stats"], ["queue", "sql", "SELECT 1"], ["trace", UNKNOWN]):
            found = gateway.run(*words)
            check(found.status == 1 and "queue.db: file is not a database" in found.err, f"{words}: {found!r}")
        for name in os.listdir(gateway.path("store")):
            os.unlink(gateway.path("store", name))
        for words in (["queue", "check"], ["queue", "stats"], ["queue", "sql", "SELECT 1"], ["trace", UNKNOWN]):
            found = gateway.run(*words)
            check(found.status == 1 and "queue.db" in found.err, f"{words}: {found!r}")
        equal(os.listdir(gateway.path("store")), [], "files that were made")


def test_what_a_crash_left_in_the_log_is_read():
    """After a kill the rows are in the write-ahead log alone; those who only read see them."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        number = send(gateway, "one")
        gateway.kill()
        equal(gateway.run("queue", "check").status, 0, "exit status")
        equal(trace(gateway, number)["queued"], True, "whether it waits")
        equal(ask(gateway, "SELECT count(*) AS n FROM v_message"), [{"n": 1}], "messages")
        gateway.start()


def test_progress_is_told():
    """What takes longer than a second says on standard error what it is at."""
    with gateway_to(DELIVERD_LAUNCH="false") as gateway:
        send(gateway, "one")
        change_queue(gateway, "CREATE TABLE ballast (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX ballast_text ON ballast (text);")
        took = 0
        while took < 3:  # as much as it takes to take so long, the start of the program included
            change_queue(gateway, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
                                  "INSERT INTO ballast (text) SELECT hex(randomblob(8)) FROM n")
            began = time.monotonic()
            done = gateway.run("queue", "check")
            took = time.monotonic() - began
            equal(done.status, 0, "exit status")
        check("tmail queue check: the file, 1 s" in done.err, f"no progress in {took:.1f} s: {done.err!r}")


if __name__ == "__main__":
    main({f"damage-{name}": damaged(*damage) for name, damage in DAMAGES.items()})
