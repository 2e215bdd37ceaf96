#!/usr/bin/python3
"""Dovecot (Debian packages dovecot-*) as the place where the mail of local domains is kept: sent by SMTP, read by IMAP and POP3."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import mailboxes  # noqa: E402  pylint: disable=wrong-import-position
from post import (ALICE, BOB, CAROL, DOMAIN, PASSWORD, SENDER, SOON, TEXT,  # noqa: E402  pylint: disable=wrong-import-position
                  add_users, body, header, report_of, send)
from tmail import ME, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

WAYS = ("unix", "tcp", "lda")
CONTENTS = {
    "plain": b"Hello.\r\n",
    "8-bit": "Grüße aus München, \u4f60\u597d.\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "dots": b".\r\n..\r\n.leading\r\nlast line\r\n.\r\n",
    "long-lines": b"x" * 998 + b"\r\n" + b".y" * 499 + b"\r\n",
    "from-lines": b"From here on\r\n>From there\r\n\r\n\r\nFrom\r\n",
    "spaces-at-ends": b"a \r\n\t\r\n \r\nb\t\r\n",
}
LARGE = b"".join(b"%07d" % number + b"z" * 63 + b"\r\n" for number in range(70000))
# Local parts as they stand in the path of RCPT: what a shell, a path or getopt would make something of.
HOSTILE = ["-oX", "-d", "--", "-e-f", r'"-f root"', '"../../../../etc/passwd"', '"a/../../b"', "~root", '"a b"', '"a;id"', "a|id", "`id`",
           "$HOME", '"$(id)"', "%u", "%s%n", r'"a\"b"', r'"a\\b"', "'a'", '"<a>"', '"a@b"', '""', "{a}", "*", "a=b"]
UNICODE = ["grüße", "a\u2028b", "a\u0085b", "\u202e-oX", "a\u00a0b"]

EACH = {}


def each_way(test):
    """A test that is made with each way to Dovecot."""
    for way in WAYS:
        EACH[f"{test.__name__.replace('_', '-')}-by-{way}"] = lambda way=way: test(way)


@contextlib.contextmanager
def house(way, *logins, keys=None, words=(), **options):
    """A gateway and its Dovecot with these users."""
    with mailboxes(way, {**SOON, **(keys or {})}, **options) as (gateway, dovecot):
        add_users(gateway, *logins, words=words)
        yield gateway, dovecot


def once(message, sender=SENDER, *to, way="lda"):
    """The marks of a delivery, each once. (Dovecot's LMTP leaves out the first Delivered-To where a transaction has several recipients.)"""
    equal(header(message, "Return-Path"), [f"<{sender}>"], "Return-Path")
    found = header(message, "Delivered-To")
    equal(found, list(to) if way == "lda" or len(found) == len(to) else list(to)[1:], "Delivered-To")
    check(any(f"by {ME} " in value for value in header(message, "Received")), f"our Received: {header(message, 'Received')}")


# --- contents ---

@each_way
def read_back(way):
    """What was sent, by IMAP, by POP3 and in the file, with the marks of its delivery once each."""
    with house(way, ALICE) as (gateway, dovecot):
        send(gateway, ALICE)
        stored, = dovecot.await_mail(ALICE)
        once(stored, SENDER, ALICE)
        check(stored.endswith(TEXT), f"content: {stored!r}")
        equal(dovecot.imap(ALICE, PASSWORD), [stored], "by IMAP")
        equal(dovecot.pop3(ALICE, PASSWORD), [stored], "by POP3")
        gateway.await_empty_queue()


@each_way
def contents_stay_what_they_are(way):
    """8-bit, dots, long lines, lines that look like an mbox's, spaces at the ends of lines."""
    with house(way, ALICE) as (gateway, dovecot):
        for name, content in CONTENTS.items():
            send(gateway, ALICE, text=f"Subject: {name}\r\n\r\n".encode() + content, parameters="BODY=8BITMIME")
        dovecot.await_mail(ALICE, len(CONTENTS))
        found = {header(message, "Subject")[0]: body(message) for message in dovecot.imap(ALICE, PASSWORD)}
        equal(found, CONTENTS, "by IMAP")
        found = {header(message, "Subject")[0]: body(message) for message in dovecot.pop3(ALICE, PASSWORD)}
        equal(found, CONTENTS, "by POP3")


@each_way
def a_large_message(way):
    """Five megabytes, to two."""
    with house(way, ALICE, BOB) as (gateway, dovecot):
        send(gateway, ALICE, BOB, text=b"Subject: large\r\n\r\n" + LARGE)
        for login in ALICE, BOB:
            dovecot.await_mail(login)
            message, = dovecot.imap(login, PASSWORD)
            check(body(message) == LARGE, f"{login}: {len(body(message))} octets of {len(LARGE)}, or others")
            once(message, SENDER, login, way=way)


@each_way
def a_null_sender(way):
    """Its Return-Path is empty, and there."""
    with house(way, ALICE) as (gateway, dovecot):
        send(gateway, ALICE, sender="")
        once(dovecot.await_mail(ALICE)[0], "", ALICE)


def test_a_return_path_that_was_there():
    """It goes: the one of the final delivery counts (RFC 5321 section 4.4), which by LMTP is Dovecot's."""
    with house("lda", ALICE) as (gateway, dovecot):
        send(gateway, ALICE, text=b"Return-Path: <forged@client.example>\r\nReturn-Path:\r\n <folded@client.example>\r\n" + TEXT)
        once(dovecot.await_mail(ALICE)[0], SENDER, ALICE)


@each_way
def headers_beyond_ascii(way):
    """SMTPUTF8: sender and subject as they are."""
    with house(way, ALICE) as (gateway, dovecot):
        send(gateway, ALICE, sender="jürgen@client.example", text="Subject: Grüße\r\n\r\nx\r\n".encode(), parameters="BODY=8BITMIME SMTPUTF8")
        stored, = dovecot.await_mail(ALICE)
        equal(header(stored, "Subject"), ["Grüße"], "Subject")
        once(stored, "jürgen@client.example" if way == "lda" else "", ALICE)  # Dovecot's LMTP does not know such a sender


# --- recipients ---

def words_of(dovecot, way, sender, original, user):
    """By dovecot-lda: the words that it was run with."""
    if way == "lda":
        check(["-e", "-f", sender, "-a", original, "-d", user] in dovecot.lda_words(), f"words: {dovecot.lda_words()}")


@each_way
def user_and_detail(way):
    """In the user's inbox; who the mail was for is known there."""
    with house(way, ALICE) as (gateway, dovecot):
        send(gateway, f"alice+news@{DOMAIN}")
        equal(len(header(dovecot.await_mail(ALICE)[0], "Delivered-To")), 1, "Delivered-To")
        words_of(dovecot, way, SENDER, f"alice+news@{DOMAIN}", ALICE)
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>", "250 ")
            client.command(f"RCPT TO:<nobody+news@{DOMAIN}>", "550 5.1.1 ")
            client.command("RSET", "250 ")
            client.quit()


@each_way
def the_case_of_an_address(way):
    """A user is a user however the address is written."""
    with house(way, ALICE) as (gateway, dovecot):
        send(gateway, "Alice@LOCAL.Example")
        dovecot.await_mail(ALICE)


@each_way
def a_catch_all(way):
    """Gets what nobody else has, and nothing of what others have."""
    with house(way, ALICE) as (gateway, dovecot):
        add_users(gateway, BOB, words=("--catchall",))
        send(gateway, f"nobody@{DOMAIN}", ALICE)
        once(dovecot.await_mail(ALICE)[0], SENDER, ALICE, way=way)
        equal(header(dovecot.await_mail(BOB)[0], "Return-Path"), [f"<{SENDER}>"], "Return-Path")
        words_of(dovecot, way, SENDER, f"nobody@{DOMAIN}", BOB)


@each_way
def a_domain_that_stands_for_another(way):
    """Its addresses are those of the other."""
    with house(way, ALICE) as (gateway, dovecot):
        gateway.tmail("alias", "add", "-d", DOMAIN, "alias.example")
        send(gateway, "alice@alias.example")
        equal(len(header(dovecot.await_mail(ALICE)[0], "Delivered-To")), 1, "Delivered-To")
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>", "250 ")
            client.command("RCPT TO:<nobody@alias.example>", "550 5.1.1 ")
            client.command("RSET", "250 ")
            client.quit()


@each_way
def an_alias_to_several(way):
    """Two here, one elsewhere; who is named twice gets it once."""
    with Sink() as sink, house(way, ALICE, BOB) as (gateway, dovecot):
        gateway.route("remote.example", sink)
        gateway.tmail("alias", "add", "-d", f"{ALICE};{BOB};x@remote.example", f"team@{DOMAIN}")
        send(gateway, f"team@{DOMAIN}", ALICE)
        once(dovecot.await_mail(ALICE)[0], SENDER, ALICE, way=way)
        once(dovecot.await_mail(BOB)[0], SENDER, BOB, way=way)
        equal(sink.wait(1)[0].recipients, ["x@remote.example"], "elsewhere")
        gateway.await_empty_queue()
        equal([len(dovecot.mailbox(login)) for login in (ALICE, BOB)], [1, 1], "messages")


@each_way
def postmaster_and_abuse(way):
    """Of the domain and of the host: TMAIL_POSTMASTER's, until the domain has its own."""
    with house(way, ALICE, BOB, keys={"TMAIL_POSTMASTER": ALICE}) as (gateway, dovecot):
        names = [f"postmaster@{DOMAIN}", f"Abuse@{DOMAIN}", f"postmaster@{ME}", "postmaster"]
        for name in names:
            send(gateway, name)
        dovecot.await_mail(ALICE, len(names))
        gateway.tmail("alias", "add", "-d", BOB, f"postmaster@{DOMAIN}")
        send(gateway, f"postmaster@{DOMAIN}")
        dovecot.await_mail(BOB)
        equal(len(dovecot.mailbox(ALICE)), len(names), "messages of TMAIL_POSTMASTER")


@each_way
def hostile_local_parts(way):
    """Each reaches the mailbox of the catch-all, and is nothing but an address on the way; as a sender and as a detail, too."""
    with house(way, ALICE, words=("--catchall",)) as (gateway, dovecot):
        count = 0
        with gateway.session() as client:
            for local in HOSTILE:
                client.mail(SENDER, [f"{local}@{DOMAIN}"], f"Subject: {count}\r\n\r\n".encode())
                client.mail(f"{local}@client.example", [ALICE], f"Subject: {count + 1}\r\n\r\n".encode())
                count += 2
            for detail in "-oX", "-d", "--", "%u", "{a}", "`id`":
                client.mail(SENDER, [f"alice+{detail}@{DOMAIN}"], f"Subject: {count}\r\n\r\n".encode())
                count += 1
            client.mail(SENDER, [fr'"alice+../a b\"c"@{DOMAIN}'], f"Subject: {count}\r\n\r\n".encode())
            client.quit()
        stored = dovecot.await_mail(ALICE, count + 1)
        equal(sorted(int(header(message, "Subject")[0]) for message in stored), list(range(count + 1)), "messages")
        check(all(len(header(message, name)) == 1 for message in stored for name in ("Return-Path", "Delivered-To")), "marks")
        gateway.await_empty_queue()
        if way == "lda":
            runs = dovecot.lda_words()
            strange = [run for run in runs if len(run) != 7 or (run[:2], run[3], run[5:]) != (["-e", "-f"], "-a", ["-d", ALICE])]
            equal(strange, [], "runs with other words")
            originals = {run[4] for run in runs}
            check(originals >= {f"{local}@{DOMAIN}" for local in ("-oX", "-d", "$HOME", '"a b"')}, f"originals: {originals}")
        equal(sorted(os.listdir(dovecot.base)), [DOMAIN[0]], "what is in the folder of mailboxes")


@each_way
def hostile_local_parts_beyond_ascii(way):
    """Taken and delivered, or refused at once: never taken and stuck."""
    with house(way, ALICE, words=("--catchall",)) as (gateway, dovecot):
        taken = 0
        with gateway.session() as client:
            for local in UNICODE:
                client.command(f"MAIL FROM:<{SENDER}> SMTPUTF8", "250 ")
                if client.command(f"RCPT TO:<{local}@{DOMAIN}>").code == 250:
                    client.command("DATA", "354 ")
                    client.send(TEXT + b".\r\n")
                    client.expect("250 ")
                    taken += 1
                else:
                    client.command("RSET", "250 ")
            client.quit()
        check(taken, "none was taken")
        dovecot.await_mail(ALICE, taken)
        gateway.await_empty_queue()


@each_way
def who_asks_is_told(way):
    """NOTIFY=SUCCESS: a report that says `delivered`, for the address that the sender knows."""
    with Sink() as home, house(way, ALICE, keys={"TMAIL_BOUNCE_ENABLED": "true"}) as (gateway, dovecot):
        gateway.route("client.example", home)
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}> RET=HDRS", "250 ")
            client.command(f"RCPT TO:<{ALICE}> NOTIFY=SUCCESS", "250 ")
            client.command("DATA", "354 ")
            client.send(TEXT + b".\r\n")
            client.expect("250 ")
            client.quit()
        dovecot.await_mail(ALICE)
        group = report_of(home.wait(1)[0])[ALICE]
        equal((group["Action"], group["Status"][:2]), ("delivered", "2."), "report")


