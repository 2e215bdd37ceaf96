#!/usr/bin/python3
"""What `tmail dovecot config` prints, in a real Dovecot 2.3; what can be said of its text for 2.4, which is not here; and `tmail doctor` over a
chain that works, and over one with each fault once."""

import contextlib
import imaplib
import json
import os
import poplib
import pwd
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import MailDovecot, _users  # noqa: E402  pylint: disable=wrong-import-position
from peers import need  # noqa: E402  pylint: disable=wrong-import-position
from tmail import PATIENCE, Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

LOGIN, PASSWORD = "alice@local.example", "secret one"
CONTENT = b"Subject: hello\r\n\r\nHello.\r\n"

# What a test must have otherwise: places, ports, and the users of a Dovecot that was not started as root.
PLACES = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = {address}
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
UNPRIVILEGED = """
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  user = {internal}
}}
"""

# Settings of Dovecot 2.4 and sections that take a name, from its documentation (core/summaries/settings, plugins/quota, plugins/sieve).
SETTINGS_2_4 = set("""
dovecot_config_version dovecot_storage_version ssl ssl_server_cert_file ssl_server_key_file auth_allow_cleartext auth_mechanisms
auth_username_chars sql_driver
sqlite_path mail_driver mail_path first_valid_uid last_valid_uid first_valid_gid quota_storage_size quota_status_success quota_status_nouser
quota_status_overquota recipient_delimiter lmtp_save_to_detail_mailbox lmtp_rcpt_check_quota lmtp_user_concurrency_limit
lda_mailbox_autocreate lda_mailbox_autosubscribe hostname postmaster_address submission_host
""".split())
SECTIONS_2_4 = {
    "protocols": {"imap", "pop3", "lmtp"},
    "passdb sql": {"default_password_scheme", "query"},
    "userdb sql": {"query", "iterate_query"},
    "namespace inbox": {"inbox"},
    "mailbox": {"special_use"},
    "mail_plugins": {"quota", "imap_quota", "sieve"},
    'quota "User quota"': {"driver"},
    "sieve_script personal": {"driver", "path", "active_path"},
    "protocol": set(),
    "service": {"user", "executable", "client_limit", "process_limit"},
    "unix_listener": {"user", "mode"},
    "inet_listener": {"listen", "port"},
}
# What 2.4 no longer knows.
GONE_IN_2_4 = re.compile(r"\bplugin \{|\bargs =|mail_location|ssl_cert\b|ssl_key\b|disable_plaintext_auth|\$mail_plugins|quota_rule|%u|password_query")


class ConfiguredDovecot(MailDovecot):
    """A MailDovecot with the configuration that its gateway prints. `words` go with `tmail dovecot config`."""

    def __init__(self, words=(), **options):
        super().__init__(**options)
        self.words, self.gateway = words, None

    def keys(self, delivery="unix"):
        return {**super().keys(delivery), "TMAIL_DOVECOT_AUTH": self.socket, "TMAIL_DOVECOT_QUOTA_STATUS": f"unix:{self.folder}/quota-status",
                "TMAIL_POSTMASTER": LOGIN}

    def serve(self, gateway):
        self.gateway = gateway
        super().serve(gateway)

    def sql_file(self):
        """The path of the second file."""
        return os.path.join(self.folder, "tmail-sql.conf.ext")

    def config(self, *words):
        """What the command prints."""
        return self.gateway.tmail("dovecot", "config", "--version", "2.3", "--sql-file", self.sql_file(), *self.words, *words)

    def _configuration(self, **words):
        self._write("tmail-sql.conf.ext", self.config("--sql"))
        text = PLACES if os.geteuid() == 0 else PLACES + UNPRIVILEGED
        return self.config() + text.format(folder=self.folder, address=self.address, imap=self.imap_port, pop3=self.pop3_port, **_users())

    def complaints(self):
        """What doveconf has to say of it, and the lines of the log that are no information."""
        done = subprocess.run([need("doveconf", "dovecot-core"), "-n", "-c", f"{self.folder}/dovecot.conf"], capture_output=True, check=False)
        bad = [line for line in self.log().splitlines() if re.search(r"\b(Warning|Error|Fatal|Panic):", line)]
        return done.stderr.decode() + "\n".join(bad)

    def open_imap(self, login=LOGIN, password=PASSWORD):
        """An IMAP session that has logged in, under TLS."""
        client = imaplib.IMAP4(self.address, self.imap_port, PATIENCE)
        client.starttls(trusting())
        client.login(login, password)
        return client

    def limit(self, login):
        """The limit in KB, None where there is none."""
        with self.open_imap(login) as client:
            answer = str(client.getquotaroot("INBOX"))
        found = re.search(r"STORAGE \d+ (\d+)", answer)
        return int(found[1]) if found else None


