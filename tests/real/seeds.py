#!/usr/bin/python3
"""The first day of an administrator, as the manuals of the earlier tmail tell it: a domain, a user, Dovecot with their queries, a letter."""

import os
import smtplib
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import MailDovecot  # noqa: E402  pylint: disable=wrong-import-position
from post import TEXT, header  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

DOMAIN, LOGIN, PASSWORD = "tmail.example", "toorop@tmail.example", "my secret password"
# As the manuals print it, but for the accounts: `1000 AS uid`.
QUERIES = """\
driver = sqlite
connect = {database}
default_pass_scheme = SHA512-CRYPT
password_query = SELECT login AS user, dove_passwd AS password FROM users WHERE login = '%u' AND active = 'Y'
user_query = SELECT {uid} AS uid, {gid} AS gid, home, '*:bytes=' || mailbox_quota AS quota_rule FROM users WHERE login = '%u'
"""


class SeedsDovecot(MailDovecot):
    """Dovecot with the queries of the manuals."""

    def _queries(self):
        return QUERIES.format(database=self.database, uid=self.account.pw_uid, gid=self.account.pw_gid)


def submit(gateway, login, password, sender, recipients, text=TEXT):
    """As a mail program does it: STARTTLS, AUTH, the message."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", gateway.port, "client.example") as client:
        client.starttls(context=context)
        client.login(login, password)
        equal(client.sendmail(sender, recipients, text), {}, "refused")


def refused(gateway, *words, start):
    """A command that cannot be done says so, and changes nothing."""
    before = [gateway.tmail(*listing, "--json") for listing in (("user", "list"), ("rcpthost", "list"), ("alias", "list"))]
    result = gateway.run(*words)
    equal((result.status, result.out), (1, ""), f"tmail {' '.join(words)}")
    check(start in result.err, f"tmail {' '.join(words)}: {result.err}")
    equal([gateway.tmail(*listing, "--json") for listing in (("user", "list"), ("rcpthost", "list"), ("alias", "list"))], before, "listings")


def test_the_walk_through():
    """From `rcpthost del` to a letter that is read by IMAP."""
    with Sink() as outside, SeedsDovecot() as dovecot, Gateway({**dovecot.keys("lda"), "TMAIL_BOUNCE_ENABLED": "true"}) as gateway:
        gateway.route("other.example", outside)
        gateway.tmail("rcpthost", "add", DOMAIN)
        refused(gateway, "user", "add", LOGIN, PASSWORD, "-m", "-r", start=DOMAIN)
        gateway.tmail("rcpthost", "del", DOMAIN)
        gateway.tmail("user", "add", LOGIN, PASSWORD, "-m", "-r", "-q", "1G", "--catchall")
        equal(gateway.tmail("user", "list").split()[0], LOGIN, "user list")
        check(DOMAIN in gateway.tmail("rcpthost", "list"), "the domain is one of ours")
        refused(gateway, "user", "add", f"second@{DOMAIN}", PASSWORD, "-m", "--catchall", start=LOGIN)
        refused(gateway, "user", "add", "nodomain", PASSWORD, "-m", start="")
        refused(gateway, "user", "add", LOGIN, PASSWORD, "-m", start=LOGIN)
        equal(dovecot_home(gateway), f"{dovecot.base}/t/{DOMAIN}/t/toorop", "home")
        gateway.tmail("relayip", "add", "127.0.0.1")
        dovecot.serve(gateway)
        submit(gateway, LOGIN, PASSWORD, LOGIN, [LOGIN, "b@other.example"])
        submit(gateway, LOGIN, PASSWORD, LOGIN, [f"anybody@{DOMAIN}"])
        messages = dovecot.await_mail(LOGIN, 2)
        equal([header(message, "Return-Path") for message in messages], [[f"<{LOGIN}>"]] * 2, "Return-Path")
        equal(dovecot.imap(LOGIN, PASSWORD), dovecot.pop3(LOGIN, PASSWORD), "by IMAP and by POP3")
        equal(outside.wait(1)[0].recipients, ["b@other.example"], "elsewhere")
        gateway.tmail("user", "update", LOGIN, "-p", "another password")
        equal(len(dovecot.imap(LOGIN, "another password")), 2, "messages with the new password")
        submit(gateway, LOGIN, "another password", LOGIN, [LOGIN])
        dovecot.await_mail(LOGIN, 3)
        gateway.tmail("user", "del", LOGIN)
        check(LOGIN not in gateway.tmail("user", "list"), "user list")
        equal(len(dovecot.mailbox(LOGIN, home=f"{dovecot.base}/t/{DOMAIN}/t/toorop")), 3, "the mail stays where it is")


def dovecot_home(gateway):
    """The home in the listing of users."""
    return next(word for word in gateway.tmail("user", "list").replace(",", " ").split() if word.startswith("/"))


if __name__ == "__main__":
    main()
