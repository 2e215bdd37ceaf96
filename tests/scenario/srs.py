#!/usr/bin/python3
"""Issue 5, item 3: aliases that stand for addresses here and elsewhere, the senders that mail gets which goes on (SRS), and the way back.

The hashes are computed here by Python's own means."""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
SENDER, SECRET, DOMAIN = "joe@from.example", "a secret of the tests", "srs.example"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def letters_of(tag, rest, secret=SECRET):
    """The hash of what stands behind it."""
    digest = hmac.new(secret.encode(), (tag + rest).lower().encode(), hashlib.sha256).digest()
    return base64.b64encode(digest)[:4].decode()


def srs0(address, age=0, secret=SECRET):
    """ADDRESS rewritten so many days ago."""
    local, domain = address.rsplit("@", 1)
    day = int(time.time()) // 86400 - age
    rest = f"{LETTERS[day % 1024 // 32]}{LETTERS[day % 32]}={domain}={local}"
    return f"SRS0={letters_of('SRS0', rest, secret)}={rest}@{DOMAIN}"


def gateway_with(aliases, srs=True, **keys):
    """A gateway for the local domain own.example with these aliases; it relays for nobody."""
    rewriting = {"TMAIL_SRS_DOMAIN": DOMAIN, "TMAIL_SRS_SECRET": SECRET} if srs else {}
    gateway = Gateway({**rewriting, **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("rcpthost", "add", "-l", "own.example")
    for alias, addresses in aliases.items():
        gateway.tmail("alias", "add", "-d", addresses, f"{alias}@own.example")
    return gateway


def send(gateway, recipients, sender=SENDER, parameters=""):
    """Send a message."""
    with gateway.session() as client:
        client.mail(sender, recipients, TEXT, parameters)
        client.quit()


def refused(gateway, recipient, start, sender=SENDER):
    """The recipient is refused with these words."""
    with gateway.session() as client:
        client.command(f"MAIL FROM:<{sender}>", "250 ")
        client.command(f"RCPT TO:<{recipient}>", start)
        client.command("DATA", "554 ")
        client.quit()


def said(sink):
    """Sender and recipients of each transaction that the sink took, sorted."""
    return sorted((message.sender, sorted(message.recipients)) for message in sink.messages)


# --- aliases ---

def test_an_alias_stands_for_its_addresses():
    """Several, in two domains, some twice, through another alias; without SRS the sender stays, and recipients share a transaction."""
    aliases = {"all": "a@one.example;b@one.example;c@two.example more@own.example", "more": "b@one.example;d@two.example"}
    with Sink() as sink, gateway_with(aliases, srs=False) as gateway:
        gateway.route("one.example", sink)
        gateway.route("two.example", sink)
        send(gateway, ["ALL@own.example", "more@own.example"])
        sink.wait(2)
        gateway.await_empty_queue()
        equal(said(sink), [(SENDER, ["a@one.example", "b@one.example"]), (SENDER, ["c@two.example", "d@two.example"])], "transactions")


def test_who_is_no_alias_is_as_before():
    """Unknown names are refused; a mini-list of an earlier tmail is one: its members hear the list, not the sender and not SRS."""
    with Sink() as sink, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.route("one.example", sink)
        with sqlite3.connect(gateway.path("tmail.db")) as database:
            database.execute("INSERT INTO aliases (alias, deliver_to, is_mini_list) VALUES ('list@own.example', 'y@one.example', 1)")
        refused(gateway, "nobody@own.example", "550 5.1.1 ")
        refused(gateway, "x@one.example", "554 5.7.1 ")
        send(gateway, ["list@own.example"])
        sink.wait(1)
        equal(said(sink), [("list-bounces@own.example", ["y@one.example"])], "transactions")


def test_an_alias_that_leads_to_no_address_loses_nothing():
    """As an earlier tmail may have left it: the client keeps the mail until somebody has mended the alias."""
    with gateway_with({"a": "x@one.example"}) as gateway:
        with sqlite3.connect(gateway.path("tmail.db")) as database:
            database.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('half@own.example', 'bob;x@one.example')")
            database.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('none@own.example', 'bob')")
        refused(gateway, "half@own.example", "451 4.3.5 ")
        refused(gateway, "none@own.example", "451 4.3.5 ")
        equal(gateway.queue(), [], "queue")


def test_loops_end():
    """Where `alias add` cannot see them, RCPT does; nobody gets the mail."""
    with gateway_with({"a": "b@own.example"}) as gateway:
        result = gateway.run("alias", "add", "-d", "x@one.example;A@own.example", "b@own.example")
        check(result.status != 0 and "b@own.example -> a@own.example -> b@own.example" in result.err, f"{result!r}")
        result = gateway.run("alias", "add", "-d", "self@own.example", "self@own.example")
        check(result.status != 0 and "self@own.example -> self@own.example" in result.err, f"{result!r}")
        with sqlite3.connect(gateway.path("tmail.db")) as database:
            database.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('b@own.example', 'x@one.example;a@own.example')")
            for number in range(12):
                database.execute("INSERT INTO aliases (alias, deliver_to) VALUES (?, ?)",
                                 (f"n{number}@own.example", f"n{number + 1}@own.example"))
            database.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('n12@own.example', 'x@one.example')")
        refused(gateway, "a@own.example", "554 5.4.6 ")
        refused(gateway, "n0@own.example", "554 5.4.6 ")
        send(gateway, ["n3@own.example"])
        equal([entry["recipient"] for entry in gateway.queue()], ["x@one.example"], "recipients")


def test_too_many_addresses():
    """A thousand pass, one more does not."""
    thousand = ";".join(f"u{number}@one.example" for number in range(1000))
    with gateway_with({"thousand": thousand, "more": "thousand@own.example;x@one.example"}) as gateway:
        refused(gateway, "more@own.example", "452 4.5.3 ")
        send(gateway, ["thousand@own.example"])
        equal(len(gateway.queue()), 1000, "recipients")


def test_reports_are_asked_for_as_before():
    """RFC 3461 5.2.7: NOTIFY goes along, and ORCPT, which is the alias where the client gave none."""
    with Sink() as sink, gateway_with({"a+b": "x@one.example", "c": "y@one.example"}, srs=False) as gateway:
        gateway.route("one.example", sink)
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>", "250 ")
            client.command("RCPT TO:<a+b@own.example> NOTIFY=FAILURE", "250 ")
            client.command("RCPT TO:<c@own.example> NOTIFY=NEVER ORCPT=rfc822;first@else.example", "250 ")
            client.command("DATA", "354 ")
            client.send(b"\r\n.\r\n")
            client.expect("250 ")
        sink.wait(1)
        equal(sorted(line.strip() for line in sink.commands() if line.startswith(b"RCPT")),
              [b"RCPT TO:<x@one.example> NOTIFY=FAILURE ORCPT=rfc822;a+2Bb@own.example",
               b"RCPT TO:<y@one.example> NOTIFY=NEVER ORCPT=rfc822;first@else.example"], "RCPT lines")


def test_commands():
    """Rules of `alias add`, both forms of `alias list`, `alias del`."""
    with gateway_with({"b": "x@one.example y@two.example", "a": "b@own.example"}) as gateway:
        gateway.tmail("user", "add", "-m", "box@own.example", "secret")
        gateway.tmail("rcpthost", "add", "away.example")
        for words, complaint in {("x@one.example", "b@own.example"): "already exists",
                                 ("x@one.example", "box@own.example"): "is an existing user",
                                 ("x@one.example", "c@away.example"): "must be a local one",
                                 ("x@one.example", "c@else.example"): "not handled by tmail",
                                 ("x", "c@own.example"): "is no address", (" ; ", "c@own.example"): "are needed",
                                 ("x@one.example", "own.example"): "is no domain"}.items():
            result = gateway.run("alias", "add", "-d", *words)
            check(result.status != 0 and complaint in result.err, f"alias add -d {words}: {result!r}")
        equal(gateway.tmail("alias", "list"),
              "a@own.example\n  -> b@own.example\nb@own.example\n  -> x@one.example\n  -> y@two.example\n", "list")
        equal([(row["alias"], row["deliver_to"]) for row in json.loads(gateway.tmail("alias", "list", "--json"))],
              [("a@own.example", "b@own.example"), ("b@own.example", "x@one.example;y@two.example")], "rows")
        gateway.tmail("alias", "del", "A@own.example")
        check(gateway.run("alias", "del", "a@own.example").status != 0, "a second del passed")
        refused(gateway, "a@own.example", "550 5.1.1 ")


# --- senders ---

def test_mail_that_goes_on_has_a_sender_of_ours():
    """What stays in our domains keeps its sender, and so do a mailbox's neighbour and mail that no alias sends on."""
    with Sink() as sink, gateway_with({"a": "x@one.example;y@one.example", "b": "z@relay.example"}) as gateway:
        gateway.tmail("rcpthost", "add", "relay.example")
        gateway.route("one.example", sink)
        gateway.route("relay.example", sink)
        send(gateway, ["a@own.example", "b@own.example", "direct@relay.example"])
        sink.wait(2)
        gateway.await_empty_queue()
        equal(said(sink), [(srs0(SENDER), ["x@one.example", "y@one.example"]),
                           (SENDER, ["direct@relay.example", "z@relay.example"])], "transactions")


def test_senders_do_not_mix():
    """One client names the address itself, and another by an alias: the next hop hears both senders, each for its recipient."""
    with Sink() as sink, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.1")
        gateway.route("one.example", sink)
        send(gateway, ["y@one.example", "a@own.example", "z@one.example"])
        sink.wait(2)
        equal(said(sink), [(srs0(SENDER), ["x@one.example"]), (SENDER, ["y@one.example", "z@one.example"])], "transactions")


def test_senders_that_stay():
    """The null sender, our own domains', and one that would be too long."""
    long = f"j@{'d' * 63}.{'d' * 63}.{'d' * 63}.{'d' * 32}.example"
    with Sink() as sink, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.route("one.example", sink)
        senders = ["", "me@own.example", f"SRS0=abcd=AA=else.example=joe@{DOMAIN}", long]
        for sender in senders:
            send(gateway, ["a@own.example"], sender)
        sink.wait(4)
        equal(sorted(message.sender for message in sink.messages), sorted(senders), "senders")
        gateway.await_log(r"event=note .*SRS")


def test_the_sender_of_another_forwarder():
    """SRS0 of another becomes our SRS1, and that of a third keeps the first."""
    rest = "else.example==abcd=AA=from.example=joe"
    expected = f"SRS1={letters_of('SRS1', rest)}={rest}@{DOMAIN}"
    with Sink() as sink, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.route("one.example", sink)
        send(gateway, ["a@own.example"], "SRS0=abcd=AA=from.example=joe@else.example")
        send(gateway, ["a@own.example"], f"SRS1=wxyz={rest}@third.example")
        sink.wait(2)
        equal({message.sender for message in sink.messages}, {expected}, "senders")


def test_it_outlives_a_restart():
    """The sender is in the queue: a new process and a new secret change nothing of it."""
    with Sink(listening=False) as sink, gateway_with({"a": "x@one.example"}, DELIVERD_RETRY_TIMES="1h") as gateway:
        gateway.route("one.example", sink)
        expected = srs0(SENDER)
        send(gateway, ["a@own.example"])
        gateway.await_queue(lambda entries: entries and entries[0]["attempts"] == 1 and entries[0]["status"] == "scheduled", "an attempt")
        gateway.config["TMAIL_SRS_DOMAIN"] = "other.example"
        gateway.restart()
        sink.listen()
        gateway.tmail("queue", "flush")
        equal(sink.wait(1)[0].sender, expected, "sender")


def test_verp_of_a_rewritten_sender():
    """A route with --verp starts from the recipient's own sender; too long is as it was."""
    with Sink() as sink, gateway_with({"a": "x@one.example;y@one.example"}) as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, ["a@own.example"], "j@f.example")
        sink.wait(2)
        local, domain = srs0("j@f.example").split("@")
        equal(said(sink), [(f"{local}+x=one.example@{domain}", ["x@one.example"]),
                           (f"{local}+y=one.example@{domain}", ["y@one.example"])], "transactions")


# --- the way back ---

def test_what_comes_back_goes_to_the_sender():
    """From nobody and from somebody, in any case and with any separator; another's mail is not relayed for that."""
    with Sink() as sink, Sink() as other, gateway_with({}) as gateway:
        gateway.route("from.example", sink)
        gateway.route("else.example", other)
        address = srs0(SENDER)
        send(gateway, [address], "")
        send(gateway, [address.lower()], "someone@client.example")
        send(gateway, [address.replace("SRS0=", "SRS0+", 1)], "")
        sink.wait(3)
        equal([message.recipients for message in sink.messages], 3 * [[SENDER]], "recipients")
        equal(sorted(message.sender for message in sink.messages), ["", "", srs0("someone@client.example")], "senders")
        rest = "else.example==abcd=AA=from.example=joe"
        send(gateway, [f"SRS1={letters_of('SRS1', rest)}={rest}@{DOMAIN}"], "")
        equal(other.wait(1)[0].recipients, ["SRS0=abcd=AA=from.example=joe@else.example"], "recipients")


def test_addresses_that_we_did_not_make():
    """Forged, expired, of another secret; and those of the domain that are no such address are nobody's, as before."""
    good = srs0(SENDER)
    with gateway_with({}, SMTP_MAX_BAD_RCPT="0") as gateway:
        for address in (good.replace("from.example", "victim.example"), good.replace("=joe@", "=jim@"),
                        srs0(SENDER, secret="another secret of them"),
                        "SRS0=@" + DOMAIN, "SRS1=x=y@" + DOMAIN, srs0(SENDER, age=22), srs0(SENDER, age=-1)):
            refused(gateway, address, "550 5.1.1 ", "")
        refused(gateway, "joe@" + DOMAIN, "554 5.7.1 ", "")
        send(gateway, [srs0(SENDER, age=21)], "")
    with gateway_with({}, srs=False) as gateway:
        refused(gateway, good, "554 5.7.1 ", "")


def test_a_sender_of_a_domain_of_ours():
    """Rewritten before the domain became ours: now the rules of our domains hold."""
    with Sink() as sink, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.route("one.example", sink)
        refused(gateway, srs0("nobody@own.example"), "550 5.1.1 ", "")
        send(gateway, [srs0("a@own.example")], "")
        equal(sink.wait(1)[0].recipients, ["x@one.example"], "recipients")


def test_a_report_finds_its_way():
    """The whole round: mail goes on, its next hop refuses it, and the report that the next hop sends reaches the sender."""
    with Sink() as onward, Sink() as home, gateway_with({"a": "x@one.example"}) as gateway:
        gateway.route("one.example", onward)
        gateway.route("from.example", home)
        send(gateway, ["a@own.example"])
        send(gateway, [onward.wait(1)[0].sender], "")
        home.wait(1)
        equal(said(home), [("", [SENDER])], "transactions")


def test_keys():
    """A domain needs a secret that is none too short, which may be in a file, and is never shown."""
    for keys in ({"TMAIL_SRS_DOMAIN": DOMAIN},
                 {"TMAIL_SRS_DOMAIN": DOMAIN, "TMAIL_SRS_SECRET": "short"}, {"TMAIL_SRS_DOMAIN": "not a domain"}):
        with Gateway(keys, start=False) as gateway:
            result = gateway.run("config")
            check(result.status != 0 and "TMAIL_SRS_DOMAIN" in result.err and "short" not in result.err, f"{keys} passed: {result!r}")
    with Gateway(start=False) as gateway:
        gateway.config.update({"TMAIL_SRS_DOMAIN": DOMAIN, "TMAIL_SRS_SECRET_FILE": gateway.write_file("srs.secret", SECRET + "\n")})
        gateway.write_config()
        check(SECRET not in gateway.tmail("config", "--all"), "the secret is shown")


if __name__ == "__main__":
    main()