def trusting():
    """A TLS context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def chain(delivery="unix", keys=None, words=(), start=True):
    """A gateway with one user, and the Dovecot that it configured."""
    with ConfiguredDovecot(words) as dovecot, Gateway({**dovecot.keys(delivery), **(keys or {})}) as gateway:
        os.mkdir(dovecot.base) if not os.path.isdir(dovecot.base) else None  # pylint: disable=expression-not-assigned
        gateway.tmail("user", "add", "-m", "-q", "100K", LOGIN, PASSWORD)
        if start:
            dovecot.serve(gateway)
        yield gateway, dovecot


def refused(dovecot, login, password):
    """Whether IMAP refuses this login."""
    try:
        dovecot.open_imap(login, password).logout()
        return False
    except imaplib.IMAP4.error:
        return True


def send(gateway, *recipients, content=CONTENT):
    """One message through the gateway."""
    client = gateway.session()
    client.mail("bob@client.example", list(recipients), content)
    client.quit()


# --- Dovecot 2.3 runs with it ---

def test_mail_is_delivered_and_read():
    """By LMTP, and read by IMAP and POP3 under TLS; nothing is complained about."""
    with chain() as (gateway, dovecot):
        equal(dovecot.complaints(), "", "complaints")
        send(gateway, LOGIN, "alice+work@local.example")
        dovecot.await_mail(LOGIN, 2)
        with dovecot.open_imap() as client:
            equal(client.select("INBOX")[1], [b"2"], "messages by IMAP")
        client = poplib.POP3(dovecot.address, dovecot.pop3_port, PATIENCE)
        client.stls(trusting())
        client.user(LOGIN)
        client.pass_(PASSWORD)
        equal(client.stat()[0], 2, "messages by POP3")
        client.quit()
        equal(dovecot.complaints(), "", "complaints after the mail")


def test_mail_is_delivered_by_lda():
    """dovecot-lda gets at all that it needs with the rights of the mail user."""
    with chain("lda") as (gateway, dovecot):
        send(gateway, LOGIN)
        dovecot.await_mail(LOGIN)
        equal(dovecot.complaints(), "", "complaints")


def test_lmtp_over_tcp():
    """A listener on the loopback address that the key names."""
    with ConfiguredDovecot() as dovecot:
        keys = {**dovecot.keys(), "TMAIL_LMTP_ADDRESS": f"inet:{dovecot.address}:{dovecot.lmtp};unix:{dovecot.folder}/lmtp"}
        with Gateway(keys) as gateway:
            gateway.tmail("user", "add", "-m", LOGIN, PASSWORD)
            dovecot.serve(gateway)
            greeting = [text for text in examine(gateway, dovecot).get(("ok", "lmtp"), []) if " greets" in text]
            equal(len(greeting), 2, "sockets that greet")
            send(gateway, LOGIN)
            dovecot.await_mail(LOGIN)
            equal(dovecot.complaints(), "", "complaints")


def test_quota_is_that_of_the_table():
    """As it was said, the default where nothing was, none for 0; a message that does not fit is refused by quota-status."""
    with chain(keys={"TMAIL_USERS_MAILBOX_DEFAULT_QUOTA": "3M"}) as (gateway, dovecot):
        for login, quota in (("dora@local.example", None), ("emil@local.example", "0"), ("fritz@local.example", "1G"), ("gus1@local.example", "204800")):
            gateway.tmail("user", "add", "-m", *(["-q", quota] if quota else []), login, PASSWORD)
        with sqlite3.connect(gateway.path("tmail.db")) as table:
            table.execute("UPDATE users SET mailbox_quota = NULL WHERE login LIKE 'dora@%'")
        table.close()
        limits = [dovecot.limit(f"{name}@local.example") for name in ("alice", "dora", "emil", "fritz", "gus1")]
        equal(limits, [100, 3072, None, 1048576, 200], "quotas")
        send(gateway, LOGIN, content=b"Subject: large\r\n\r\n" + b"x" * 60 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1300)
        dovecot.await_mail(LOGIN)
        client = gateway.session()
        client.command("MAIL FROM:<bob@client.example> SIZE=50000", "250 ")
        client.command(f"RCPT TO:<{LOGIN}>", "552 5.2.2 ")
        client.quit()


def test_inactive_users_receive():
    """They cannot log in; users without a mailbox are none of Dovecot's."""
    with chain() as (gateway, dovecot):
        gateway.tmail("user", "update", LOGIN, "--active", "no")
        gateway.tmail("user", "add", "-r", "relay@local.example", PASSWORD)
        check(refused(dovecot, LOGIN, PASSWORD), "an inactive user cannot log in")
        check(refused(dovecot, "relay@local.example", PASSWORD), "a user without a mailbox has nothing to read")
        send(gateway, LOGIN)
        dovecot.await_mail(LOGIN)


def test_what_sieve_sends_comes_back():
    """A redirect to another host goes out through the gateway, once that knows Dovecot's address."""
    with chain() as (gateway, dovecot), Sink() as sink:
        gateway.route("hop.example", sink)
        gateway.tmail("relayip", "add", "127.0.0.1")
        dovecot.sieve(LOGIN, 'redirect "alice@hop.example";\n')
        send(gateway, LOGIN)
        check(b"Subject: hello" in sink.wait(1)[0].content, "the message is redirected")


