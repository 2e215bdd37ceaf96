"""Full disks: the queue's, then the scratch folder's."""

import time

from disks import SmallDisk
from ledger import Ledger, compose
from subject import Subject
from tmail import await_true, check, equal, stuff
from traffic import DOMAINS, Traffic, hop

QUEUE_DISK = 160 << 20
SCRATCH_DISK = 2 << 20
SMALL = b"a line of a small message\r\n"
ENOUGH = 5


class Sender:
    """One session that sends message after message, whatever the answers are."""

    def __init__(self, gateway, ledger, name):
        self._client, self._ledger, self._name, self._count = gateway.session(), ledger, name, 0

    def send(self, body):
        """Send one message; the answer to its end, or to the command that was refused."""
        self._count += 1
        identity, recipient = f"{self._name}-{self._count}@client.example", f"r@{DOMAINS[0]}"
        for line, code in ((f"MAIL FROM:<{identity}>", 250), (f"RCPT TO:<{recipient}>", 250), ("DATA", 354)):
            reply = self._client.command(line)
            if reply.code != code:
                return self._refused(reply, identity)
        self._client.send(stuff(compose(identity, body)))
        self._ledger.sent(identity, [recipient])
        reply = self._client.reply()
        if reply.code != 250:
            return self._refused(reply, identity)
        self._ledger.promise(identity, [recipient], 0)
        return reply

    def _refused(self, reply, identity):
        self._ledger.refused(reply, identity)
        return reply

    def quit(self):
        """The session has come this far in order."""
        self._client.quit()


def fill(sender, body):
    """Send until `ENOUGH` messages were refused; each refusal must say that the disk is full."""
    refusals = 0
    for _ in range(5000):
        reply = sender.send(body)
        if reply.code != 250:
            check(reply.last.startswith("452 4.3.1 "), f"on a full disk: {reply}")
            refusals += 1
            if refusals == ENOUGH:
                return
    check(False, "the disk does not fill")


def accepts_again(gateway, ledger, name):
    """Wait until a fresh session can send once more."""
    numbers = iter(range(10**6))

    def probe():
        sender = Sender(gateway, ledger, f"{name}-{next(numbers)}")
        reply = sender.send(SMALL)
        sender.quit()
        return reply.code == 250
    await_true(probe, "mail to be accepted again")


def queue_disk(options, verdict):
    """The next hop is down until the queue has filled its disk, and somebody else has filled what was left of it."""
    ledger = Ledger()
    with SmallDisk(QUEUE_DISK) as disk, hop(ledger) as sink:
        sink.on("greeting: 421 4.3.2 Not now; close")
        with Subject(sink, {"TMAIL_STORE_SOURCE": disk.make_store()}) as gateway:
            gateway.bring_up()

            def fills():
                sender = Sender(gateway, ledger, "full")
                for lines in (4000, 100, 1):
                    fill(sender, SMALL * lines)
                sender.quit()

            def survives():
                with disk.stuffed():
                    gateway.kill_all()
                    gateway.bring_up()
                    check(Sender(gateway, ledger, "stuffed").send(SMALL).code in (250, 452), "answer on a full disk")

            verdict.test("full: answers 452 4.3.1 and the session goes on", fills)
            verdict.test("full: starts on a disk with no room at all", survives)
            sink.rules.clear()
            with Traffic(gateway.port, ledger, f"full-{options.seed}", clients=3):
                time.sleep(1)  # a crowd that may be refused, but does no harm
            verdict.test("full: the queue drains without help", lambda: gateway.drain(60))
            disk.grow(2 * QUEUE_DISK)
            verdict.test("full: accepts again", lambda: accepts_again(gateway, ledger, "again"))
            verdict.settle("full", gateway, ledger)


def scratch_disk(_, verdict):
    """Messages that are larger than what is kept in memory, on a scratch folder that cannot hold them."""
    ledger = Ledger()
    with SmallDisk(SCRATCH_DISK) as disk, hop(ledger) as sink:
        with Subject(sink, {"TMAIL_TEMPDIR": disk.root}) as gateway:
            gateway.bring_up()

            def refuses():
                sender = Sender(gateway, ledger, "scratch")
                for _ in range(3):
                    reply = sender.send(SMALL * (4 * SCRATCH_DISK // len(SMALL)))
                    check(reply.last.startswith("452 4.3.1 "), f"a message larger than the scratch folder: {reply}")
                    equal(sender.send(SMALL).code, 250, "reply to a small message")
                    equal(sender.send(SMALL * (SCRATCH_DISK // 2 // len(SMALL))).code, 250, "reply to one that fits")
                sender.quit()
            verdict.test("scratch: answers 452 4.3.1 and the session goes on", refuses)
            verdict.settle("scratch", gateway, ledger)


def run(options, verdict):
    """Both."""
    queue_disk(options, verdict)
    scratch_disk(options, verdict)