def test_users_whom_only_dovecot_knows():
    """TMAIL_LMTP_PROBE_DOMAINS: Dovecot is asked at RCPT, by RCPT; the answer is kept for a while, also when Dovecot is gone."""
    with mailboxes("unix", {**SOON, "TMAIL_LMTP_PROBE_DOMAINS": "probed.example"}) as (gateway, dovecot):
        with open(os.path.join(dovecot.folder, "others"), "w", encoding="utf-8") as file:
            file.write(f"dora@probed.example::{dovecot.account.pw_uid}:{dovecot.account.pw_gid}::{dovecot.base}/dora::\n")
        dovecot.settings = f"userdb {{\n  driver = passwd-file\n  args = {dovecot.folder}/others\n}}\n"
        dovecot.kill()
        dovecot.start()
        for domain in "probed.example", "other.example":
            gateway.tmail("rcpthost", "add", "-l", domain)
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>", "250 ")
            client.command("RCPT TO:<nobody@probed.example>", "550 5.1.1 ")
            client.command("RCPT TO:<dora@other.example>", "550 5.1.1 ")
            client.command("RSET", "250 ")
            client.quit()
        send(gateway, "dora@probed.example")
        await_true(lambda: dovecot.mailbox("dora", home=f"{dovecot.base}/dora"), lambda: f"the message; Dovecot said:\n{dovecot.log()}")
        gateway.await_empty_queue()
        dovecot.kill()
        send(gateway, "dora@probed.example")
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>", "250 ")
            client.command("RCPT TO:<new@probed.example>", "45")
            client.command("RSET", "250 ")
            client.quit()
        dovecot.start()
        gateway.tmail("queue", "flush")
        await_true(lambda: len(dovecot.mailbox("dora", home=f"{dovecot.base}/dora")) == 2, lambda: f"the second message:\n{gateway.log_tail()}")