def test_sieve_makes_folders():
    """A folder that a script names is made, by LMTP and by dovecot-lda."""
    for delivery in ("unix", "lda"):
        with chain(delivery) as (gateway, dovecot):
            dovecot.sieve(LOGIN, 'require "fileinto";\nfileinto "Work";\n')
            send(gateway, LOGIN)
            dovecot.await_mail(LOGIN, folder="Work")


def test_another_delimiter():
    """user-detail, as TMAIL_RECIPIENT_DELIMITER has it; # is no comment."""
    for delimiter in "-#=":
        with chain(keys={"TMAIL_RECIPIENT_DELIMITER": delimiter}) as (gateway, dovecot):
            send(gateway, f"alice{delimiter}work@local.example")
            dovecot.await_mail(LOGIN)
    with Gateway({"TMAIL_RECIPIENT_DELIMITER": "#"}, start=False) as gateway:
        check('recipient_delimiter = "#"\n' in gateway.tmail("dovecot", "config", "--version", "2.4"), "the delimiter of 2.4")


def ask_lmtp(dovecot, address):
    """What Dovecot's LMTP says to RCPT."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(f"{dovecot.folder}/lmtp")
        sock.sendall(f"LHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<{address}>\r\nQUIT\r\n".encode())
        with sock.makefile("rb") as lines:
            return lines.read().decode().splitlines()[-2]


def test_names_with_all_characters():
    """Mailboxes that tmail takes get their mail, and names that look like SQL are nobody's."""
    with chain() as (gateway, dovecot):
        for login in ("o'brien@local.example", "x=y@local.example", "100%u@local.example"):
            gateway.tmail("user", "add", "-m", login, PASSWORD)
            send(gateway, login)
            dovecot.await_mail(login)
            dovecot.open_imap(login).logout()
            check(ask_lmtp(dovecot, login).startswith("250 "), f"{login} is known")
        for name in ("x' OR '1'='1", "alice@local.example' -- ", "' OR login = 'alice@local.example' -- "):
            reply = ask_lmtp(dovecot, f'"{name}"@local.example')
            check(reply.startswith("550 5.1.1 "), f"{name} is unknown: {reply}")
            check(refused(dovecot, f"{name}@local.example", PASSWORD), f"{name} cannot log in")


def test_variants_are_understood():
    """Other values of the keys, and nothing that doveconf complains about."""
    variants = (
        {"TMAIL_DOVECOT_AUTH": None, "TMAIL_DOVECOT_QUOTA_STATUS": None, "TMAIL_POSTMASTER": None},
        {"TMAIL_DELIVERD_LOCAL_CONCURRENCY": "1000", "TMAIL_RECIPIENT_DELIMITER": "-"},
        {"TMAIL_LMTP_ADDRESS": "unix:/run/dovecot/lmtp", "TMAIL_DOVECOT_AUTH": "/run/dovecot/auth-client", "TMAIL_RECIPIENT_DELIMITER": ""},
        {"TMAIL_DOVECOT_QUOTA_STATUS": "127.0.0.1:12340", "TMAIL_SMTPD_DSNS": "[::]:2525:false"},
    )
    with chain() as (gateway, dovecot):
        known = dict(gateway.config)
        for variant in variants:
            gateway.config = {**known, **variant}
            gateway.write_config()
            dovecot._write("dovecot.conf", dovecot._configuration())  # pylint: disable=protected-access
            equal(dovecot.complaints(), "", f"complaints with {variant}")
        gateway.config = known
        gateway.write_config()


# --- what it says on standard error ---

def complaint(*words, keys=None, status=0):
    """Standard error of `dovecot config` with these keys."""
    with Gateway(keys, start=False) as gateway:
        result = gateway.run("dovecot", "config", *words)
        equal(result.status, status, "exit status")
        check(status == 0 or result.out == "", f"no output: {result.out!r}")
        return result.err


def says(text, *words, keys=None, status=0):
    """Standard error has `text`."""
    got = complaint(*words, keys=keys, status=status)
    check(text in got, f"expected {text!r} in {got!r}")


