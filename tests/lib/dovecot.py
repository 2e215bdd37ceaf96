"""Dovecot's auth service (Debian packages dovecot-core, dovecot-sqlite): nothing but a socket on which logins are asked for."""

import atexit
import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile

from checks import PATIENCE, Failure, await_true, check
from gateway import USER
from peers import end_group, need

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
SQLITE = "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so"
# What administrators write in Dovecot's own configuration of SQL: the table of users is read as it stands.
TABLE = """\
driver = sqlite
connect = {database}
default_pass_scheme = SHA512-CRYPT
password_query = SELECT login AS user, dove_passwd AS password FROM users WHERE login = '%u' AND active = 'Y'
"""
# No login service is there, and no user needs to be root; failures are answered as soon as Dovecot can.
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols =
ssl = no
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
}}
"""


def _users():
    """The accounts that its processes run as: internal, its group, login, and the one that reads a gateway's database."""
    if os.geteuid() == 0:
        return {"internal": "dovecot", "group": "dovecot", "login": "dovenull", "reader": USER}
    name = pwd.getpwuid(os.geteuid()).pw_name
    return {"internal": name, "group": grp.getgrgid(os.getegid()).gr_name, "login": name, "reader": name}


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

    def _passdb(self):
        """The driver and its arguments, of what is asked for passwords."""
        if self.database:
            check(os.path.exists(SQLITE), "package dovecot-sqlite is missing")
            return "sql", self._write("sql.conf", TABLE.format(database=self.database))
        lines = [f"{login}:{{PLAIN}}{password}::::::\n" for login, password in self.users.items()]
        return "passwd-file", self._write("users", "".join(lines))

    def start(self):
        """Start it, with users and mechanisms as they are now."""
        program = need("dovecot", "dovecot-core")
        driver, arguments = self._passdb()
        path = self._write("dovecot.conf", CONFIGURATION.format(
            folder=self.folder, mechanisms=" ".join(self.mechanisms).lower(), driver=driver, arguments=arguments, **_users()))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until kill()
            [program, "-F", "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            process_group=0)
        await_true(self._answers, lambda: f"Dovecot to answer; it said:\n{self.log()}")

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
