#!/usr/bin/python3
"""Issue 6, items 3 to 5, as far as RCPT and the command line go: what is queued for users, aliases, mini-lists, roles and catch-alls, and for
names that somebody made up to do harm. No Dovecot: nothing is delivered, and deliverd does not run."""

import contextlib
import json
import os
import pty
import select
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import PATIENCE, Gateway, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
SENDER = "ann@from.example"


class House(Gateway):
    """A gateway that only receives, for own.example, where joe has a mailbox."""

    def __init__(self, **keys):
        super().__init__({"TMAIL_DELIVERD_LAUNCH": "false", **{f"TMAIL_{key}": value for key, value in keys.items()}})
        self.config.setdefault("TMAIL_USERS_HOME_BASE", self.path("homes"))
        self.write_config()
        self.tmail("user", "add", "-m", "joe@own.example", "secret")

    def send(self, *recipients, **how):
        """Send a message; return what was queued: (address, list, sender, orcpt) of each recipient, in order."""
        self.keep(recipients, **how)
        return self.take()

    def keep(self, recipients, sender=SENDER, mail="", rcpt=""):
        """Send a message, which stays in the queue."""
        with self.session() as client:
            client.command(f"MAIL FROM:<{sender}>{mail}", "250 ")
            for recipient in recipients:
                client.command(f"RCPT TO:<{recipient}>{rcpt}", "250 ")
            client.command("DATA", "354 ")
            client.send(TEXT + b".\r\n")
            client.expect("250 ")
            client.quit()

    def take(self):
        """What is queued, which is forgotten."""
        with contextlib.closing(sqlite3.connect(self.path("store", "queue.db"))) as database:
            rows = database.execute("SELECT address, list, sender, orcpt FROM recipient ORDER BY message, number").fetchall()
        if rows:
            self.tmail("queue", "discard", "--all", "--yes")
        return [tuple(text or "" for text in row) for row in rows]

    def come_to(self, *recipients, **how):
        """The addresses that these become."""
        return [row[0] for row in self.send(*recipients, **how)]

    def refuse(self, recipient, start, mail=""):
        """The recipient is refused with these words, and nothing is queued."""
        with self.session() as client:
            client.command(f"MAIL FROM:<{SENDER}>{mail}", "250 ")
            client.command(f"RCPT TO:<{recipient}>", start)
            client.quit()
        equal(self.take(), [], f"queue after {recipient}")

    def alias(self, name, *words):
        """Add an alias."""
        self.tmail("alias", "add", *words, name)

    def fails(self, *words, status=1):
        """The command complains; return how."""
        result = self.run(*words)
        equal(result.status, status, f"status of {words}: {result!r}")
        return result.err


def orcpt(address):
    """The original recipient as it is made for those that the client gave none."""
    return f"rfc822;{address}"


# --- RCPT ---

def test_a_mailbox_gets_its_own_address():
    """However it was written; the detail goes along, to the letter; nothing else is said of it."""
    with House() as house:
        equal(house.send("Joe@OWN.example"), [("joe@own.example", "", "", "")], "queued")
        equal(house.send("joe+Some.Thing@own.example"), [("joe+Some.Thing@own.example", "", "", "")], "queued")
        equal(house.send('"joe+a b"@own.example'), [('"joe+a b"@own.example', "", "", "")], "queued")
        house.refuse("joe-x@own.example", "550 5.1.1 ")
        house.refuse("jo@own.example", "550 5.1.1 ")
        house.refuse("+joe@own.example", "550 5.1.1 ")


def test_the_delimiter_is_a_key():
    """Another one, or none."""
    with House(RECIPIENT_DELIMITER="-") as house:
        equal(house.come_to("joe-x+y@own.example"), ["joe-x+y@own.example"], "queued")
        house.refuse("joe+x@own.example", "550 5.1.1 ")
    with House(RECIPIENT_DELIMITER="") as house:
        house.refuse("joe+x@own.example", "550 5.1.1 ")