def test_what_does_not_fit_is_said():
    """Users that are not there, paths that are too long or odd, hosts that are others, listeners that are missing, unknown versions."""
    says('there is no user "nobody-at-all"', "--user", "nobody-at-all", status=1)
    says("cannot belong to root", "--user", "root", status=1)
    says("is no version of Dovecot", "--version", "2.2", status=64)
    says("do without --sql", "--version", "2.4", "--sql", status=1)
    says("octets, and the path of a socket ends after 107", keys={"TMAIL_DOVECOT_AUTH": "/" + "x" * 107})
    says("TMAIL_USERS_HOME_BASE has characters", keys={"TMAIL_USERS_HOME_BASE": "/srv/my mail"})
    says("TMAIL_LMTP_ADDRESS has characters", keys={"TMAIL_LMTP_ADDRESS": "unix:/run/dovecot/my lmtp"})
    says("TMAIL_LMTP_ADDRESS has characters", keys={"TMAIL_LMTP_ADDRESS": "unix:/run/dovecot/lmtp,unix:/srv/#lmtp"})
    says("TMAIL_DOVECOT_QUOTA_STATUS has characters", keys={"TMAIL_DOVECOT_QUOTA_STATUS": "unix:/run/dovecot/quota #1"})
    says("TMAIL_DOVECOT_AUTH has characters", keys={"TMAIL_DOVECOT_AUTH": "/run/dovecot/#auth"})
    says("not this host's loopback", keys={"TMAIL_LMTP_ADDRESS": "inet:boxes.example:24"})
    says("has no relay listener", keys={"TMAIL_SMTPD_DSNS": "127.0.0.1:2525:false:submission"})


def test_what_to_do_is_said():
    """Where it goes, the relay client, the keys."""
    said = complaint("--version", "2.3", keys={"TMAIL_SMTPD_DSNS": "0.0.0.0:2525:false"})
    for text in ("/etc/dovecot/dovecot.conf", "--sql", "tmail relayip add 127.0.0.1", "TMAIL_DOVECOT_SUPPORT_ENABLED=true", "TMAIL_POSTMASTER",
                 "install -d -o "):
        check(text in said, f"expected {text!r} in {said!r}")
    check("octets" not in said and "characters" not in said, f"nothing is wrong: {said}")


def test_another_mail_user():
    """--user and TMAIL_DOVECOT_LDA_USER, with their numbers."""
    other = pwd.getpwnam("daemon")
    with Gateway(start=False) as gateway:
        for words, keys in ((["--user", "daemon"], {}), ([], {"TMAIL_DOVECOT_LDA_USER": "daemon"})):
            gateway.config.update(keys)
            gateway.write_config()
            check(f"first_valid_uid = {other.pw_uid}\n" in gateway.tmail("dovecot", "config", *words), "the uid that is served")
            text = gateway.tmail("dovecot", "config", "--version", "2.3", *words)
            owner = pwd.getpwuid(os.geteuid() or pwd.getpwnam(gateway.config["TMAIL_USER"]).pw_uid).pw_name
            check(f"service auth-worker {{\n  user = {owner}\n" in text, "who reads the database")
            check(f"service stats {{\n  unix_listener stats-writer {{\n    user = {other.pw_name}\n" in text, "who has dovecot-lda's rights")
            check(f"SELECT home, {other.pw_uid} AS uid, {other.pw_gid} AS gid," in gateway.tmail("dovecot", "config", "--sql", "--version", "2.3", *words), "the query")


# --- Dovecot 2.4: its words, as far as the documentation tells ---

def parse(text):
    """Yield (section or None, name, value) of each setting; fail where braces or lines are no configuration."""
    sections = []
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            check(sections, "a brace too many")
            sections.pop()
        elif line.endswith(" {"):
            sections.append(line[:-2])
        else:
            name, equals, value = line.partition(" =")
            check(equals and re.fullmatch(r"[a-z0-9_]+", name), f"no setting: {line!r}")
            yield sections[-1] if sections else None, name, value.strip()
    check(not sections, f"not closed: {sections}")


def test_2_4_has_words_of_2_4_alone():
    """A syntax check of our own: braces, and names that the documentation of 2.4 has. Dovecot 2.4 itself is not here."""
    for keys in ({}, {"TMAIL_DOVECOT_AUTH": "/run/dovecot/tmail-auth", "TMAIL_DOVECOT_QUOTA_STATUS": "127.0.0.1:12340", "TMAIL_LMTP_ADDRESS":
                      "127.0.0.1:24;unix:/run/dovecot/lmtp", "TMAIL_DELIVERD_LOCAL_CONCURRENCY": "500"}):
        with Gateway(keys, start=False) as gateway:
            text = gateway.tmail("dovecot", "config", "--version", "2.4")
        settings = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        check(not GONE_IN_2_4.search(settings), f"2.4 does not know {GONE_IN_2_4.search(settings)}")
        check(settings.startswith("dovecot_config_version = 2.4"), "the version comes first")
        check("@" not in re.sub(r"postmaster@", "", settings), "a value is missing")
        for section, name, value in parse(text):
            known = SETTINGS_2_4 if section is None else SECTIONS_2_4.get(section) or SECTIONS_2_4[section.split()[0]]
            check(name in known, f"{name} in {section} is no setting of 2.4")
            check(value or name == "auth_username_chars", f"{name} has no value")  # which is: all of them


def test_both_versions_ask_the_same():
    """The queries of 2.3 and 2.4 differ in how they name the user, and the quota."""
    with Gateway(start=False) as gateway:
        old, new = gateway.tmail("dovecot", "config", "--version", "2.3", "--sql"), gateway.tmail("dovecot", "config", "--version", "2.4")
    queries = dict((name, value) for _, name, value in parse(old) if name.endswith("_query"))
    for section, name, value in parse(new):
        if name in ("query", "iterate_query"):
            before = queries["iterate_query" if name == "iterate_query" else "password_query" if section == "passdb sql" else "user_query"]
            before = before.replace("%u", "%{user}").replace("'*:bytes=' || ", "").replace("quota_rule", "quota_storage_size")
            equal(" ".join(value.split()), " ".join(before.split()), f"{name} of {section}")