# --- lists and commands ---

@each_way
def a_mini_list(way):
    """Members' copies have the list's own sender and its List-Id; what comes back from it goes nowhere; its bounces go to postmaster."""
    name = f"list@{DOMAIN}"
    with house(way, ALICE, BOB, CAROL, keys={"TMAIL_POSTMASTER": CAROL}) as (gateway, dovecot):
        gateway.tmail("alias", "add", "-m", "-d", f"{ALICE};{BOB}", name)
        send(gateway, name)
        for login in ALICE, BOB:
            copy, = dovecot.await_mail(login)
            once(copy, f"list-bounces@{DOMAIN}", login, name, way=way)
            equal(header(copy, "List-Id"), [f"<list.{DOMAIN}>"], "List-Id")
            check(copy.endswith(TEXT), f"content: {copy!r}")
        send(gateway, name, text=dovecot.mailbox(ALICE)[0])
        for login in ALICE, BOB:
            gateway.await_log(rf"event=failed .*recipient={login} .*status=5\.4\.6 ")
        send(gateway, f"list-bounces@{DOMAIN}", sender="")
        once(dovecot.await_mail(CAROL)[0], "", CAROL)
        equal([len(dovecot.mailbox(login)) for login in (ALICE, BOB)], [1, 1], "messages of members")