def test_an_alias_becomes_who_it_stands_for():
    """Here and elsewhere, through another alias, each once; the alias is the original recipient."""
    with House() as house:
        house.alias("more@own.example", "-d", "b@far.example joe@own.example")
        house.alias("all@own.example", "-d", "Joe+x@own.example;a@far.example;more@own.example")
        original = orcpt("All+why@own.example").replace("+", "+2B", 1)
        equal(house.send("All+why@own.example"),
              [(address, "", "", original) for address in ("joe+x@own.example", "a@far.example", "b@far.example", "joe@own.example")], "queued")


def test_a_domain_stands_for_another():
    """Mailboxes with a detail, aliases and the catch-all of the target; the domain is known as soon as the command is done."""
    with House() as house:
        house.refuse("joe@alias.example", "554 5.7.1 ")
        house.alias("Alias.Example", "-d", "own.example")
        house.alias("sales@own.example", "-d", "a@far.example")
        equal(house.send("joe+x@alias.example"), [("joe+x@own.example", "", "", orcpt("joe+2Bx@alias.example"))], "queued")
        equal(house.come_to("sales@ALIAS.example"), ["a@far.example"], "queued")
        house.refuse("any@alias.example", "550 5.1.1 ")
        house.tmail("user", "update", "joe@own.example", "--catchall", "yes")
        equal(house.send("any@alias.example"), [("joe@own.example", "", "", orcpt("any@alias.example"))], "queued")
        house.tmail("alias", "del", "alias.example")
        house.refuse("joe@alias.example", "554 5.7.1 ")


def test_a_command_is_queued_as_its_alias():
    """Alone or beside addresses: a recipient of its own, once, whatever leads there."""
    with House() as house:
        house.alias("run@own.example", "-p", "true")
        house.alias("both@own.example", "-p", "cat -u 'a b'", "-d", "joe@own.example run@own.example")
        equal(house.come_to("Run@own.example"), ["run@own.example"], "queued")
        equal(house.come_to("both+x@own.example", "run@own.example", "both@own.example"),
              ["both@own.example", "joe@own.example", "run@own.example"], "queued")


def test_members_hear_the_list():
    """Their copies come from the list's own sender, which no SRS changes; reports keep the null sender; reports were not asked for."""
    with House(SRS_DOMAIN="srs.example", SRS_SECRET="a secret of the tests") as house:
        house.alias("inner@own.example", "-m", "-d", "c@far.example")
        house.alias("List@own.example", "-m", "-d", "joe@own.example b@far.example inner@own.example")
        outer, inner = ("list@own.example", "list-bounces@own.example"), ("inner@own.example", "inner-bounces@own.example")
        members = [("joe@own.example", *outer), ("b@far.example", *outer), ("c@far.example", *inner)]
        equal([row[:3] for row in house.send("list@own.example")], members, "queued")
        equal([row[:3] for row in house.send("list@own.example", sender="")], [(*row[:2], "") for row in members], "queued from nobody")
        equal({row[3] for row in house.send("list@own.example")}, {orcpt("list@own.example")}, "original recipients")
        for parameters in ("", " NOTIFY=SUCCESS,DELAY", " NOTIFY=NEVER"):
            house.keep(["list@own.example"], rcpt=parameters)
            with contextlib.closing(sqlite3.connect(house.path("store", "queue.db"))) as database:
                equal(database.execute("SELECT DISTINCT notify FROM recipient").fetchall(), [(1 if "NEVER" in parameters else 0,)], parameters)
            house.take()


def test_a_member_outside_is_not_of_srs_but_an_alias_is():
    """The one has the list's sender, the other that of TMAIL_SRS_DOMAIN."""
    with House(SRS_DOMAIN="srs.example", SRS_SECRET="a secret of the tests") as house:
        house.alias("list@own.example", "-m", "-d", "b@far.example")
        house.alias("plain@own.example", "-d", "c@far.example")
        rows = house.send("list@own.example", "plain@own.example")
        equal(rows[0][:3], ("b@far.example", "list@own.example", "list-bounces@own.example"), "member")
        check(rows[1][1] == "" and rows[1][2].endswith("@srs.example"), f"alias: {rows[1]}")