# --- the doctor ---

def examine(gateway, dovecot, *words, stdin=""):
    """Exit status and lines of the doctor, as a dict of (result, check) to texts."""
    result = gateway.run("doctor", "--json", "--userdb", f"{dovecot.folder}/run/auth-userdb", *words, stdin=stdin)
    lines = {}
    for row in json.loads(result.out):
        lines.setdefault((row["result"], row["check"]), []).append(row["text"])
    equal(result.status, 1 if any(kind == "wrong" for kind, _ in lines) else 0, "exit status")
    return lines


def finds(lines, name, *texts):
    """The check `name` found something wrong, and said these things in one sentence."""
    wrong = lines.get(("wrong", name), [])
    check(any(all(text in line for text in texts) for line in wrong), f"expected {texts} of {name}, got {lines}")


def finds_nothing(lines):
    """Nothing is wrong."""
    wrong = {name: texts for (kind, name), texts in lines.items() if kind == "wrong"}
    equal(wrong, {}, "what is wrong")


@contextlib.contextmanager
def configured(gateway, **keys):
    """The gateway's file, which the doctor reads, with other keys for a while."""
    before = dict(gateway.config)
    gateway.config.update(keys)
    gateway.write_config()
    yield
    gateway.config = before
    gateway.write_config()


@contextlib.contextmanager
def with_mode(path, mode):
    """A file with another mode for a while."""
    before = os.stat(path).st_mode & 0o7777
    os.chmod(path, mode)
    yield
    os.chmod(path, before)


