"""Local deliveries: a real Dovecot (2.3), which both gateways deliver to, and by which they are counted.

It keeps Maildirs on the disk of the queues, synced as it does by itself. Who its users are costs it nothing to find out, and
it may have as many processes as the load can use: what is left is what a delivery costs.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from checks import await_true, check
from gateway import USER
from load import figures_of
from peers import end_group, need
from tmail import ROOT

MAILLOAD = os.path.join(os.environ.get("BUILD", ROOT), "tests/bench/mailload")
LDA = "/usr/lib/dovecot/dovecot-lda"
LMTPD = "/usr/lib/dovecot/lmtp"
DOMAIN = "mailboxes.example"
SAVED = b": saved mail to "

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
ssl = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
auth_mechanisms = plain
default_process_limit = 400
default_client_limit = 4000
postmaster_address = postmaster@{domain}
hostname = mx.tmail.test
passdb {{
  driver = static
  args = nopassword
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u allow_all_users=yes
}}
service lmtp {{
  process_limit = 400
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0777
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def missing():
    """Why local deliveries cannot be measured here, or an empty text."""
    if os.geteuid() != 0:
        return "Dovecot and Postfix need root here"
    return next((f"package {package} is missing" for path, package in ((LDA, "dovecot-core"), (LMTPD, "dovecot-lmtpd"))
                 if not os.path.exists(path)), "")


class Mailboxes:
    """A Dovecot with as many mailboxes as wanted: u0@DOMAIN and so on. `with mailboxes.up(meter):` runs it, all of them empty."""

    def __init__(self, count):
        self.users = [f"u{number}@{DOMAIN}" for number in range(count)]
        self.folder = tempfile.mkdtemp(prefix="tmail-bench-dovecot-")
        atexit.register(self.done)
        os.chmod(self.folder, 0o755)
        self.lmtp, self.configuration, self._log = (os.path.join(self.folder, name) for name in ("lmtp", "dovecot.conf", "log"))
        # tmail takes the path of a program; so that both run the same, it is this one.
        self.lda = os.path.join(self.folder, "dovecot-lda")
        self._write(self.lda, f"#!/bin/sh\nexec {LDA} -c {self.configuration} \"$@\"\n")
        os.chmod(self.lda, 0o755)
        self._mail, account = os.path.join(self.folder, "mail"), pwd.getpwnam(USER)
        self._read, self._saved = 0, 0
        self._write(self.configuration, DOVECOT.format(folder=self.folder, domain=DOMAIN, uid=account.pw_uid, gid=account.pw_gid))

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    @contextlib.contextmanager
    def up(self, meter):
        """Run it, as processes of `meter`."""
        shutil.rmtree(self._mail, ignore_errors=True)
        os.mkdir(self._mail)
        shutil.chown(self._mail, USER)
        self._write(self._log, "")
        os.chmod(self._log, 0o666)  # each dovecot-lda writes there by itself
        self._read, self._saved = 0, 0
        with subprocess.Popen([need("dovecot", "dovecot-core"), "-F", "-c", self.configuration], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0) as process:
            try:
                meter.add(process.pid)
                await_true(lambda: os.path.exists(self.lmtp) or process.poll() is not None, "Dovecot to listen")
                check(process.poll() is None, lambda: f"Dovecot ended at once: {self._tail()}")
                yield self
            finally:
                end_group(process)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.lmtp)

    def _tail(self):
        with open(self._log, "rb") as file:
            return file.read()[-1000:].decode(errors="replace")

    def count(self):
        """How many messages it has saved."""
        with open(self._log, "rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        self._read += whole
        self._saved += new.count(SAVED, 0, whole)
        return self._saved

    def wait(self, wanted, stall=60):
        """Wait for that many messages; return the moment of the last. Fails when `stall` seconds bring no new one."""
        last, moved = self.count(), time.monotonic()
        while last < wanted:
            now, count = time.monotonic(), self.count()
            if count != last:
                last, moved = count, now
            check(now - moved < stall, f"the mailboxes have {last} of {wanted} messages and nothing more comes: {self._tail()}")
            time.sleep(0.003)
        return time.monotonic()

    def stored(self):
        """How many messages lie in the mailboxes."""
        return sum(len(names) for place, _, names in os.walk(self._mail) if os.path.basename(place) == "new")

    def done(self):
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Bare:
    """Dovecot by itself, as if it were a gateway: what is sent to it is delivered."""

    name = "Dovecot"

    def __init__(self, mailboxes):
        self.port, self.flags = mailboxes.lmtp, ("-L",)

    @contextlib.contextmanager
    def running(self, _):
        """Nothing but Dovecot runs."""
        yield

    def done(self):
        """Nothing is kept."""


def load_mail(gateway, mailboxes, meter, count, sessions, size):
    """Send that many messages to the mailboxes in turn; what mailload says, as numbers by name."""
    check(os.path.exists(MAILLOAD), f"{MAILLOAD} is missing: make tests/bench/mailload")
    return figures_of([MAILLOAD, *gateway.flags, "-n", str(count), "-c", str(sessions), "-u", str(len(mailboxes.users)), "-l", str(size),
                       DOMAIN, str(gateway.port)], meter)