def test_bounces_of_a_list_go_to_the_postmaster():
    """To nobody else, and to the list least of all; an address of that name comes first."""
    with House() as house:
        house.alias("list@own.example", "-m", "-d", "b@far.example")
        house.alias("plain@own.example", "-d", "b@far.example")
        house.refuse("list-bounces@own.example", "550 5.1.1 ")
        house.alias("postmaster@own.example", "-d", "joe@own.example")
        equal(house.come_to("list-bounces@own.example", sender=""), ["joe@own.example"], "queued")
        house.refuse("plain-bounces@own.example", "550 5.1.1 ")
        house.alias("list-bounces@own.example", "-d", "own@far.example")
        equal(house.come_to("LIST-bounces@own.example", sender=""), ["own@far.example"], "queued")
    with House(RECIPIENT_DELIMITER="-", POSTMASTER="root@far.example") as house:
        house.alias("list@own.example", "-m", "-d", "b@far.example")
        equal(house.come_to("list-bounces@own.example", sender=""), ["root@far.example"], "queued")
        equal(house.come_to("list-x@own.example"), ["b@far.example"], "queued")


def test_roles_have_a_reader():
    """postmaster and abuse: an own mailbox or alias, TMAIL_POSTMASTER, the catch-all, in this order, or none."""
    with House() as house:
        house.refuse("postmaster@own.example", "550 5.1.1 ")
        house.refuse("abuse@own.example", "550 5.1.1 ")
        house.refuse("abuse@mx.tmail.test", "554 5.7.1 ")
        equal(house.come_to("postmaster"), ["postmaster@mx.tmail.test"], "queued")
        house.tmail("user", "update", "joe@own.example", "--catchall", "yes")
        equal(house.come_to("abuse@own.example"), ["joe@own.example"], "queued")
    with House(POSTMASTER="root@far.example") as house:
        house.tmail("user", "update", "joe@own.example", "--catchall", "yes")
        house.alias("abuse@own.example", "-d", "b@far.example")
        equal(house.come_to("postmaster"), ["root@far.example"], "queued")
        equal(house.come_to("Postmaster@mx.tmail.test"), ["root@far.example"], "queued")
        equal(house.come_to("abuse@mx.tmail.test"), ["root@far.example"], "queued")
        equal(house.send("postmaster@own.example"), [("root@far.example", "", "", orcpt("postmaster@own.example"))], "queued")
        equal(house.come_to("abuse@own.example"), ["b@far.example"], "queued")
        equal(house.come_to("other@own.example"), ["joe@own.example"], "queued")


def test_loops_are_named_in_the_log():
    """The recipient, and the alias that was met again."""
    with House() as house:
        with contextlib.closing(sqlite3.connect(house.path("tmail.db"))) as database, database:
            database.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('a@own.example', 'b+x@own.example'), ('b@own.example', 'a@own.example')")
        since = house.mark()
        house.refuse("A+y@own.example", "554 5.4.6 ")
        house.await_log(r"event=note .*recipient=A\+y@own.example alias=a@own.example ", since)


# --- names that mean harm ---

HOSTILE = {  # a local part, as SMTP writes it: as `user add -m` takes it, or None
    "-oX": "-oX", "--": "--", "-d": "-d", "|sh": "|sh", "`id`": "`id`", "$HOME": "$HOME", "%u": "%u", "~root": "~root",
    "a/b": None, "/etc/passwd": None, '"../x"': None, '".."': None, '"."': None, '"a b"': None, '"a\\"b"': None, '"a;b"': None,
    "'": "'", "*": "*", "{x}": "{x}", "a=b": "a=b",
}