@contextlib.contextmanager
def speaker(path, words):
    """A socket at `path` that takes one connection after the other, says these bytes and nothing more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen()

        def speak():
            with contextlib.suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(words)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(4096):
                            pass

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)
    os.unlink(path)


def test_a_healthy_chain():
    """By LMTP: all that is looked at is ok, and so are a login and a delivery, which leaves no mail."""
    with chain() as (gateway, dovecot):
        gateway.tmail("relayip", "add", "127.0.0.1")
        lines = examine(gateway, dovecot, "--login", LOGIN, "--deliver", LOGIN, stdin=PASSWORD + "\n")
        finds_nothing(lines)
        expected = {"configuration", "listeners", "queue", "database", "domains", "mailboxes", "lmtp", "auth", "homes", "userdb", "quota-status",
                    "postmaster", "login", "delivery"}
        equal({name for kind, name in lines if kind == "ok"} - {"users"}, expected, "what is ok")
        check(not any(name == "relay" for _, name in lines), f"the relay client is known: {lines}")
        equal(dovecot.mailbox(LOGIN), [], "mail")
        result = gateway.run("doctor", "--userdb", f"{dovecot.folder}/run/auth-userdb")
        check(all(re.match(r"(ok   |note ) [a-z-]+: ", line) for line in result.out.splitlines()), f"lines: {result.out}")


def test_a_healthy_chain_by_lda():
    """dovecot-lda instead, and our own users."""
    with chain("lda", {"TMAIL_DOVECOT_AUTH": None, "TMAIL_DOVECOT_QUOTA_STATUS": None}, start=False) as (gateway, dovecot):
        gateway.config["TMAIL_DOVECOT_AUTH"] = dovecot.socket  # what the tests' Dovecot answers on
        gateway.write_config()
        dovecot.serve(gateway)
        with configured(gateway, TMAIL_DOVECOT_AUTH=None):
            lines = examine(gateway, dovecot, "--login", LOGIN, stdin=PASSWORD + "\n")
            finds_nothing(lines)
            check(("ok", "lda") in lines and ("ok", "userdb") in lines and ("ok", "lmtp") not in lines, f"what is looked at: {lines}")
            equal(lines[("ok", "login")], [f"{LOGIN} can log in (tmail)"], "the login")
            finds(examine(gateway, dovecot, "--login", LOGIN, stdin="secret two\n"), "login", "tmail refuses")


def test_a_message_is_sent():
    """Through the queue while the gateway runs, else to Dovecot."""
    with chain() as (gateway, dovecot):
        finds_nothing(examine(gateway, dovecot, "--deliver", LOGIN, "--send"))
        check(b"Received: from mx.tmail.test ([127.0.0.1])" in dovecot.await_mail(LOGIN)[0], "it came through the queue")
        gateway.stop()
        lines = examine(gateway, dovecot, "--deliver", LOGIN, "--send")
        finds(lines, "listeners", "start tmail")
        check(("ok", "delivery") in lines, f"Dovecot took it: {lines}")
        dovecot.await_mail(LOGIN, 2)


def test_dovecot_is_not_there():
    """Stopped, without its sockets, with sockets that nobody may use, with sockets of another kind."""
    with chain() as (gateway, dovecot):
        for path, name in ((f"{dovecot.folder}/lmtp", "lmtp"), (dovecot.socket, "auth"), (f"{dovecot.folder}/quota-status", "quota-status"),
                           (f"{dovecot.folder}/run/auth-userdb", "userdb")):
            with with_mode(path, 0):
                finds(examine(gateway, dovecot), name, "may not connect", path, "unix_listener")
        finds_nothing(examine(gateway, dovecot))
        with configured(gateway, TMAIL_LMTP_ADDRESS=f"unix:{dovecot.folder}/other", TMAIL_DOVECOT_AUTH=f"{dovecot.folder}/another"):
            lines = examine(gateway, dovecot)
            finds(lines, "lmtp", f"{dovecot.folder}/other", "is not there", "tmail dovecot config")
            finds(lines, "auth", f"{dovecot.folder}/another", "is not there")
        with speaker(gateway.path("junk"), b"hello\n"), configured(gateway, TMAIL_LMTP_ADDRESS=f"unix:{gateway.path('junk')}",
                                                                   TMAIL_DOVECOT_AUTH=gateway.path("junk")):
            lines = examine(gateway, dovecot)
            finds(lines, "lmtp", "protocols have lmtp")
            finds(lines, "auth", "service auth")
        dovecot.kill()
        lines = examine(gateway, dovecot, "--deliver", LOGIN)
        for name in ("lmtp", "auth", "quota-status", "userdb"):
            finds(lines, name, "nobody listens at", "start Dovecot")
        finds(lines, "delivery", "takes no mail")


def test_users_and_passwords():
    """A wrong password, a user that nobody knows, a Dovecot that asks another database."""
    with chain() as (gateway, dovecot):
        finds(examine(gateway, dovecot, "--login", LOGIN, stdin="secret two\n"), "login", "Dovecot refuses", "password is wrong")
        lines = examine(gateway, dovecot, "--login", "carol@local.example", "--deliver", "carol@local.example", stdin=PASSWORD + "\n")
        finds(lines, "login", "Dovecot refuses", "carol@local.example")
        finds(lines, "delivery", "refuses mail for carol@local.example", "550 5.1.1")
        finds(lines, "userdb", "does not know carol@local.example")
        gateway.tmail("user", "update", LOGIN, "--active", "no")
        lines = examine(gateway, dovecot, "--login", LOGIN, "--deliver", LOGIN, stdin=PASSWORD + "\n")
        finds(lines, "login", "no such active user")
        check(("ok", "delivery") in lines, "an inactive user receives")
        dovecot.kill()
        with sqlite3.connect(gateway.path("other.db")) as table:
            table.execute("CREATE TABLE other (x)")
        table.close()
        with open(dovecot.sql_file(), encoding="utf-8") as file:
            text = file.read().replace("tmail.db", "other.db")
        dovecot._configuration = lambda **_: dovecot._write("tmail-sql.conf.ext", text) and kept  # pylint: disable=protected-access
        with open(f"{dovecot.folder}/dovecot.conf", encoding="utf-8") as file:
            kept = file.read()
        dovecot.start()
        finds(examine(gateway, dovecot), "userdb", "cannot say who", "auth-worker")


def test_homes():
    """Not below the base, of another user, a base that is missing or closed."""
    with chain() as (gateway, dovecot):
        home = dovecot.home(LOGIN)
        with sqlite3.connect(gateway.path("tmail.db")) as table:
            for wrong in ("/srv/elsewhere", dovecot.base + "/../x", dovecot.base + "more/l/x", ""):
                table.execute("UPDATE users SET home = ?", (wrong,))
                table.commit()
                finds(examine(gateway, dovecot), "mailboxes", LOGIN, "is not below" if wrong else "has no home")
            table.execute("UPDATE users SET home = ?", (home,))
        table.close()
        with with_mode(dovecot.base, 0o500):
            finds(examine(gateway, dovecot), "homes", "cannot write in " + dovecot.base, "chown")
        with configured(gateway, TMAIL_USERS_HOME_BASE=dovecot.base + "/none"):
            finds(examine(gateway, dovecot), "homes", "is not there", "install -d")
        with configured(gateway, TMAIL_USERS_HOME_BASE=dovecot.base + "//"):
            finds_nothing(examine(gateway, dovecot))
        if os.geteuid() == 0:
            os.makedirs(home, exist_ok=True)
            os.chown(home, 0, 0)
            finds(examine(gateway, dovecot), "mailboxes", "belongs to root", "chown -R")


def test_homes_of_several():
    """Two with one home, and one within another's; names that only begin alike, and slashes, are no fault. Five are named."""
    carol = "carol@local.example"
    with chain() as (gateway, dovecot):
        home = dovecot.home(LOGIN)
        gateway.tmail("user", "add", "-m", carol, PASSWORD)
        with sqlite3.connect(gateway.path("tmail.db")) as table:
            def put(folder, login=carol):
                table.execute("UPDATE users SET home = ? WHERE login = ?", (folder, login))
                table.commit()

            for same in (home, home + "/"):
                put(same)
                finds(examine(gateway, dovecot), "mailboxes", LOGIN, carol, "have the same home", home, "column home")
            put(home + "/Maildir/carol")
            finds(examine(gateway, dovecot), "mailboxes", f"the home of {carol}", f"is within that of {LOGIN}")
            for other in (home + "-2", home + "2", os.path.dirname(home) + "/b"):
                put(other)
                finds_nothing(examine(gateway, dovecot))
            for number in range(7):
                gateway.tmail("user", "add", "-m", f"c{number}@local.example", PASSWORD)
                put(home, f"c{number}@local.example")
            lines = examine(gateway, dovecot)
            equal(len([line for line in lines[("wrong", "mailboxes")] if "the same home" in line]), 5, "homes that are named")
            finds(lines, "mailboxes", "and 2 mailboxes more")
        table.close()


