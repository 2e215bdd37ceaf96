#!/usr/bin/python3
"""Issue 5, item 4: `tmail queue` over ids and selections, on a daemon that delivers; what the peer received is what counts."""

import contextlib
import email
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from gateway import PROGRAM  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
ONE, TWO = "one.example", "two.example"


def gateway_to(sink, *domains, **keys):
    """A gateway that relays for 127.0.0.1, with a route to the sink for each domain."""
    gateway = Gateway({"TMAIL_DELIVERD_RETRY_TIMES": "1h", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    for domain in domains or (ONE, TWO):
        gateway.route(domain, sink)
    return gateway


def send(gateway, *recipients, sender="a@client.example", text=TEXT):
    """Send one message; return its id."""
    with gateway.session() as client:
        identity = client.mail(sender, list(recipients), text)
        client.quit()
    return identity


def recipients(sink):
    """All recipients that the sink took, sorted."""
    return sorted(recipient for message in sink.messages for recipient in message.recipients)


def states(gateway):
    """What the queue says of each recipient."""
    return {entry["recipient"]: entry["status"] for entry in gateway.queue()}


def tried(entries):
    """Whether every recipient waits again after its first attempt."""
    return entries and all((entry["status"], entry["attempts"]) == ("scheduled", 1) for entry in entries)


def three_that_wait(gateway):
    """Three messages that the sink has put off; their ids."""
    ids = [send(gateway, f"a@{ONE}"), send(gateway, f"b@{ONE}", f"b@{TWO}", sender="b@client.example"), send(gateway, f"c@{TWO}", sender="")]
    gateway.await_queue(lambda entries: len(entries) == 4 and tried(entries), "each to be tried once")
    return ids


def history(gateway, column="event || ' ' || recipient"):
    """The rows of the history that an administrator made."""
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"))) as db:
        return [row[0] for row in db.execute(f"SELECT {column} FROM history WHERE attempt IS NULL ORDER BY id")]


def test_a_selection_is_shown_and_not_asked_about_without_a_terminal():
    """Refused with what it would have touched; --yes is the answer."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        three_that_wait(gateway)
        refused = gateway.run("queue", "hold", "--domain", ONE)
        equal(refused.status, 64, "exit status")
        check("2 recipients of 2 messages" in refused.err and "--yes" in refused.err, refused.err)
        check("held" not in states(gateway).values(), "nothing was changed")
        equal(gateway.tmail("queue", "hold", "--domain", ONE.upper(), "--yes"), "2 recipients held\n", "output")
        equal({name for name, state in states(gateway).items() if state == "held"}, {f"a@{ONE}", f"b@{ONE}"}, "held")
        equal(gateway.tmail("queue", "count", "--status", "held"), "2 messages, 2 recipients\n", "count")
        equal(gateway.tmail("queue", "count", "--status", "held", "--from", "b@client.example"), "1 messages, 1 recipients\n", "count")
        equal(gateway.tmail("queue", "count", "--from", "<>"), "1 messages, 1 recipients\n", "count")
        equal(len(gateway.tmail("queue", "list", "--limit", "3").splitlines()), 3, "lines")
        equal(len(json.loads(gateway.tmail("queue", "list", "--json", "--to", f"b@{TWO}"))), 1, "rows")
        equal(gateway.tmail("queue", "count", "--older", "1h"), "0 messages, 0 recipients\n", "count")
        equal(gateway.tmail("queue", "count", "--newer", "1h"), "3 messages, 4 recipients\n", "count")


def asked(gateway, answer, *words):
    """Run a command with a terminal for input; return its exit status and what it said there and on standard error."""
    parent, child = pty.openpty()
    with subprocess.Popen([PROGRAM, "-c", gateway.config_path, *words], stdin=child, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.close(child)
        os.write(parent, answer)
        out, err = process.communicate(timeout=30)
    os.close(parent)
    return process.returncode, out.decode(), err.decode()


def test_a_terminal_is_asked():
    """Anything but y is no."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        three_that_wait(gateway)
        for answer in (b"n\n", b"\n", b"\x04", b"x\n"):
            status, _, err = asked(gateway, answer, "queue", "discard", "--all")
            equal(status, 1, f"exit status after {answer}")
            check("4 recipients of 3 messages" in err and "Go on? [y/N]" in err and "nothing was changed" in err, err)
        equal(len(gateway.queue()), 4, "what waits")
        status, out, _ = asked(gateway, b"y\n", "queue", "discard", "--all")
        equal((status, out), (0, "4 recipients discarded\n"), "after y")
        equal(gateway.queue(), [], "what waits")


def test_words_that_make_no_sense_change_nothing():
    """They are complained about before anything is done."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        one, _, _ = three_that_wait(gateway)
        for verb in ("hold", "release", "discard", "bounce"):
            for words in ((), ("--all", "--domain", ONE), (one, "--all"), ("--status", "nonsense"), ("--older", "soon"), (one, "--from", "@"),
                          ("--domain", "' OR 1"), ("--limit", "1")):
                equal(gateway.run("queue", verb, *words, "--yes").status, 64, f"exit status of {verb} {words}")
            equal(gateway.run("queue", verb, one, "nonsense").status, 1, f"exit status of {verb}")
        equal(gateway.run("queue", "reroute", one).status, 64, "a reroute without a route")
        equal(gateway.run("queue", "reroute", one, "--to", "x").status, 64, "a reroute to nonsense")
        check("no route 77" in gateway.run("queue", "reroute", one, "--to", "77").err, "a route that is not there is said")
        equal(set(states(gateway).values()), {"scheduled"}, "states")
        equal(history(gateway), [], "history")


def test_several_ids_and_one_that_is_not_there():
    """The others are done, and the exit status says that one was not."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        one, two, three = three_that_wait(gateway)
        result = gateway.run("queue", "hold", one, "0123456789abcdef", three)
        equal((result.status, result.out), (1, ""), "status and output")
        check("0123456789abcdef" in result.err, result.err)
        equal(sorted(name for name, state in states(gateway).items() if state == "held"), [f"a@{ONE}", f"c@{TWO}"], "held")
        gateway.tmail("queue", "hold", two, "--domain", TWO)  # of the message only the recipients there
        equal(states(gateway)[f"b@{ONE}"], "scheduled", "the other recipient of the message")
        sink.rules.clear()
        gateway.tmail("queue", "flush")
        sink.wait(1)
        gateway.tmail("queue", "release", one, two)
        sink.wait(3)
        equal(recipients(sink), [f"a@{ONE}", f"b@{ONE}", f"b@{TWO}"], "what arrived")
        gateway.await_queue(lambda entries: [(entry["recipient"], entry["status"]) for entry in entries] == [(f"c@{TWO}", "held")], "the others to go")
        equal(history(gateway), [f"held a@{ONE}", f"held c@{TWO}", f"held b@{TWO}", f"released a@{ONE}", f"released b@{TWO}"], "history")
        check(all(reason.startswith("by ") for reason in history(gateway, "reason")), "who did it")


def test_flush_of_a_selection():
    """Two domains in words, then by options; a plain flush asks nobody and writes no history."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        three_that_wait(gateway)
        sink.rules.clear()
        equal(gateway.run("queue", "flush", "--from", "b@client.example").status, 64, "a selection asks")
        gateway.tmail("queue", "flush", "--from", "b@client.example", "--yes")
        sink.wait(1)
        gateway.await_queue(lambda entries: len(entries) == 2, "the message to go")
        equal(recipients(sink), [f"b@{ONE}", f"b@{TWO}"], "what arrived")
        equal(history(gateway), [f"flushed b@{ONE}", f"flushed b@{TWO}"], "history")
        equal(gateway.tmail("queue", "flush"), "", "output")
        gateway.await_empty_queue()
        equal(len(history(gateway)), 2, "rows of the history")


def in_flight(sink, gateway, *names):
    """Send a message that is being delivered until the gate of the sink opens; its id."""
    identity = send(gateway, *(names or (f"u@{ONE}",)))
    await_true(lambda: any(b"DATA" in line for line in sink.commands()), "the content to be on its way")
    return identity


def test_what_is_being_delivered_is_marked():
    """It fails for now, and then what was wished happens: held, discarded, reported; what succeeds has succeeded."""
    for verb, wish, after in (("hold", "hold", "held"), ("discard", "discard", None), ("bounce", "bounce", None)):
        with Sink(script=[".: gate; 450 4.2.1 busy"]) as sink, gateway_to(sink, BOUNCE_ENABLED="true") as gateway:
            identity = in_flight(sink, gateway)
            out = gateway.tmail("queue", verb, identity)
            check("1 recipients are being delivered: it is done when their attempts end" in out, out)
            entry, = gateway.queue()
            equal((entry["status"], entry["wish"]), ("in-progress", wish), "meanwhile")
            equal(history(gateway), [], "history")
            sink.gate.set()
            if after:
                equal(gateway.await_recipient(f"u@{ONE}", after)["wish"], None, "wish")
            else:
                gateway.await_queue(lambda entries: f"u@{ONE}" not in [entry["recipient"] for entry in entries], "the recipient to go")


def test_what_is_being_delivered_and_succeeds():
    """The peer has it: no wish changes that."""
    with Sink(script=[".: gate; 250 2.0.0 taken"]) as sink, gateway_to(sink) as gateway:
        identity = in_flight(sink, gateway)
        gateway.tmail("queue", "discard", identity)
        gateway.tmail("queue", "bounce", identity)
        sink.gate.set()
        gateway.await_empty_queue()
        equal(recipients(sink), [f"u@{ONE}"], "what arrived")
        gateway.await_log(r"event=delivered")


def test_a_release_takes_a_mark_off():
    """Discard was typed by mistake: it is tried again as if nothing had been."""
    with Sink(script=[".#1: gate; 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        identity = in_flight(sink, gateway)
        gateway.tmail("queue", "discard", identity)
        equal(gateway.tmail("queue", "release", identity), "", "output")
        sink.gate.set()
        gateway.await_recipient(f"u@{ONE}", "scheduled")
        gateway.tmail("queue", "flush", identity)
        gateway.await_empty_queue()
        equal(recipients(sink)[-1:], [f"u@{ONE}"], "what arrived")


def test_bounce_makes_one_report():
    """For all recipients of a message, though reports are switched off; one that had failed is told of with its own reason."""
    with Sink(script=["RCPT <bad@: 550 5.1.1 nobody here", "RCPT <late@: 450 4.2.1 busy", "RCPT <later@: 450 4.2.1 busy"]) as sink, \
            gateway_to(sink, ONE, "client.example") as gateway:
        identity = send(gateway, f"bad@{ONE}", f"late@{ONE}", f"later@{ONE}")
        gateway.await_recipient(f"bad@{ONE}", "failed")
        gateway.await_queue(lambda entries: all(entry["attempts"] == 1 for entry in entries), "each to be tried")
        equal(gateway.tmail("queue", "bounce", identity), "", "output")
        message, = sink.wait(1)
        equal((message.sender, message.recipients), ("", ["a@client.example"]), "envelope of the report")
        letter = email.message_from_bytes(message.content)
        status = next(part for part in letter.walk() if part.get_content_type() == "message/delivery-status").get_payload()
        fields = {part["Final-Recipient"].split(";")[1].strip(): (part["Status"], part["Action"]) for part in status[1:]}
        equal(fields, {f"bad@{ONE}": ("5.1.1", "failed"), f"late@{ONE}": ("5.0.0", "failed"), f"later@{ONE}": ("5.0.0", "failed")}, "report")
        gateway.await_empty_queue()
        time.sleep(0.3)
        equal(len(sink.messages), 1, "messages")


def test_discard_tells_nobody():
    """Nothing arrives anywhere, and the trace of the message stays."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink, BOUNCE_ENABLED="true") as gateway:
        three_that_wait(gateway)
        gateway.tmail("queue", "discard", "--all", "--yes")
        equal(gateway.queue(), [], "the queue")
        sink.rules.clear()
        gateway.tmail("queue", "flush")
        time.sleep(0.5)
        equal(sink.messages, [], "what arrived")
        equal(len(history(gateway)), 4, "rows of the history")
        with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"))) as db:
            equal(db.execute("SELECT count(*) FROM past").fetchone(), (3,), "messages that are remembered")


def test_purge_takes_what_has_failed():
    """And nothing that anybody still waits for."""
    with Sink(script=["RCPT <bad: 550 5.1.1 nobody", "RCPT: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        held = send(gateway, f"held@{ONE}")
        send(gateway, f"bad1@{ONE}", f"late@{ONE}")
        send(gateway, f"bad2@{ONE}")
        gateway.await_recipient(f"bad1@{ONE}", "failed")
        gateway.await_recipient(f"bad2@{ONE}", "failed")
        gateway.await_queue(lambda entries: tried([entry for entry in entries if entry["recipient"] == f"held@{ONE}"]), "it to be tried")
        gateway.tmail("queue", "hold", held)
        equal(gateway.run("queue", "purge").status, 64, "it asks")
        equal(gateway.tmail("queue", "purge", "--yes"), "2 recipients removed\n", "output")
        equal(states(gateway), {f"held@{ONE}": "held", f"late@{ONE}": "scheduled"}, "what is left")
        equal(gateway.run("queue", "purge", held).status, 1, "nothing of it has failed")


def test_reroute():
    """Whatever the rules say; `none` goes back to them; a route that is gone makes the mail wait, and it says so."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as busy, Sink() as other, gateway_to(busy, ONE) as gateway:
        gateway.route("nowhere.example", other)
        routes = {row["host"]: row["id"] for row in json.loads(gateway.tmail("routes", "list", "--json"))}
        first, second = send(gateway, f"a@{ONE}"), send(gateway, f"b@{ONE}")
        gateway.await_queue(lambda entries: len(entries) == 2 and tried(entries), "each to be tried once")
        gateway.tmail("queue", "reroute", first, "--to", str(routes["nowhere.example"]))
        other.wait(1)
        equal(recipients(other), [f"a@{ONE}"], "what arrived")
        gateway.tmail("queue", "hold", second)
        gateway.tmail("queue", "reroute", "--recipient", f"b@{ONE}", "--to", str(routes["nowhere.example"]), "--yes")
        equal(gateway.tmail("queue", "count", "--route", str(routes["nowhere.example"])), "1 messages, 1 recipients\n", "by route")
        gateway.tmail("routes", "del", str(routes["nowhere.example"]))
        gateway.tmail("queue", "release", second)
        gateway.await_queue(lambda entries: any("was chosen is gone" in (entry["reason"] or "") for entry in entries), "it to wait")
        busy.rules.clear()
        gateway.tmail("queue", "reroute", second, "--to", "none")
        gateway.await_empty_queue()
        equal(recipients(busy), [f"b@{ONE}"], "what arrived")
        equal([event.split()[0] for event in history(gateway)], ["rerouted", "held", "rerouted", "released", "rerouted"], "history")


def test_show_and_export():
    """The header, the body when it is asked for, what has happened; export has the content to the octet."""
    text = b"Subject: caf\xc3\xa9\r\nX-Evil: \x1b[2Jx\r\n\r\n..dots\r\nbell \x07 end\r\n" + b"y" * 20000 + b"\r\n"
    with Sink(script=["RCPT#1: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        identity = send(gateway, f"a@{ONE}", text=text)
        gateway.await_queue(tried, "it to be tried")
        shown = gateway.tmail("queue", "show", identity)
        check("X-Evil: ?[2Jx" in shown and "\x1b" not in shown and "bell" not in shown, shown)
        check(re.search(rf"deferred - <a@{ONE}> - attempt 1, \d+ ms - .*{re.escape(sink.address)}.*450", shown), shown)
        check("bell ? end" in gateway.tmail("queue", "show", identity, "--body"), "the body")
        told = json.loads(gateway.tmail("queue", "show", identity, "--json", "--body"))
        equal((told["id"], told["sender"], told["recipients"][0]["recipient"]), (identity, "a@client.example", f"a@{ONE}"), "the envelope")
        equal(told["recipients"][0]["code"], 450, "code")
        equal([event["event"] for event in told["history"]], ["deferred"], "history")
        check("..dots" in told["content"], "the body")
        check("..dots" not in json.loads(gateway.tmail("queue", "show", identity, "--json"))["header"], "the header")
        with subprocess.Popen([PROGRAM, "-c", gateway.config_path, "queue", "export", identity], stdout=subprocess.PIPE) as process:
            exported = process.stdout.read()
        equal(process.returncode, 0, "exit status")
        check(exported.startswith(b"Received: ") and exported.endswith(text), "the content")
        gateway.tmail("queue", "flush")
        message, = sink.wait(1)
        equal(message.content, exported, "what arrived is what was exported")
        gateway.await_empty_queue()
        for verb in ("show", "export"):
            result = gateway.run("queue", verb, identity)
            check(result.status == 1 and "no such message" in result.err, f"{verb} of a message that is gone: {result}")


def fill(gateway, count):
    """Put so many recipients into the queue by hand, due in an hour, a message for each two."""
    now = int(time.time() * 1000)
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"), timeout=30)) as db, db:
        db.executemany("INSERT INTO message (id, session, arrived, sender, sender_host, client, helo, kind, body, smtputf8, ret, size, content) "
                       "VALUES (?, 's', ?, 'a@b.example', 'b.example', '192.0.2.1', 'c', 0, 0, 0, 0, 1, 'x')",
                       (((now - 3600000 + number) << 21, now) for number in range(count // 2)))
        db.executemany("INSERT INTO recipient (message, number, address, domain, flow, notify, state, wish, warn, due, attempts, crashes) "
                       "VALUES (?, ?, 'r@bulk.example', 'bulk.example', 1, 0, 1, 0, 0, ?, 0, 0)",
                       (((now - 3600000 + number // 2) << 21, number % 2 + 1, now + 3600000) for number in range(count)))


def test_a_long_change_lets_others_in_and_can_be_interrupted():
    """Mail is taken and delivered meanwhile; what was done until SIGINT is done, and said."""
    with Sink() as sink, gateway_to(sink) as gateway:
        fill(gateway, 40000)
        with subprocess.Popen([PROGRAM, "-c", gateway.config_path, "queue", "hold", "--domain", "bulk.example", "--yes"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            await_true(lambda: "held" in gateway.tmail("queue", "list", "--status", "held", "--limit", "1"), "the change to be on its way")
            begun = time.monotonic()
            send(gateway, f"meanwhile@{ONE}")
            sink.wait(1)
            took = time.monotonic() - begun
            meanwhile = process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = (text.decode() for text in process.communicate(timeout=30))
        check(meanwhile or took < 5, f"the message came after the change, and took {took:.1f} s")
        held = int(gateway.tmail("queue", "count", "--status", "held").split()[2])
        if process.returncode == 0:
            equal(out, "40000 recipients held\n", "it was over before the signal")
        else:
            check(f"interrupted: {held} recipients have been held" in err and 0 < held < 40000, f"{held} held, said was {err}")
        gateway.tmail("queue", "release", "--all", "--yes")
        equal(gateway.tmail("queue", "count", "--status", "held"), "0 messages, 0 recipients\n", "held at the end")


if __name__ == "__main__":
    sys.exit(main())