def test_hostile_mailboxes():
    """Those that a path or another program could misread are no mailboxes; the others have a home below the base, and are found by their name."""
    with House() as house:
        for local, login in HOSTILE.items():
            address = f"{local}@own.example"
            result = house.run("user", "add", "-m", "--", address, "secret")
            equal(result.status == 0, login is not None, f"user add {address}: {result!r}")
            if login is not None:
                equal(house.come_to(address), [f"{login.lower()}@own.example"], f"queued for {address}")
                equal(house.come_to(f"{local}+x@own.example"), [f"{login.lower()}+x@own.example"], f"queued for {address} with a detail")
            else:
                house.refuse(address, "550 5.1.1 ")
        base = house.path("homes")
        for row in json.loads(house.tmail("user", "list", "--json")):
            home = row["home"]
            equal(os.path.normpath(home), home, "home")
            check(home.startswith(f"{base}/o/own.example/"), f"home {home}")
            equal(len(os.path.relpath(home, base).split("/")), 4, f"parts of {home}")


def test_hostile_details_stay_details():
    """They reach the queue as they are, in the one address: no other mailbox, and no other home."""
    with House() as house:
        for detail in ("../../etc", "a/b", "-oX", "|sh", "+", "%u", "joe@"):
            local = f"joe+{detail}"
            quoted = f'"{local}"' if ".." in local or "@" in local else local
            equal(house.come_to(f"{quoted}@own.example"), [f"{quoted}@own.example"], f"queued with the detail {detail}")


def test_hostile_aliases():
    """Names that need quotes are found by what they mean; what is no address never gets into the table."""
    with House() as house:
        for local in HOSTILE:
            address = f"{local}@own.example"
            result = house.run("alias", "add", "-d", "b@far.example", "--", address)
            equal(result.status, 0, f"alias add {address}: {result!r}")
            equal(house.come_to(address), ["b@far.example"], f"queued for {address}")
        for address in ("a b@own.example", "a@b@own.example", "@own.example", "a\n@own.example", "a\x00b", "../x@own.example", "a@own..example"):
            if "\x00" not in address:
                house.fails("alias", "add", "-d", "b@far.example", "--", address)
                house.fails("alias", "add", "-d", address, "--", "fine@own.example")
        equal(len(json.loads(house.tmail("alias", "list", "--json"))), len(HOSTILE), "aliases")


def test_newlines_and_utf8():
    """A line end in a local part is no address, quoted or not, with SMTPUTF8 or without; letters beyond ASCII are, in both forms of a command."""
    with House() as house:
        house.tmail("user", "add", "-m", "été@own.example", "secret")
        equal(house.come_to("été@own.example", mail=" SMTPUTF8"), ["été@own.example"], "queued")
        equal(house.come_to("été+x@own.example", mail=" SMTPUTF8"), ["été+x@own.example"], "queued")
        equal(house.come_to("été+ü@own.example", mail=" SMTPUTF8"), ["été@own.example"], "queued: no detail that Dovecot's LMTP refuses")
        house.refuse("été@own.example", "553 5.6.7 ")
        for local in ('"a\u0085b"', '"a\u2028b"', "joe+\u2029"):  # line ends to some, bytes to us
            house.refuse(f"x{local}@own.example" if local[0] != '"' else f"{local}@own.example", "550 5.1.1 ", mail=" SMTPUTF8")
        for local in (b'"a\nb"', b'"a\rb"', b'"a\\\nb"', b"joe+\n", b'"joe+\x00"'):
            with house.session() as client:
                client.command(f"MAIL FROM:<{SENDER}> SMTPUTF8", "250 ")
                client.send(b"RCPT TO:<" + local + b"@own.example>\r\n")
                check(client.reply().last.startswith("5"), f"{local} was taken")
            equal(house.take(), [], f"queue after {local}")


# --- the command line ---