def test_aliases():
    """Those that lead to nobody, in a circle, to no address, that stand for nothing, and whose domain is not here; each with its reason."""
    good = (("team@local.example", LOGIN), ("all@local.example", "team@local.example;x@elsewhere.example"), ("detail@local.example", "alice+x@local.example"))
    bad = (
        ("nobody@local.example", "gone@local.example", 0, "nobody has the address gone@local.example"),
        ("deep@local.example", "nobody@local.example", 0, "nobody has the address gone@local.example"),
        ("round@local.example", "about@local.example", 0, "leads back to itself"),
        ("about@local.example", "round@local.example", 0, "leads back to itself"),
        ("odd@local.example", f"{LOGIN};no address", 0, 'it leads to "no address", which is no address'),
        ("none@local.example", "", 0, "it stands for nothing"),
        ("a@gone.example", LOGIN, 0, "gone.example is no local domain"),
        ("other.example", "gone.example", 1, "gone.example is no local domain"),
    )
    with chain() as (gateway, dovecot), sqlite3.connect(gateway.path("tmail.db")) as table:
        def put(alias, deliver_to, is_domain=0):
            table.execute("INSERT INTO aliases (alias, deliver_to, is_dom_alias) VALUES (?, ?, ?)", (alias, deliver_to, is_domain))
            table.commit()

        for alias in good:
            put(*alias)
        gateway.tmail("alias", "add", "-p", "/bin/cat", "run@local.example")
        lines = examine(gateway, dovecot)
        finds_nothing(lines)
        equal(lines[("ok", "aliases")], ["4, all of them lead to somebody"], "good aliases")
        for alias, deliver_to, is_domain, text in bad:
            put(alias, deliver_to, is_domain)
            others = [row for row in bad if row[0] == deliver_to]
            for other in others:
                put(*other[:3])
            lines = examine(gateway, dovecot)
            finds(lines, "aliases", f"{alias}: ", text, "tmail alias del")
            equal(len(lines[("wrong", "aliases")]), 1 + len(others), f"aliases that are wrong with {alias}")
            table.executemany("DELETE FROM aliases WHERE alias = ?", [(name,) for name in (alias, *[row[0] for row in others])])
            table.commit()
        for alias, deliver_to, is_domain, _ in bad:
            put(alias, deliver_to, is_domain)
        lines = examine(gateway, dovecot)
        equal(len(lines[("wrong", "aliases")]), 6, "sentences of aliases")
        finds(lines, "aliases", "and 3 more", "8 of 12 aliases")
        check(("ok", "aliases") not in lines, f"not all are well: {lines}")
    table.close()


def test_aliases_of_others():
    """Whom the directory does not know may still be there: a domain that Dovecot is asked about, one with a route."""
    with chain() as (gateway, dovecot):
        with sqlite3.connect(gateway.path("tmail.db")) as table:
            table.execute("INSERT INTO aliases (alias, deliver_to) VALUES ('nobody@local.example', 'gone@local.example')")
        table.close()
        finds(examine(gateway, dovecot), "aliases", "nobody has the address gone@local.example")
        with configured(gateway, TMAIL_LMTP_PROBE_DOMAINS="local.example"):
            finds_nothing(examine(gateway, dovecot))
        gateway.tmail("routes", "add", "-d", "local.example", "-rh", "127.0.0.1")
        finds_nothing(examine(gateway, dovecot))


def test_postmaster_is_somebody():
    """TMAIL_POSTMASTER that nobody has, that is an alias to nobody, and that is elsewhere."""
    with chain() as (gateway, dovecot):
        for address in ("gone@local.example", "postmaster@local.example"):
            with configured(gateway, TMAIL_POSTMASTER=address):
                finds(examine(gateway, dovecot), "postmaster", f"TMAIL_POSTMASTER is {address}", f"nobody has the address {address}")
        for address in ("somebody@elsewhere.example", "alice+roles@local.example"):
            with configured(gateway, TMAIL_POSTMASTER=address):
                lines = examine(gateway, dovecot)
                finds_nothing(lines)
                check(("ok", "postmaster") in lines, f"{address}: {lines}")