@each_way
def a_list_keeps_a_null_sender(way):
    """A report to a list is not answered."""
    with house(way, ALICE) as (gateway, dovecot):
        gateway.tmail("alias", "add", "-m", "-d", ALICE, f"list@{DOMAIN}")
        send(gateway, f"list@{DOMAIN}", sender="")
        once(dovecot.await_mail(ALICE)[0], "", ALICE, f"list@{DOMAIN}")


@each_way
def a_command_beside_a_mailbox(way):
    """An alias with both: the command gets the message once, and so does the mailbox."""
    with house(way, ALICE) as (gateway, dovecot):
        script = gateway.write_file("keep", '#!/bin/sh\ncat >"$1/$$.part" && mv "$1/$$.part" "$1/$$.message"\n')
        os.chmod(script, 0o755)
        kept = gateway.path("kept")
        os.mkdir(kept)
        os.chmod(kept, 0o777)
        gateway.tmail("alias", "add", "-p", f"{script} {kept}", "-d", ALICE, f"both@{DOMAIN}")
        send(gateway, f"both@{DOMAIN}")
        check(dovecot.await_mail(ALICE)[0].endswith(TEXT), "the mailbox has it")
        await_true(lambda: any(name.endswith(".message") for name in os.listdir(kept)), lambda: f"the command; log:\n{gateway.log_tail()}")
        gateway.await_empty_queue()
        name, = os.listdir(kept)
        with open(os.path.join(kept, name), "rb") as file:
            got = file.read()
        equal(got.replace(b"\r\n", b"\n").endswith(TEXT.replace(b"\r\n", b"\n")), True, f"content: {got!r}")