def test_commands_of_aliases_are_looked_at():
    """What cannot be run is refused, and nothing is left behind."""
    with House() as house:
        for command, complaint in {"no-such-program": "there is no such program in /usr/local/bin, /usr/bin or /bin", "/no/such": "No such file",
                                   "/etc/passwd": "cannot be run", "sh -c 'x": "a quote is not closed", "./sh": "neither an absolute path",
                                   "sh\nid": "control character"}.items():
            err = house.fails("alias", "add", "-p", command, "run@own.example")
            check(complaint in err, f"-p {command}: {err}")
        equal(json.loads(house.tmail("alias", "list", "--json")), [], "aliases")
        house.alias("run@own.example", "-p", "sh -c 'cat >/dev/null'", "-d", "joe@own.example")
        house.alias("list@own.example", "-m", "-d", "a@far.example")
        equal(house.tmail("alias", "list"),
              "list@own.example\n  Mini-list\n  -> a@far.example\nrun@own.example\n  Pipe: sh -c 'cat >/dev/null'\n  -> joe@own.example\n", "list")


def test_domains_of_aliases_are_kept_whole():
    """A target, and an alias domain, do not go from under the other."""
    with House() as house:
        house.alias("alias.example", "-d", "own.example")
        check("alias.example is an alias of own.example" in house.fails("rcpthost", "del", "own.example"), "target")
        check("see tmail alias del" in house.fails("rcpthost", "del", "alias.example"), "alias")
        check("alias of another domain" in house.fails("user", "add", "-m", "x@alias.example", "secret"), "mailbox")
        house.tmail("alias", "del", "alias.example")
        result = house.run("rcpthost", "del", "own.example")
        equal((result.status, "1 mailboxes and 0 aliases of own.example stay" in result.err), (0, True), f"{result!r}")


def test_notes_on_aliases():
    """Nothing is wrong with them, but mail will fail, or its bounces: who has nobody behind is named."""
    nobody, missing = "nobody gets what comes back to ", "there is no mailbox or alias "

    def noted(house, name, *words):
        result = house.run("alias", "add", *words, name)
        equal(result.status, 0, f"{words} {name}: {result!r}")
        return result.err

    with House() as house:
        equal(noted(house, "a@own.example", "-d", "joe+x@own.example b@far.example postmaster@mx.tmail.test"), "", "all are somebody")
        said = noted(house, "b@own.example", "-d", "a@own.example Gone@own.example postmaster@own.example")
        check(f"{missing}Gone@own.example, postmaster@own.example: " in said, said)
        check("x5@own.example and 2 more: " in noted(house, "c@own.example", "-d", " ".join(f"x{number}@own.example" for number in range(1, 8))), "many")
        check(f"{nobody}list-bounces@own.example: " in noted(house, "List@own.example", "-m", "-d", "b@far.example"), "list")
        equal(noted(house, "one-bounces@own.example", "-d", "b@far.example"), "", "an address for bounces")
        equal(noted(house, "one@own.example", "-m", "-d", "b@far.example"), "", "list whose bounces somebody gets")
        equal(noted(house, "alias.example", "-d", "own.example"), "", "domain")
        house.alias("postmaster@own.example", "-d", "joe@own.example")
        equal(noted(house, "two@own.example", "-m", "-d", "list-bounces@own.example"), "", "list of a domain with a postmaster")
    with House(POSTMASTER="root@far.example") as house:
        equal(noted(house, "list@own.example", "-m", "-d", "abuse@own.example"), "", "TMAIL_POSTMASTER")
    with House() as house:
        house.tmail("user", "update", "joe@own.example", "--catchall", "yes")
        equal(noted(house, "list@own.example", "-m", "-d", "any@own.example"), "", "catch-all")


