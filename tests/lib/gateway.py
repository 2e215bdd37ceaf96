"""The program under test, running in a private folder with a private configuration."""

import atexit
import collections
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading

from checks import AT_END, PATIENCE, Failure, await_true, check, equal
from client import Client
from wire import free_port

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("TMAIL", os.path.join(os.environ.get("BUILD", ROOT), "tmail"))
ME = "mx.tmail.test"
USER = "nobody"
# Where nobody answers: no test asks the resolver of the host that it runs on.
NO_RESOLVER = "127.0.0.1@9"
SANITIZER = re.compile(r"(?:ERROR|WARNING|SUMMARY): \w*Sanitizer|: runtime error: ")

Result = collections.namedtuple("Result", "status out err")


def run_program(*words, stdin="", env=None, patience=PATIENCE):
    """Run the program with these words and no configuration of the tests; return status, output, complaints."""
    done = subprocess.run([PROGRAM, *words], input=stdin.encode(), env=clean_environment(env), timeout=patience,
                          capture_output=True, check=False)
    err = done.stderr.decode(errors="surrogateescape")
    check(not SANITIZER.search(err), f"a sanitizer complains about tmail {' '.join(words)}:\n{err}")
    return Result(done.returncode, done.stdout.decode(errors="surrogateescape"), err)


