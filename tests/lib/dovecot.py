"""Dovecot 2.3 (Debian packages dovecot-core and dovecot-sqlite) as the judge of logins, and (dovecot-imapd, dovecot-lmtpd,
dovecot-pop3d, dovecot-sieve) as the place where mail is kept and read."""

import atexit
import contextlib
import grp
import imaplib
import json
import os
import poplib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile

from checks import PATIENCE, Failure, await_true, check
from gateway import USER, Gateway
from peers import end_group, need
from wire import fresh_loopback, free_port

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
LDA = "/usr/lib/dovecot/dovecot-lda"
# A file of each package without which a Dovecot with mailboxes does not start.
PACKAGES = {
    "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so": "dovecot-sqlite",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "/usr/lib/dovecot/modules/lib90_sieve_plugin.so": "dovecot-sieve",
}
# What administrators write in Dovecot's own configuration of SQL: the table of users is read as it stands.
TABLE = """\
driver = sqlite
connect = {database}
default_pass_scheme = SHA512-CRYPT
password_query = SELECT login AS user, dove_passwd AS password FROM users WHERE login = '%u' AND active = 'Y'
"""
HOMES = "user_query = SELECT home, {uid} AS uid, {gid} AS gid{quota} FROM users WHERE login = '%u'\n"
QUOTA_RULE = ", '*:bytes=' || mailbox_quota AS quota_rule"
# Failures are answered as soon as Dovecot can, and no user needs to be root.
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = {protocols}
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = {driver}
  args = {arguments}
}}
service auth {{
  user = {internal}
  unix_listener {folder}/auth {{
    mode = 0666
  }}
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service auth-worker {{
  user = {reader}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
TLS = """\
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
"""
# The mail of a gateway's users. What Dovecot sends by itself - vacations, refusals of sieve - goes back to the gateway.
MAIL = """\
listen = {address}
disable_plaintext_auth = no
auth_username_chars =
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
mailbox_list_index = yes
postmaster_address = postmaster@{host}
hostname = {host}
submission_host = 127.0.0.1:{submission}
recipient_delimiter = +
lda_mailbox_autocreate = yes
userdb {{
  driver = sql
  args = {arguments}
}}
plugin {{
  quota = {quota}:User quota
  quota_grace = 0
  quota_vsizes = yes
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO
  quota_status_overquota = 552 5.2.2 Mailbox is full
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  user = {root}
  process_limit = {processes}
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service quota-status {{
  executable = quota-status -p postfix
  client_limit = 1
  inet_listener {{
    port = {quota_status}
  }}
  unix_listener {folder}/quota-status {{
    mode = 0666
  }}
}}
protocol lmtp {{
  mail_plugins = quota sieve
}}
protocol lda {{
  mail_plugins = quota sieve
}}
"""


def _users():
    """The accounts that its processes run as: internal, its group, login, who reads a gateway's database, and who becomes others."""
    if os.geteuid() == 0:
        return {"internal": "dovecot", "group": "dovecot", "login": "dovenull", "reader": USER, "root": "root"}
    name = pwd.getpwuid(os.geteuid()).pw_name
    return {"internal": name, "group": grp.getgrgid(os.getegid()).gr_name, "login": name, "reader": name, "root": name}


class Dovecot:
    """A Dovecot in a folder of its own, whose `socket` TMAIL_DOVECOT_AUTH can name. A context manager.

    `users` is a dict of logins to passwords, kept as they are, so that every mechanism works; with `database`, the path of
    a tmail.db, Dovecot asks its table of users instead. `start()` waits until it answers, `stop()` ends it in order, `kill()` at
    once, as a crash would. Only its own processes, a group by themselves, are ever signalled.
    """

    def __init__(self, users=None, database=None, mechanisms=MECHANISMS, start=True):
        self.folder = tempfile.mkdtemp(prefix="tmail-test-dovecot-")
        atexit.register(self.done)
        os.chmod(self.folder, 0o755)
        self.socket = os.path.join(self.folder, "auth")
        self.users, self.database, self.mechanisms = users or {}, database, mechanisms
        self.process = None
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return file.name

    @staticmethod
    def _need(*packages):
        for path, package in PACKAGES.items():
            check(package not in packages or os.path.exists(path), f"package {package} is missing")

    def _queries(self):
        return TABLE.format(database=self.database)

    def _passdb(self):
        """The driver and its arguments, of what is asked for passwords."""
        if self.database:
            self._need("dovecot-sqlite")
            return "sql", self._write("sql.conf", self._queries())
        lines = [f"{login}:{{PLAIN}}{password}::::::\n" for login, password in self.users.items()]
        return "passwd-file", self._write("users", "".join(lines))

    def start(self):
        """Start it, with users and mechanisms as they are now."""
        program = need("dovecot", "dovecot-core")
        driver, arguments = self._passdb()
        path = self._write("dovecot.conf", self._configuration(
            folder=self.folder, mechanisms=" ".join(self.mechanisms).lower(), driver=driver, arguments=arguments, **_users()))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until kill()
            [program, "-F", "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            process_group=0)
        await_true(self._answers, lambda: f"Dovecot to answer; it said:\n{self.log()}")

    def _configuration(self, **words):
        return CONFIGURATION.format(protocols="", **words) + "ssl = no\n"

    def _answers(self):
        if self.process.poll() is not None:
            raise Failure(f"Dovecot ended at once: {self.process.stderr.read().decode(errors='replace')}{self.log()}")
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(PATIENCE)
            sock.connect(self.socket)
            sock.sendall(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
            with sock.makefile("rb") as lines:
                return b"DONE\n" in lines
        return False

    def log(self):
        """What it logged so far."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.folder, "dovecot.log"), "rb") as file:
            return file.read().decode(errors="replace")
        return ""

    def stop(self):
        """End it in order."""
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.kill()

    def kill(self):
        """End all of its processes at once; its socket stays, with nobody behind it."""
        if self.process is None:
            return
        end_group(self.process)
        self.process.stderr.close()
        self.process = None

    def done(self):
        """End it, and remove its folder."""
        self.kill()
        if os.environ.get("TESTS_KEEP") and os.path.isdir(self.folder):
            print(f"# kept: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class MailDovecot(Dovecot):
    """A Dovecot that keeps the mail of a gateway's users: LMTP, IMAP, POP3, sieve, quota, quota-status. It starts when it `serve()`s one.

    It asks the gateway's own table of users, and what it sends goes to the gateway. Homes are in `base`; the mail is the account's that the
    gateway runs as. `keys()` are those that the gateway needs. With `tls`, a Pair, LMTP offers STARTTLS. `quota` is Dovecot's backend, maildir
    or count; where it is empty no user has a limit. `processes` limits LMTP's connections, and `settings` come last in its configuration.
    """

    def __init__(self, tls=None, quota="maildir", processes=100, settings=""):
        super().__init__(mechanisms=("PLAIN", "LOGIN"), start=False)
        self.tls, self.quota, self.processes, self.settings = tls, quota, processes, settings
        self.address = fresh_loopback()
        ports = set()
        while len(ports) < 4:
            ports.add(free_port((self.address,)))
        self.lmtp, self.imap_port, self.pop3_port, self.quota_status = ports
        self.base, self._homes = os.path.join(self.folder, "mail"), {}
        self.gateway, self.submission, self.host = None, 0, "host.invalid"
        self.account = pwd.getpwnam(USER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.make_folder(self.base)
        self.lda = self._write_lda()
        self._write("dovecot.log", "")
        os.chmod(os.path.join(self.folder, "dovecot.log"), 0o666)  # dovecot-lda writes there, too

    def make_folder(self, folder):
        """Make a folder of the account that has the mail, with those above it within `base`."""
        if not os.path.isdir(folder):
            if folder != self.base:
                self.make_folder(os.path.dirname(folder))
            os.mkdir(folder)
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)

    def _write_lda(self):
        """dovecot-lda with our configuration, which notes its words."""
        path = self._write("dovecot-lda", f"""#!/bin/sh
printf '%s\\0' "$#" "$@" >>{self.folder}/lda.words
exec {LDA} -c {self.folder}/dovecot.conf "$@"
""")
        os.chmod(path, 0o755)
        os.chmod(self._write("lda.words", ""), 0o666)
        return path

    def keys(self, delivery="unix"):
        """The keys of a gateway that delivers to it: by LMTP over its socket (`unix`) or TCP (`tcp`), or by dovecot-lda (`lda`)."""
        way = {"unix": {"TMAIL_LMTP_ADDRESS": f"unix:{self.folder}/lmtp"},
               "tcp": {"TMAIL_LMTP_ADDRESS": f"inet:{self.address}:{self.lmtp}"},
               "lda": {"TMAIL_LOCAL_DELIVERY": "lda", "TMAIL_DOVECOT_LDA": self.lda}}
        return {"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_USERS_HOME_BASE": self.base, **way[delivery]}

    def serve(self, gateway):
        """Start it, for the users of this gateway."""
        self.gateway, self.database = gateway, gateway.path("tmail.db")
        self.submission, self.host = gateway.port, gateway.config["TMAIL_ME"]
        self.start()

    def _queries(self):
        homes = HOMES.format(uid=self.account.pw_uid, gid=self.account.pw_gid, quota=QUOTA_RULE if self.quota else "")
        return super()._queries() + homes

    def _configuration(self, **words):
        self._need(*PACKAGES.values())
        parts = CONFIGURATION + (TLS if self.tls else "ssl = no\n") + MAIL
        tls = {"cert": self.tls.cert, "key": self.tls.key} if self.tls else {}
        return parts.format(protocols="imap pop3 lmtp", address=self.address, host=self.host, submission=self.submission, lmtp=self.lmtp,
                            imap=self.imap_port, pop3=self.pop3_port, quota_status=self.quota_status, quota=self.quota or "maildir",
                            processes=self.processes, **tls, **words) + self.settings

    # --- what it has ---

    def home(self, login):
        """The home of a user, as the table has it."""
        if login not in self._homes:
            self._homes = {user["login"]: user["home"] for user in json.loads(self.gateway.tmail("user", "list", "--json"))}
        check(self._homes.get(login), f"{login} has no home")
        return self._homes[login]

    def mailbox(self, login, folder="INBOX", home=None):
        """The messages of a folder straight from its files, with the line ends of mail; [] where there is no such folder."""
        path = os.path.join(home or self.home(login), "Maildir", *([] if folder == "INBOX" else [f".{folder}"]))
        messages = []
        for place in ("cur", "new"):
            for name in sorted(os.listdir(os.path.join(path, place))) if os.path.isdir(os.path.join(path, place)) else ():
                with open(os.path.join(path, place, name), "rb") as file:
                    messages.append(re.sub(rb"\r?\n", b"\r\n", file.read()))
        return messages

    def await_mail(self, login, count=1, folder="INBOX"):
        """Wait until a folder has so many messages; return them. More is a failure."""
        def what():
            return f"{count} messages of {login} in {folder}, there are {len(self.mailbox(login, folder))}; Dovecot said:\n{self.log()[-2000:]}"
        await_true(lambda: len(self.mailbox(login, folder)) >= count, what)
        messages = self.mailbox(login, folder)
        check(len(messages) == count, what())
        return messages

    def imap(self, login, password, folder="INBOX"):
        """The messages of a folder by IMAP."""
        with imaplib.IMAP4(self.address, self.imap_port, PATIENCE) as client:
            client.login(login, password)
            check(client.select(f'"{folder}"', readonly=True)[0] == "OK", f"IMAP: no folder {folder}")
            numbers = client.search(None, "ALL")[1][0].split()
            return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]

    def pop3(self, login, password):
        """The messages of the inbox by POP3."""
        client = poplib.POP3(self.address, self.pop3_port, PATIENCE)
        try:
            client.user(login)
            client.pass_(password)
            return [b"".join(line + b"\r\n" for line in client.retr(number + 1)[1]) for number in range(client.stat()[0])]
        finally:
            client.quit()

    def sieve(self, login, script):
        """Give a user a sieve script."""
        home = self.home(login)
        self.make_folder(home)
        with open(os.path.join(home, ".dovecot.sieve"), "w", encoding="utf-8") as file:
            file.write(script)
            os.fchown(file.fileno(), self.account.pw_uid, self.account.pw_gid)

    def lda_words(self):
        """The words of each dovecot-lda that was run."""
        with open(os.path.join(self.folder, "lda.words"), encoding="utf-8", errors="surrogateescape") as file:
            words = file.read().split("\0")[:-1]
        runs = []
        while words:
            count = int(words[0])
            runs.append(words[1:count + 1])
            del words[:count + 1]
        return runs


@contextlib.contextmanager
def mailboxes(delivery="unix", keys=None, listeners=None, **options):
    """A gateway, and the Dovecot (with these options) that keeps its users' mail."""
    with MailDovecot(**options) as dovecot, Gateway({**dovecot.keys(delivery), **(keys or {})}, listeners=listeners) as gateway:
        dovecot.serve(gateway)
        yield gateway, dovecot