def test_updates():
    """Flags one by one; the mailbox that is taken away is refused at RCPT and comes back as it was."""
    with House() as house:
        house.tmail("user", "update", "JOE@own.example", "--relay", "yes", "--catchall", "Yes", "-q", "1g", "--active", "no")
        row = json.loads(house.tmail("user", "list", "--json"))[0]
        equal({key: row[key] for key in ("active", "auth_relay", "have_mailbox", "is_catchall", "mailbox_quota")},
              {"active": False, "auth_relay": True, "have_mailbox": True, "is_catchall": True, "mailbox_quota": "1G"}, "row")
        check("is the catch-all" in house.fails("user", "update", "joe@own.example", "--mailbox", "no"), "catch-all")
        check("neither yes nor no" in house.fails("user", "update", "joe@own.example", "--mailbox", "maybe"), "maybe")
        result = house.run("user", "update", "joe@own.example", "--mailbox", "no", "--catchall", "no")
        equal((result.status, "own.example stays a local domain" in result.err), (0, True), f"{result!r}")
        house.refuse("joe@own.example", "550 5.1.1 ")
        result = house.run("user", "update", "joe@own.example", "--mailbox", "yes")
        equal((result.status, "TMAIL_DOVECOT_SUPPORT_ENABLED" in result.err), (0, True), f"{result!r}")
        equal(json.loads(house.tmail("user", "list", "--json"))[0]["home"], house.path("homes/o/own.example/j/joe"), "home")
        equal(house.come_to("joe@own.example"), ["joe@own.example"], "queued")
        house.tmail("user", "add", "word", "secret")
        house.fails("user", "update", "word", "--mailbox", "yes")
        house.fails("user", "update", "word", "--catchall", "yes")


def make_home(house, *names):
    """Files of joe's, which the gateway may delete; return the home."""
    home = house.path("homes", "o", "own.example", "j", "joe")
    for name in names:
        os.makedirs(os.path.dirname(os.path.join(home, name)), exist_ok=True)
        with open(os.path.join(home, name), "w", encoding="ascii") as file:
            file.write("mail")
    give(house, house.path("homes"))
    return home


def give(house, folder):
    """Make the folder and all in it TMAIL_USER's."""
    facts = os.stat(house.path("store"))
    for path, _, files in os.walk(folder):
        for name in (path, *(os.path.join(path, file) for file in files)):
            os.chown(name, facts.st_uid, facts.st_gid, follow_symlinks=False)


def test_homes_are_purged_when_that_is_said():
    """With --yes, and with what it made alone: no link is followed; without a terminal and --yes nothing changes."""
    with House() as house:
        home = make_home(house, "Maildir/cur/1", "Maildir/.Sent/new/2", "sieve")
        kept = house.write_file("kept/file", "x")
        os.symlink(house.path("kept"), os.path.join(home, "link"))
        give(house, house.path("homes"))
        check("add --yes" in house.fails("user", "del", "--purge-home", "joe@own.example", status=64), "without --yes")
        check(os.path.exists(home) and house.come_to("joe@own.example") == ["joe@own.example"], "it changed something")
        house.tmail("user", "del", "--purge-home", "--yes", "Joe@own.example")
        equal(os.listdir(house.path("homes")), [], "base")
        check(os.path.exists(kept), "a link was followed")
        house.refuse("joe@own.example", "550 5.1.1 ")


def test_a_home_that_the_database_made_up_stays():
    """Only what tmail makes of the login is deleted."""
    with House() as house:
        kept = house.write_file("kept/file", "x")
        give(house, house.path("kept"))
        for made_up in (house.path("kept"), house.path("homes/o/own.example/j/joe/../../../../../kept"), "/", "homes", house.path("homes")):
            home = make_home(house, "Maildir/cur/1")
            with contextlib.closing(sqlite3.connect(house.path("tmail.db"))) as database, database:
                database.execute("UPDATE users SET home = ?", (made_up,))
            check("the home stays" in house.fails("user", "del", "--purge-home", "--yes", "joe@own.example"), made_up)
            check(os.path.exists(kept) and os.path.exists(home), f"{made_up} was deleted")
            house.tmail("user", "add", "-m", "joe@own.example", "secret")


