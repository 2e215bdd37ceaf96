#!/usr/bin/python3
"""Issue 2, item 11: a message can be followed from connect to the next hop's reply; where the log goes."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def fields(line):
    """The fields of a logfmt line."""
    return {name: value.strip('"') for name, value in re.findall(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)', line)}


def deliver(gateway, sink):
    """Relay one message to b@hop.example; return its queue id and the name of its session."""
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.route("hop.example", sink)
    with gateway.client() as client:
        session = client.expect("220 ").last.rsplit(" ", 1)[1]
        client.command("EHLO client.example", "250 ")
        identifier = client.mail("a@client.example", ["b@hop.example"], TEXT)
        client.quit()
    sink.wait(1)
    gateway.await_empty_queue()
    return identifier, session


def test_one_grep_of_the_session_tells_the_whole_life():
    """From connect to the reply of the next hop."""
    with Sink(script=[".: 250 2.0.0 Taken with thanks"]) as sink, Gateway() as gateway:
        identifier, session = deliver(gateway, sink)
        gateway.await_log("event=delivered")
        gateway.await_log("event=disconnect.*messages=1")
        lines = {line["event"]: line for line in map(fields, gateway.log().splitlines()) if line.get("session") == session}
        check({"connect", "queued", "disconnect", "delivered"} <= lines.keys(), f"events: {sorted(lines)}")
        equal(lines["connect"]["client"].split(":")[0].strip("[]"), "127.0.0.1", "client")
        equal(lines["queued"]["queue"], identifier, "queue id at queued")
        delivered = lines["delivered"]
        equal(delivered["queue"], identifier, "queue id at delivered")
        equal(delivered["recipient"].strip("<>"), "b@hop.example", "recipient")
        equal((delivered["reply"], delivered["status"], delivered["reason"]), ("250", "2.0.0", "Taken with thanks"), "reply")
        check(f"{sink.address}]:{sink.port}" in delivered["host"], f"host: {delivered['host']!r}")


def test_one_grep_of_the_queue_id_leads_to_the_session():
    """queued, and delivered or deferred or failed, each with the session's name."""
    with Sink(script=["RCPT#1: 450 4.2.1 busy"]) as sink, Gateway({"TMAIL_DELIVERD_RETRY_MIN": "1s",
                                                                   "TMAIL_DELIVERD_RETRY_MAX": "1s"}) as gateway:
        identifier, session = deliver(gateway, sink)
        gateway.await_log("event=delivered")
        lines = [fields(line) for line in gateway.log().splitlines() if identifier in line]
        equal([line["event"] for line in lines if line["level"] != "debug"], ["queued", "deferred", "delivered"], "events")
        equal({line["session"] for line in lines}, {session}, "sessions")


def test_a_refusal_is_logged_with_its_verb_and_reply():
    """event=refused."""
    with Gateway() as gateway, gateway.session() as client:
        client.command("MAIL FROM:<a@client.example>", "250 ")
        client.command("RCPT TO:<b@elsewhere.example>", "554 ")
        line = fields(gateway.await_log("event=refused.*").string)
        equal(line["verb"], "RCPT", "verb")
        equal((line["reply"], line["status"]), ("554", "5.7.1"), "reply")
        check("Relay access denied" in line["reason"], f"reason: {line['reason']!r}")


def test_times_are_utc_with_milliseconds():
    """On every line."""
    with Gateway() as gateway:
        for line in gateway.log().splitlines():
            check(TIME.fullmatch(fields(line)["time"]), f"time: {line!r}")


def test_the_parent_says_where_it_listens():
    """event=listening."""
    with Gateway() as gateway:
        gateway.await_log(rf"event=listening.*127\.0\.0\.1:{gateway.port}")
        gateway.await_log(rf"event=listening.*\[?::1\]?:{gateway.port}")


def test_the_log_in_a_directory():
    """TMAIL_LOGPATH names a folder; the log of parent and children is in it, and not on standard output."""
    with Sink() as sink, Gateway(start=False) as gateway:
        folder = gateway.path("log")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        gateway.config["TMAIL_LOGPATH"] = folder
        gateway.write_config()
        gateway.start()
        identifier, _ = deliver(gateway, sink)
        gateway.finish()
        text = ""
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text += file.read()
        for word in ("event=listening", f"queue={identifier}", "event=delivered", "event=stopped"):
            check(word in text, f"no {word} in {text!r}")
        check("event=delivered" not in gateway.log(), "the log is on standard output too")


def test_debug_shows_the_dialogue():
    """Both directions of both ends."""
    with Sink() as sink, Gateway({"TMAIL_DEBUG_ENABLED": "true"}) as gateway:
        deliver(gateway, sink)
        dialogue = [line for line in gateway.log().splitlines() if "event=dialogue" in line]
        for process, words in (("smtpd", "RCPT TO:<b@hop.example>"), ("deliverd", "RCPT TO:<b@hop.example>"),
                               ("smtpd", "Ok: queued"), ("deliverd", "Taken as")):
            check(any(f"process={process}" in line and words in line for line in dialogue), f"no {words!r} of {process}")


def test_without_debug_there_is_no_dialogue():
    """Nor a debug line."""
    with Sink() as sink, Gateway() as gateway:
        deliver(gateway, sink)
        check("level=debug" not in gateway.log(), "a debug line")


def test_json():
    """TMAIL_LOG_FORMAT=json: the same events."""
    with Sink() as sink, Gateway({"TMAIL_LOG_FORMAT": "json"}) as gateway:
        identifier, session = deliver(gateway, sink)
        gateway.await_log('"event": ?"delivered"')
        lines = [json.loads(line) for line in gateway.log().splitlines()]
        delivered = next(line for line in lines if line["event"] == "delivered")
        equal((delivered["queue"], delivered["session"]), (identifier, session), "queue and session")


if __name__ == "__main__":
    main()
