#!/usr/bin/python3
"""Issue 6, item 5: commands of aliases, which the parent runs: what they see, how they end, what a stop, a reload or a crash does to them."""

import fcntl
import os
import pwd
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
ALIAS = "run@local.example"
NOBODY = "tmail-has-no-such-user"
COMMANDS = "daemon"  # who they run as, where the test is root
# Every run is marked, and holds a lock as long as it, or anything that it has left running, lives.
HEAD = """#!/usr/bin/python3
import fcntl, os, signal, subprocess, sys, time
place = os.path.dirname(os.path.abspath(sys.argv[0]))
lock = open(place + "/lock", "a")
fcntl.flock(lock, fcntl.LOCK_SH)
os.set_inheritable(lock.fileno(), True)
runs = len([name for name in os.listdir(place) if name.startswith("run-")])
open(f"{place}/run-{runs}", "w").close()
def hold():
    while not os.path.exists(place + "/go"):
        time.sleep(0.02)
def put(name, value):
    with open(f"{place}/{name}", "a") as file:
        file.write(f"{value}\\n")
"""


class Commands(Gateway):
    """A gateway with the alias ALIAS, whose command is a script with these lines behind HEAD."""

    def __init__(self, lines, words="", **keys):
        who = {"TMAIL_PIPE_USER": COMMANDS} if os.geteuid() == 0 else {}
        super().__init__({**who, **{f"TMAIL_{key}": value for key, value in keys.items()}})
        self.place = self.path("commands")
        os.mkdir(self.place)
        os.chmod(self.place, 0o777)
        path = os.path.join(self.place, "command")
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEAD + lines)
        os.chmod(path, 0o755)
        self.tmail("rcpthost", "add", "-l", "local.example")
        self.tmail("alias", "add", "-p", f"{path} {words}", ALIAS)

    def send(self, text=TEXT, sender="a@client.example", recipient=ALIAS):
        """Send a message to the alias."""
        with self.session() as client:
            client.mail(sender, [recipient], text)
            client.quit()

    def left(self, name):
        """What the command has put into a file; "" where there is none."""
        path = os.path.join(self.place, name)
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def runs(self):
        """How many times it was run."""
        return len([name for name in os.listdir(self.place) if name.startswith("run-")])

    def await_runs(self, count):
        """Wait until it was run so many times, at least."""
        await_true(lambda: self.runs() >= count, lambda: f"run {count}; the log:\n{self.log_tail()}")

    def let_go(self):
        """Commands that hold end."""
        with open(os.path.join(self.place, "go"), "w", encoding="utf-8"):
            pass

    def await_gone(self):
        """Wait until nothing of a command lives."""
        with open(os.path.join(self.place, "lock"), "a", encoding="utf-8") as lock:
            def free():
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return False
                fcntl.flock(lock, fcntl.LOCK_UN)
                return True
            await_true(free, "all commands to be gone")

    def await_waiting(self, recipient=ALIAS):
        """Wait until the recipient waits for another attempt; return what the queue shows."""
        return self.await_recipient(recipient, "scheduled")


FACTS = """
put("fds", [fd for fd in range(0, 100) if os.path.exists(f"/proc/self/fd/{fd}") and fd != lock.fileno()])
put("environment", sorted(name for name in os.environ if name != "LC_CTYPE"))
put("sender", os.environ["SENDER"])
put("recipient", os.environ["RECIPIENT"])
put("user", (os.getresuid(), os.getresgid()))
put("words", sys.argv[1:])
put("message", sys.stdin.buffer.read())
"""


def test_a_command_gets_the_message_and_little_else():
    """Standard input, its words, three variables; as TMAIL_PIPE_USER, with no descriptor and no secret of ours."""
    with Commands(FACTS, "-x 'two words' \"\" '$HOME;`id`'", SRS_DOMAIN="srs.example", SRS_SECRET="0123456789abcdef") as gateway:
        gateway.send()
        gateway.await_empty_queue()
        equal(gateway.left("fds"), "[0, 1, 2]\n", "descriptors")
        equal(gateway.left("environment"), "['ORIGINAL_RECIPIENT', 'PATH', 'RECIPIENT', 'SENDER']\n", "variables")
        equal(gateway.left("sender"), "a@client.example\n", "sender")
        equal(gateway.left("recipient"), f"{ALIAS}\n", "recipient")
        equal(gateway.left("words"), "['-x', 'two words', '', '$HOME;`id`']\n", "words")
        user = pwd.getpwnam(COMMANDS) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        group = user.pw_gid if os.geteuid() == 0 else os.getegid()
        equal(gateway.left("user"), f"{((user.pw_uid,) * 3, (group,) * 3)}\n", "user and group")
        message = gateway.left("message")
        check(message.startswith("b'Return-Path: <a@client.example>\\n"), message)
        check("Received: " in message and message.rstrip().endswith("Subject: x\\n\\nHello.\\n'") and "\\r" not in message, message)