def test_a_link_on_the_way_ends_the_purge():
    """Somebody put it in the place of a folder: what it points to is not touched, and that is said."""
    with House() as house:
        make_home(house, "x")
        os.rename(house.path("homes/o/own.example/j"), house.path("moved"))
        os.symlink(house.path("moved"), house.path("homes/o/own.example/j"))
        err = house.fails("user", "del", "--purge-home", "--yes", "joe@own.example")
        check("not all of the home" in err and "own.example/j: " in err, err)
        check(os.path.exists(house.path("moved/joe/x")), "the link was followed")


def test_a_purge_takes_no_other_mail_along():
    """Another user's home lies in it: nothing happens, and that user is named."""
    with House() as house:
        home = make_home(house, "Maildir/cur/1")
        house.tmail("user", "add", "-m", "sub@own.example", "secret")
        with contextlib.closing(sqlite3.connect(house.path("tmail.db"))) as database, database:
            database.execute("UPDATE users SET home = ? WHERE login = 'sub@own.example'", (f"{home}/sub/",))
        err = house.fails("user", "del", "--purge-home", "--yes", "joe@own.example")
        check("sub@own.example" in err, err)
        check(os.path.exists(f"{home}/Maildir/cur/1") and house.come_to("joe@own.example") == ["joe@own.example"], "it changed something")
        house.tmail("user", "del", "sub@own.example")
        house.tmail("user", "del", "--purge-home", "--yes", "joe@own.example")
        check(not os.path.exists(home), "the home is still there")


def test_names_with_a_detail_are_no_mailboxes():
    """Dovecot would deliver to another; as the key has it, and only to mailboxes."""
    with House(RECIPIENT_DELIMITER="-") as house:
        for words in (("add", "-m", "joe-x@own.example", "secret"), ("add", "joe-x@own.example", "secret"),
                      ("update", "joe-x@own.example", "--mailbox", "yes"), ("add", "-m", "joe+x@own.example", "secret")):
            result = house.run("user", *words)
            good = words[1] != "-m" and words[0] == "add" or "joe+x@own.example" in words
            equal((result.status == 0, "TMAIL_RECIPIENT_DELIMITER" in result.err), (good, not good), f"{words}: {result!r}")


def test_new_mailboxes_with_a_past():
    """A home that lies there is told, and a name that Dovecot's LMTP may refuse."""
    with House() as house:
        home = make_home(house, "Maildir/cur/1")
        house.tmail("user", "del", "joe@own.example")
        result = house.run("user", "add", "-m", "joe@own.example", "secret")
        equal((result.status, f"note: the home {home} exists already" in result.err), (0, True), f"{result!r}")
        for name, keys, told in (("été@own.example", {}, True), ("ann@bücher.example", {}, False),
                                 ("ü2@own.example", {"TMAIL_LOCAL_DELIVERY": "lda"}, False)):
            house.config.update(keys)
            house.write_config()
            result = house.run("user", "add", "-m", name, "secret")
            equal((result.status, "beyond ASCII" in result.err), (0, told), f"{name}: {result!r}")