def test_quota_status_of_another_host():
    """It is connected to like one of this host."""
    nowhere = "255.255.255.255:12340"  # where no connection can ever be made
    with chain() as (gateway, dovecot), configured(gateway, TMAIL_DOVECOT_QUOTA_STATUS=nowhere):
        finds(examine(gateway, dovecot), "quota-status", f"nobody listens at {nowhere} (TMAIL_DOVECOT_QUOTA_STATUS)", "on that host")


def test_lmtp_that_is_silent():
    """The sentence names the key and the socket, and says what to do."""
    with chain() as (gateway, dovecot), socket.create_server((dovecot.address, 0)) as listener:
        server = f"{dovecot.address}:{listener.getsockname()[1]}"
        with configured(gateway, TMAIL_LMTP_ADDRESS=server):
            finds(examine(gateway, dovecot), "lmtp", f"{server} (TMAIL_LMTP_ADDRESS)", "timed out", "tmail dovecot config")


def test_domains_and_files():
    """Mail that waits, postmaster's mail that nobody gets, files that everybody may read, a queue that cannot be written, a program that is missing."""
    with chain() as (gateway, dovecot):
        with configured(gateway, TMAIL_DOVECOT_SUPPORT_ENABLED="false"):
            finds(examine(gateway, dovecot), "domains", "local.example", "TMAIL_DOVECOT_SUPPORT_ENABLED is false")
        with configured(gateway, TMAIL_POSTMASTER=None):
            finds(examine(gateway, dovecot), "domains", "postmaster at local.example", "TMAIL_POSTMASTER")
            gateway.tmail("user", "add", "-m", "postmaster@local.example", PASSWORD)
            finds_nothing(examine(gateway, dovecot))
        with with_mode(gateway.path("tmail.db"), 0o644):
            finds(examine(gateway, dovecot), "files", "the database", "chmod 0640")
        with with_mode(gateway.path("store"), 0o500):
            finds(examine(gateway, dovecot), "queue", "cannot write in", gateway.path("store"))
        with configured(gateway, TMAIL_STORE_MIN_FREE="1000G"):
            finds(examine(gateway, dovecot), "queue", "MB left", "TMAIL_STORE_MIN_FREE")
        with configured(gateway, TMAIL_LOCAL_DELIVERY="lda", TMAIL_DOVECOT_LDA=gateway.path("no-lda")):
            finds(examine(gateway, dovecot), "lda", "no-lda", "is not there")
        with configured(gateway, TMAIL_DB_SOURCE=gateway.path("no.db")):
            finds(examine(gateway, dovecot), "database", "is not there", "tmail user add")
            check(not os.path.exists(gateway.path("no.db")), "the doctor makes nothing")
        finds_nothing(examine(gateway, dovecot))


def test_answers_that_make_no_sense():
    """Of what stands where auth-userdb should: no home, another uid, another question's answer, lines without end, nothing."""
    uid = os.geteuid() or pwd.getpwnam("nobody").pw_uid
    answers = (
        (b"VERSION\t1\t2\nUSER\t1\t%s\tuid=%d\n" % (LOGIN.encode(), uid), "no home of theirs"),
        (b"USER\t1\t%s\tuid=%d\thome=/x\n" % (LOGIN.encode(), uid + 1), "make them the same"),
        (b"USER\t2\t%s\tuid=%d\thome=/x\n" % (LOGIN.encode(), uid), "cannot say who"),
        (b"FAIL\t1\treason=\x1b[31m\n", "cannot say who"),
        (b"NOTFOUND\t1\n", "does not know"),
        (b"USER", "cannot say who"),
        (b"x" * 100000, "cannot say who"),
        (b"SPID\t1\n" * 1000, "does not come to an end"),
        (b"", "cannot say who"),
    )
    with Gateway({"TMAIL_DOVECOT_SUPPORT_ENABLED": "true"}, start=False) as gateway:
        gateway.tmail("user", "add", "-m", LOGIN, PASSWORD)
        for words, text in answers:
            with speaker(gateway.path("userdb"), words):
                result = gateway.run("doctor", "--userdb", gateway.path("userdb"))
            found = [line for line in result.out.splitlines() if line.startswith("wrong userdb: ")]
            check(len(found) == 1 and text in found[0], f"{words[:40]}: expected {text!r} in {result.out!r}")
            check("\x1b" not in result.out, f"a control byte comes through: {result.out!r}")


def test_words_of_the_doctor():
    """Options that need others, words that are no logins, no password."""
    with Gateway(start=False) as gateway:
        for words, text in ((["--send"], "--send needs --deliver"), (["--deliver", "alice"], "cannot be a login"),
                            (["--login", LOGIN], "no password was given")):
            result = gateway.run("doctor", *words)
            check(result.status == 1 and text in result.err and not result.out, f"{words}: {result}")


if __name__ == "__main__":
    main()