def test_original_recipients_that_are_none():
    """What a client says in ORCPT never stands in the way of its mail, and neither does an odd sender."""
    originals = ["rfc822;no+20address", "rfc822;-oX", "rfc822;@", "rfc822;", "rfc822;+3Ca@b.example+3E", "x400;/S=a", "utf-8;gr\\x{FC}n@b.example",
                 "rfc822;" + "x" * 400 + "@b.example", "rfc822;a@b.example"]
    senders = ["a@[192.0.2.1]", "a@[IPv6:::1]", "x" * 64 + "@client.example", "a@client", "a.b+c=d@client.example"]
    with house("lda", ALICE) as (gateway, dovecot):
        taken = 0
        with gateway.session() as client:
            for sender, original in [(SENDER, original) for original in originals] + [(sender, None) for sender in senders]:
                client.command(f"MAIL FROM:<{sender}>", "250 ")
                if client.command(f"RCPT TO:<{ALICE}>{f' ORCPT={original}' if original else ''}").code == 250:
                    client.command("DATA", "354 ")
                    client.send(TEXT + b".\r\n")
                    client.expect("250 ")
                    taken += 1
                else:
                    client.command("RSET", "250 ")
            client.quit()
        check(taken > 10, f"{taken} were taken")
        dovecot.await_mail(ALICE, taken)
        gateway.await_empty_queue()
        check("a@b.example" in [run[4] for run in dovecot.lda_words()], f"words: {dovecot.lda_words()}")


def test_a_message_that_was_here_before():
    """dovecot-lda does not look: a Delivered-To of that very mailbox is a loop, that of another is none."""
    with house("lda", ALICE, BOB) as (gateway, dovecot):
        send(gateway, ALICE, text=f"Delivered-To: {ALICE}\r\n".encode() + TEXT)
        send(gateway, BOB, text=f"Delivered-To: {ALICE}\r\n".encode() + TEXT)
        equal(header(dovecot.await_mail(BOB)[0], "Delivered-To"), [BOB, ALICE], "Delivered-To")
        gateway.await_log(rf"event=failed .*recipient={ALICE} .*status=5\.4\.6 ")
        equal(dovecot.mailbox(ALICE), [], "messages")


if __name__ == "__main__":
    main(EACH)