def asked(house, answer, *words):
    """Run the command on a terminal and answer its question; return the exit status and what was shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([os.environ.get("TMAIL", "tmail"), "-c", house.config_path, *words], stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown and select.select([ours], [], [], PATIENCE)[0]:
            shown += os.read(ours, 4096)
        os.write(ours, answer + b"\n")
        status = process.wait(PATIENCE)
    os.close(ours)
    return status, shown.decode(errors="replace")


def test_a_purge_asks():
    """On a terminal, naming the folder; no is no."""
    with House() as house:
        home = make_home(house, "Maildir/cur/1")
        status, shown = asked(house, b"n", "user", "del", "--purge-home", "joe@own.example")
        check(status == 1 and home in shown, f"{status}: {shown}")
        check(os.path.exists(home) and house.come_to("joe@own.example") == ["joe@own.example"], "no was taken for yes")
        status, shown = asked(house, b"y", "user", "del", "--purge-home", "joe@own.example")
        equal(status, 0, f"status: {shown}")
        check(not os.path.exists(home), "the home is still there")


def test_explain_says_who_gets_it():
    """The kind of a recipient, who gets its mail, and how it goes on."""
    keys = {"DOVECOT_SUPPORT_ENABLED": "true", "LMTP_ADDRESS": "unix:/run/x/lmtp", "POSTMASTER": "root@own.example"}
    with House(**keys) as house:
        house.alias("run@own.example", "-p", "true")
        house.alias("both@own.example", "-p", "true", "-d", "joe@own.example")
        house.alias("list@own.example", "-m", "-d", "joe+x@own.example b@far.example run@own.example gone@own.example")
        house.alias("alias.example", "-d", "own.example")
        house.tmail("user", "add", "-m", "--catchall", "all@catch.example", "secret")
        for address, kind, targets, way in (
                ("Joe+x@alias.example", "mailbox", [("joe+x@own.example", "mailbox")], ("lmtp", "/run/x/lmtp")),
                ("any@catch.example", "catch-all", [("all@catch.example", "mailbox")], ("lmtp", "/run/x/lmtp")),
                ("run@own.example", "alias", [("run@own.example", "command")], ("command", "run@own.example")),
                ("both@own.example", "alias", [("both@own.example", "command"), ("joe@own.example", "mailbox")], ("lmtp", "/run/x/lmtp")),
                ("list@own.example", "mini-list", [("joe+x@own.example", "mailbox"), ("b@far.example", "elsewhere"),
                                                   ("run@own.example", "command"), ("gone@own.example", "unknown")], ("lmtp", "/run/x/lmtp")),
                ("abuse@own.example", "postmaster", [("root@own.example", "unknown")], ("lmtp", "/run/x/lmtp")),
                ("nobody@own.example", "unknown", [], None)):
            said = json.loads(house.tmail("explain", "--json", "--from", SENDER, "--to", address))
            equal(said["local"]["kind"], kind, f"kind of {address}")
            equal([(row["address"], row["kind"]) for row in said["local"]["recipients"]], targets, f"recipients of {address}")
            equal([(hop["kind"], hop["host"]) for hop in said["hops"]], [way] if way else [], f"way of {address}")
            equal(said["code"], 250 if way else 550, f"code of {address}")
        equal(house.tmail("explain", "--from", SENDER, "--to", "Joe+x@own.example").splitlines(),
              [f"From <{SENDER}> to <Joe+x@own.example>", "It is the mailbox joe@own.example", "  with the detail x",
               "  -> joe+x@own.example (mailbox)", "The way of joe+x@own.example:", "Local delivery: LMTP to unix:/run/x/lmtp (TMAIL_LMTP_ADDRESS)",
               "It would be tried in this order."], "text")


def test_explain_knows_who_else_is_asked():
    """Of a domain whose unknown recipients Dovecot is asked about, explain does not foretell a refusal, and asks nobody itself."""
    with Gateway({"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LMTP_ADDRESS": "unix:/run/x/lmtp", "TMAIL_LMTP_PROBE_DOMAINS": "own.example"},
                 start=False) as house:
        house.tmail("rcpthost", "add", "-l", "own.example")
        house.tmail("rcpthost", "add", "-l", "other.example")
        words = ("explain", "--from", SENDER, "--to")
        said = json.loads(house.tmail(*words, "nobody@own.example", "--json"))
        equal((said["local"]["kind"], said["code"], [hop["kind"] for hop in said["hops"]]), ("asked", 250, ["lmtp"]), "what is said")
        check("Dovecot is asked at RCPT (TMAIL_LMTP_PROBE_DOMAINS)" in house.tmail(*words, "nobody@own.example"), "the text")
        equal(json.loads(house.tmail(*words, "nobody@other.example", "--json"))["code"], 550, "of another domain")


if __name__ == "__main__":
    main()
