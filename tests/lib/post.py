"""What tests with mailboxes share: users, mail for them from outside, and what can be read in what arrived."""

import email
import email.policy
import os
import pwd
import subprocess

from checks import PATIENCE, check, equal
from gateway import USER
from peers import need

DOMAIN, SENDER, PASSWORD = "local.example", "s@client.example", "secret one"
ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
TEXT = b"From: s@client.example\r\nSubject: x\r\n\r\nHello.\r\n"
# What is tried again is tried soon; a connection that was lost is not a host to stay away from.
SOON = {"TMAIL_DELIVERD_RETRY_MIN": "1s", "TMAIL_DELIVERD_RETRY_MAX": "1s", "TMAIL_DELIVERD_RETRY_TIMES": "", "TMAIL_DELIVERD_DEAD_HOST_TIME": "0s"}


def add_users(gateway, *logins, words=()):
    """Users with mailboxes and PASSWORD."""
    for login in logins:
        gateway.tmail("user", "add", "-m", *words, login, PASSWORD)


def add_many(gateway, like, logins, quota=None):
    """Users who have all of `like`'s but the login, the home and, if given, the quota, without the work that a password is."""
    columns = "passwd, dove_passwd, active, auth_relay, have_mailbox"
    lines = ["BEGIN;"]
    old, limit = f"{like[0]}/{like.partition('@')[0]}", f"'{quota}'" if quota else "mailbox_quota"
    for login in logins:
        new = f"{login[0]}/{login.partition('@')[0]}"
        lines.append(f"INSERT INTO users (login, home, mailbox_quota, {columns})"
                     f" SELECT '{login}', replace(home, '{old}', '{new}'), {limit}, {columns} FROM users WHERE login = '{like}';")
    # As the gateway's own user: what SQLite makes beside the database must be that one's.
    who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([need("sqlite3", "sqlite3"), "-cmd", ".timeout 30000", gateway.path("tmail.db")], input="\n".join([*lines, "COMMIT;"]),
                          text=True, capture_output=True, check=False, timeout=PATIENCE, **who)
    equal((done.returncode, done.stdout + done.stderr), (0, ""), "sqlite3")


def send(gateway, *recipients, text=TEXT, sender=SENDER, parameters=""):
    """One message by SMTP, from outside; return its id."""
    with gateway.session() as client:
        identifier = client.mail(sender, recipients, text, parameters)
        client.quit()
    return identifier


def header(message, name):
    """The values of all fields of this name, unfolded."""
    head = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    return [value.strip().decode("utf-8", "surrogateescape") for key, _, value in fields if key.lower() == name.lower().encode()]


def body(message):
    """What follows the header."""
    return message.partition(b"\r\n\r\n")[2]


def report_of(message, to=SENDER):
    """The groups of a report (RFC 3464), by final recipient; its envelope is looked at."""
    equal((message.sender, message.recipients), ("", [to]), "envelope of the report")
    whole = email.message_from_bytes(message.content, policy=email.policy.SMTPUTF8)
    equal(whole.get_content_type(), "multipart/report", f"type of {message.content!r}")
    status = next(part for part in whole.walk() if part.get_content_type().endswith("delivery-status"))
    groups = [dict(group.items()) for group in status.get_payload()[1:]]
    check(groups, "a report about nobody")
    return {group["Final-Recipient"].partition(";")[2].strip(): group for group in groups}