def test_the_null_sender_is_empty():
    """In SENDER, and in Return-Path."""
    with Commands(FACTS) as gateway:
        gateway.send(sender="")
        gateway.await_empty_queue()
        equal(gateway.left("sender"), "\n", "sender")
        check(gateway.left("message").startswith("b'Return-Path: <>\\n"), gateway.left("message"))


def test_a_hostile_sender_harms_nobody():
    """What could be a word for a shell or an option is not in the environment."""
    with Commands(FACTS) as gateway:
        gateway.send(sender='"-o$(touch x);`id`|\\"x"@client.example')
        gateway.await_empty_queue()
        sender = gateway.left("sender").strip()
        check(not set(sender) & set("$();`|\"\\ ") and not sender.startswith("-"), sender)


def ends_with(status, event, words=""):
    """The test that this exit status makes an event of the log, with the command's last words as the reason."""
    def test():
        with Commands(f"print('first', file=sys.stderr)\nprint('because of x', file=sys.stderr)\nsys.exit({status})\n") as gateway:
            gateway.send()
            line = gateway.await_log(rf"event={event}\b.*{ALIAS}.*").group(0)
            check(words in line, line)
            equal(gateway.runs(), 1, "runs")
    return test


def test_a_command_that_does_not_end_is_killed_and_tried_again():
    """TMAIL_LOCAL_TIMEOUT, with all that it has started."""
    with Commands("subprocess.Popen(['sleep', '3600'], close_fds=False)\ntime.sleep(3600)\n", LOCAL_TIMEOUT="1s") as gateway:
        gateway.send()
        gateway.await_waiting()
        gateway.await_log("event=deferred.*TMAIL_LOCAL_TIMEOUT")
        gateway.await_gone()


def test_a_command_that_does_not_read_is_done():
    """And one that leaves something running, which is killed."""
    with Commands("subprocess.Popen(['sleep', '3600'], close_fds=False)\n") as gateway:
        gateway.send(TEXT + b"0123456789012345678901234567890123456789\r\n" * 50000)
        gateway.await_empty_queue()
        gateway.await_gone()


def test_a_flood_is_endured():
    """Megabytes on both outputs: the last line counts."""
    with Commands("for _ in range(3000):\n    sys.stdout.write('y' * 1000)\n    sys.stderr.write('x' * 1000 + '\\n')\n"
                  "print('at last', file=sys.stderr)\nsys.exit(75)\n") as gateway:
        gateway.send()
        gateway.await_log("event=deferred.*at last")


def test_a_missing_program_waits():
    """Whoever removed it will put it back."""
    with Commands("") as gateway:
        os.rename(os.path.join(gateway.place, "command"), os.path.join(gateway.place, "away"))
        gateway.send()
        gateway.await_log("event=deferred.*No such file or directory")
        os.rename(os.path.join(gateway.place, "away"), os.path.join(gateway.place, "command"))
        gateway.tmail("queue", "flush")
        gateway.await_empty_queue()
        equal(gateway.runs(), 1, "runs")


def test_deliverd_that_dies_takes_its_commands_along():
    """The message goes again, to a second run; the first one never ends by itself."""
    with Commands("if runs == 0:\n    time.sleep(3600)\n") as gateway:
        gateway.send()
        gateway.await_runs(1)
        os.kill(gateway.child("deliverd"), signal.SIGKILL)
        gateway.await_log("event=child-died.*deliverd")
        gateway.await_empty_queue()
        equal(gateway.runs(), 2, "runs")
        gateway.await_gone()


def test_a_parent_that_dies_takes_the_commands_along():
    """Nobody would limit them any more."""
    with Commands("hold()\n", STOP_TIMEOUT="1s") as gateway:
        gateway.send()
        gateway.await_runs(1)
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.await_gone()
        gateway.kill()


def test_a_reload_lets_a_command_end():
    """Twice, while it runs: it is run once, and told once."""
    with Commands("hold()\nput('done', 'x')\n") as gateway:
        gateway.send()
        gateway.await_runs(1)
        gateway.reload()
        gateway.reload()
        gateway.let_go()
        gateway.await_empty_queue()
        gateway.await_log(r"event=delivered.*attempts=1\b")
        equal((gateway.runs(), gateway.left("done")), (1, "x\n"), "runs, and their ends")


def test_a_reload_brings_new_limits_to_new_commands():
    """A command begun before has the time of before."""
    with Commands("hold()\n") as gateway:
        gateway.send()
        gateway.await_runs(1)
        gateway.config["TMAIL_LOCAL_TIMEOUT"] = "1s"
        gateway.reload()
        gateway.send(recipient=ALIAS)
        gateway.await_log("event=deferred.*TMAIL_LOCAL_TIMEOUT")
        gateway.let_go()
        gateway.await_log(r"event=delivered.*attempts=1\b")