def clean_environment(extra=None):
    """The environment of the tests without any TMAIL key, and with `extra` keys."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TMAIL")}
    return {**kept, **(extra or {})}


class Gateway:
    """One `tmail run` and its folder.

    `config` is a dict of keys that are set besides, or instead of, those of `defaults()`; a value None drops a key.
    `finish()` ends it in order and looks for complaints of a sanitizer; the end of a `with` block and checks.main() do
    that. `done()` ends it at once and removes the folder, unless TESTS_KEEP is set; it is done at exit at the latest.
    `listeners` is a dict of further ones, by a name that the tests give them, to `SSL` or `SSL:MODE` as the configuration
    has it. What certificate it has is the program's own business: without other keys it makes one in its folder.
    Only processes that this object started are ever signalled. As root the folder belongs to `nobody` and TMAIL_USER
    names it, so that the loss of privileges is real.
    """

    def __init__(self, config=None, start=True, listeners=None):
        self.folder = tempfile.mkdtemp(prefix="tmail-test-")
        os.chmod(self.folder, 0o755)
        for name in ("store", "tmp"):
            os.mkdir(self.path(name))
        self.port = free_port()
        self.listeners = {name: (free_port(), mode) for name, mode in (listeners or {}).items()}
        self.config = {**self.defaults(), **(config or {})}
        self.config_path = self.path("tmail.cfg")
        self.write_config()
        self._own()
        self.process, self._tail, self.log_lines = None, None, []
        self._logged = threading.Condition()
        AT_END.append(self.finish)
        atexit.register(self.done)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.finish()
        finally:
            self.done()

    # --- folder and configuration ---

    def path(self, *names):
        """A path within the folder."""
        return os.path.join(self.folder, *names)

    def defaults(self):
        """The keys that every gateway of the tests has."""
        keys = {
            "TMAIL_ME": ME,
            "TMAIL_LOGPATH": "stdout",
            "TMAIL_TEMPDIR": self.path("tmp"),
            "TMAIL_DB_SOURCE": self.path("tmail.db"),
            "TMAIL_STORE_SOURCE": self.path("store"),
            "TMAIL_SMTPD_DSNS": self.dsns(),
            "TMAIL_DNS_FORWARD": NO_RESOLVER,
            "TMAIL_DNS_TIMEOUT": "2s",
            "TMAIL_SMTPD_DNS_TIMEOUT": "0",
            "TMAIL_BOUNCE_ENABLED": "false",  # what fails stays in the queue, where tests look at it
        }
        if os.geteuid() == 0:
            keys["TMAIL_USER"] = USER
        return keys

    def dsns(self):
        """The listeners as the configuration has them: the first one, and the further ones, on both loopback addresses."""
        ports = [(self.port, "false"), *self.listeners.values()]
        return ";".join(f"{address}:{port}:{mode}" for port, mode in ports for address in ("127.0.0.1", "[::1]"))

    def write_config(self, text=None):
        """Write the configuration file from `config`, or as `text`."""
        if text is None:
            text = "".join(f"{key}='{value}'\n" for key, value in self.config.items() if value is not None)
        with open(self.config_path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def write_file(self, name, data):
        """Write a file of the folder, readable by the gateway, with the folders above it; return its path."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def _own(self):
        if os.geteuid() == 0:
            uid, gid = pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid
            for name in (self.folder, self.path("store"), self.path("tmp")):
                os.chown(name, uid, gid)

    # --- life of the process ---

    def start(self, env=None):
        """Start the program and wait until it greets on its first listener."""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until stop()
            [PROGRAM, "-c", self.config_path, "run"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=clean_environment(env), cwd=self.folder, process_group=0)
        self._tail = threading.Thread(target=self._follow, args=(self.process.stdout,), daemon=True)
        self._tail.start()
        if self.config.get("TMAIL_SMTPD_LAUNCH", "true") == "true":
            await_true(self._greets, lambda: f"the gateway does not greet; it said:\n{self.log_tail()}")

    def _follow(self, stream):
        with open(self.path("run.log"), "ab") as copy:
            for line in stream:
                copy.write(line)
                copy.flush()
                with self._logged:
                    self.log_lines.append(line.decode("utf-8", "surrogateescape").rstrip("\n"))
                    self._logged.notify_all()

    def _greets(self):
        if self.process.poll() is not None:
            self._tail.join(PATIENCE)
            raise Failure(f"the gateway ended at once with status {self.process.returncode}; it said:\n{self.log_tail()}")
        try:
            with self.client() as client:
                client.expect("220 ")
                client.quit()
                return True
        except OSError:
            return False
        except Failure as failure:
            raise Failure(f"{failure}; the gateway said:\n{self.log_tail()}") from None

    @property
    def alive(self):
        """Whether the parent runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        """Send a signal to the parent."""
        self.process.send_signal(number)

    def stop(self, patience=60):
        """End it by SIGTERM; it must exit with status 0. Nothing of it is left running afterwards."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        status = self.await_exit(patience)
        self.kill()
        equal(status, 0, "exit status after SIGTERM")

    def await_exit(self, patience=60):
        """Wait until the parent has ended; return its exit status."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failure(f"the gateway did not end within {patience}s; it said:\n{self.log_tail()}") from None

    def kill(self):
        """End parent and children with SIGKILL, as a crash of the machine would."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self._tail.join(PATIENCE)
        self.process.stdout.close()
        self.process = None

    def restart(self):
        """Stop in order and start again, with the configuration as it is now."""
        self.stop()
        self.write_config()
        self.start()

    def reload(self):
        """Write the configuration and send SIGHUP to a gateway that is up; return when the new children serve, and no others."""
        self.await_children(0)
        before = set(self.children().values())
        self.write_config()
        mark = self.mark()
        self.signal(signal.SIGHUP)
        self.await_children(mark)
        for child in before:
            self.await_log(rf"process={child} event=draining\b", mark)

    def await_children(self, since):
        """Wait until the log says, after the mark `since`, that every child is ready."""
        for child in self.launched():
            self.await_log(rf"event=child-ready child={child}\b", since)

    def launched(self):
        """The names of the children that the configuration asks for."""
        keys = {"smtpd": "TMAIL_SMTPD_LAUNCH", "deliverd": "TMAIL_DELIVERD_LAUNCH"}
        return [name for name, key in keys.items() if self.config.get(key, "true") == "true"]

    def children(self):
        """The children that run now, as a dict of process id to name (`smtpd`, `deliverd`)."""
        found = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    title = file.read().decode(errors="replace").split("\0")[0]
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and title.startswith("tmail: "):
                found[int(entry)] = title.removeprefix("tmail: ")
        return found

    def child(self, name):
        """The process id of the child of this name; waits until there is exactly one."""
        def only():
            pids = [pid for pid, title in self.children().items() if title == name]
            return pids[0] if len(pids) == 1 else None
        return await_true(only, f"exactly one child named {name}")

    def finish(self):
        """Stop in order, where it runs; fail when it does not, or when a sanitizer has complained."""
        self.stop()
        complaint = self.complaint()
        check(not complaint, f"a sanitizer complains:\n{complaint}")

    def done(self):
        """End everything and remove the folder."""
        self.kill()
        if self.finish in AT_END:
            AT_END.remove(self.finish)
        if not os.path.isdir(self.folder):
            return
        if os.environ.get("TESTS_KEEP"):
            print(f"# kept: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- log ---

    def log(self):
        """All that the gateway wrote so far."""
        with self._logged:
            return "\n".join(self.log_lines)

    def log_tail(self, lines=30):
        """The last lines of the log, for the text of a failure."""
        return "\n".join(self.log().splitlines()[-lines:])

    def mark(self):
        """A place in the log, for `since`."""
        with self._logged:
            return len(self.log_lines)

    def await_log(self, pattern, since=0, patience=PATIENCE):
        """Wait for a line of the log that holds a match of `pattern`; return the match."""
        pattern = re.compile(pattern)

        def found():
            return next(filter(None, map(pattern.search, self.log_lines[since:])), None)

        with self._logged:
            match = self._logged.wait_for(found, patience)
        check(match, f"no line of the log matches /{pattern.pattern}/; the end of the log:\n{self.log_tail()}")
        return match

    def complaint(self):
        """The first complaint of a sanitizer with the lines behind it, or an empty text."""
        lines = self.log().splitlines()
        first = next((number for number, line in enumerate(lines) if SANITIZER.search(line)), len(lines))
        return "\n".join(lines[first:first + 60])

    # --- talking to it ---

    def client(self, source=None, address="127.0.0.1", at=None, context=None):
        """A connection to the gateway, or to its listener `at`, under TLS where that is one; the banner is not read yet."""
        port, mode = self.listeners[at] if at else (self.port, "false")
        client = Client(address, port, source)
        if mode.startswith("true"):
            try:
                client.handshake(context)
            except OSError:
                client.close()
                raise
        return client

    def session(self, source=None, address="127.0.0.1", name="client.example", at=None):
        """A connection that has read the banner and said EHLO."""
        client = self.client(source, address, at)
        client.greet(name)
        return client

    def secure_session(self, source=None, context=None, host="localhost", at=None):
        """A connection that has said EHLO under TLS."""
        client = self.client(source, at=at, context=context)
        if not client.wire.secure:
            client.greet()
            client.starttls(context, host)
            client.command("EHLO client.example", "250 ")
        else:
            client.greet()
        return client

    def run(self, *words, stdin="", env=None):
        """Run a command of the program on this configuration; return status, output, complaints."""
        return run_program("-c", self.config_path, *words, stdin=stdin, env=env)

    def tmail(self, *words, stdin=""):
        """Run a command that must succeed; return its standard output."""
        result = self.run(*words, stdin=stdin)
        check(result.status == 0, f"tmail {' '.join(words)}: exit status {result.status}: {result.err.strip()}")
        return result.out

    def route(self, destination, sink, *words):
        """Add a route to a sink."""
        self.tmail("routes", "add", "-d", destination, "-rh", sink.address, "-rp", str(sink.port), *words)

    def queue(self):
        """What `tmail queue list --json` shows now."""
        return json.loads(self.tmail("queue", "list", "--json"))

    def await_queue(self, probe, what, patience=PATIENCE):
        """Ask for the queue until `probe(entries)` is true; return its answer."""
        return await_true(lambda: probe(self.queue()), lambda: f"{what}; the queue: {self.queue()!r}", patience)

    def await_recipient(self, recipient, status):
        """Wait until the queue shows this recipient in this status; return its entry."""
        def find(entries):
            return next((entry for entry in entries
                         if entry["recipient"] == recipient and entry["status"] == status), None)
        return self.await_queue(find, f"{recipient} to be {status}")

    def await_empty_queue(self):
        """Wait until nothing is queued."""
        self.await_queue(lambda entries: not entries, "an empty queue")