def test_a_stop_lets_a_command_end():
    """Within TMAIL_STOP_TIMEOUT."""
    with Commands("hold()\n") as gateway:
        gateway.send()
        gateway.await_runs(1)
        gateway.signal(signal.SIGTERM)
        gateway.await_log("event=stopping")
        gateway.let_go()
        equal(gateway.await_exit(), 0, "exit status")
        equal(gateway.queue(), [], "queue")


def test_a_stop_is_bounded():
    """A command that goes on is killed; the message is there after the start."""
    with Commands("if runs == 0:\n    time.sleep(3600)\n", STOP_TIMEOUT="1s") as gateway:
        gateway.send()
        gateway.await_runs(1)
        gateway.stop()
        gateway.await_gone()
        equal([entry["recipient"] for entry in gateway.queue()], [ALIAS], "queue")
        gateway.start()
        gateway.tmail("queue", "flush")
        gateway.await_empty_queue()
        equal(gateway.runs(), 2, "runs")


def test_many_at_once():
    """A hundred messages, eight commands at a time; each is run once."""
    with Commands("put('count', 'x')\n", DELIVERD_LOCAL_CONCURRENCY="8") as gateway:
        with gateway.session() as client:
            for _ in range(100):
                client.mail("a@client.example", [ALIAS], TEXT)
            client.quit()
        gateway.await_empty_queue()
        equal(len(gateway.left("count").splitlines()), 100, "runs")


def refuses_to_start(keys, *words):
    """The test that with these keys it does not start, and says so in words."""
    def test():
        with Gateway({"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LOCAL_DELIVERY": "lda", "TMAIL_DOVECOT_LDA": "/bin/true", **keys},
                     start=False) as gateway:
            result = gateway.run("run")
            equal(result.status, 78, "exit status")
            for word in words:
                check(word in result.err, f"{word!r} in {result.err!r}")
    return test


def test_commands_that_hang_leave_mailboxes_alone():
    """As many commands as may run hang, and more wait: mail for a mailbox is delivered meanwhile."""
    with Sink(lmtp=True) as dovecot, Commands("put('ran', 1)\nhold()\n", DELIVERD_LOCAL_CONCURRENCY="2", DOVECOT_SUPPORT_ENABLED="true",
                                              LMTP_ADDRESS=dovecot.endpoint) as gateway:
        gateway.tmail("user", "add", "-m", "alice@local.example", "a password")
        for _ in range(5):
            gateway.send()
        gateway.await_runs(1)
        gateway.send(recipient="alice@local.example")
        dovecot.wait(1)
        gateway.let_go()
        gateway.await_empty_queue()
        equal(gateway.runs(), 5, "runs")


def test_a_reload_without_dovecot_lda_is_refused():
    """The old children stay."""
    with Commands("") as gateway:
        gateway.config.update({"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LOCAL_DELIVERY": "lda", "TMAIL_DOVECOT_LDA": "/nowhere"})
        gateway.write_config()
        gateway.signal(signal.SIGHUP)
        gateway.await_log("event=reload-refused.*TMAIL_DOVECOT_LDA")
        gateway.send()
        gateway.await_empty_queue()


def test_nobody_to_run_as_is_a_warning_and_a_reason_to_wait():
    """Aliases with commands are not worth that nothing else works. Who is not root changes nobody."""
    with Commands("", PIPE_USER=NOBODY) as gateway:
        if os.geteuid() != 0:
            return
        gateway.await_log("level=warning.*TMAIL_PIPE_USER")
        gateway.send()
        gateway.await_log("event=deferred.*TMAIL_PIPE_USER")
        equal(gateway.runs(), 0, "runs")


if __name__ == "__main__":
    main({
        **{f"exit-status-{status}-is-{event}": ends_with(status, event, words) for status, event, words in (
            (0, "delivered", ""), (1, "deferred", "because of x"), (4, "deferred", "because of x"), (5, "failed", "because of x"),
            (67, "failed", "5.1.1"), (75, "deferred", "because of x"), (77, "failed", "because of x"))},
        "no-start-without-dovecot-lda": refuses_to_start({"TMAIL_DOVECOT_LDA": "/nowhere/lda"}, "TMAIL_DOVECOT_LDA", "/nowhere/lda"),
        "no-start-with-a-folder-for-dovecot-lda": refuses_to_start({"TMAIL_DOVECOT_LDA": "/"}, "TMAIL_DOVECOT_LDA"),
        **({"no-start-without-the-user-of-dovecot-lda": refuses_to_start({"TMAIL_DOVECOT_LDA_USER": NOBODY}, "TMAIL_DOVECOT_LDA_USER", NOBODY)}
           if os.geteuid() == 0 else {}),
    })
