"""Clients that send without a pause until they are told to stop, and the next hop that takes what comes out."""

import itertools
import random
import threading
import time

from ledger import compose
from tmail import Client, Failure, Sink, check, stuff

DOMAINS = ("a.example", "b.example", "c.example", "d.example")
# (weight, smallest, largest): below and above what is loaded with the envelope (64 KB) and kept in memory (128 KB).
SIZES = ((70, 100, 4000), (10, 4000, 60000), (10, 66000, 120000), (8, 132000, 300000), (2, 900000, 1050000))
MOST_WAITING = 300


def hop(ledger):
    """A next hop that books into the ledger."""
    sink = Sink(listening=False)
    sink.messages = ledger
    sink.listen()
    return sink


class Traffic:
    """`clients` threads that send to a port of loopback; what they do follows from `seed`, but for its order."""

    def __init__(self, port, ledger, seed, clients=6, sizes=SIZES):
        self._port, self._ledger, self._sizes = port, ledger, sizes
        self._stopping, self._trouble = threading.Event(), []
        self._lines = [b"%s%066d\r\n" % (b"." if number % 50 == 0 else b" ", random.getrandbits(200))
                       for number in range(16000)]
        self._threads = [threading.Thread(target=self._client, args=(f"{seed}-{number}",), daemon=True)
                         for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        if kind is None:
            check(not any(thread.is_alive() for thread in self._threads), "a client hangs")
            check(not self._trouble, f"a client met what it should not: {self._trouble[:3]}")

    def _client(self, seed):
        dice = random.Random(seed)
        numbers = (f"{seed}-{number}@client.example" for number in itertools.count())
        while not self._stopping.is_set():
            try:
                self._session(dice, numbers)
            except (OSError, Failure):
                time.sleep(0.02)  # the gateway is down, or was struck
            except Exception as error:  # pylint: disable=broad-except  -- shown at the end
                self._trouble.append(repr(error))
                return

    def _session(self, dice, numbers):
        with Client("127.0.0.1", self._port) as client:
            client.greet()
            for _ in range(dice.randint(1, 20)):
                while self._ledger.backlog() > MOST_WAITING and not self._stopping.is_set():
                    time.sleep(0.02)
                if self._stopping.is_set():
                    break
                if not self._message(client, dice, next(numbers)):
                    return
            client.quit()

    def _body(self, dice):
        _, smallest, largest = dice.choices(self._sizes, [weight for weight, *_ in self._sizes])[0]
        count = dice.randint(smallest, largest) // len(self._lines[0]) + 1
        start = dice.randint(0, len(self._lines) - count)
        return b"".join(self._lines[start:start + count])

    def _message(self, client, dice, identity):
        """Send one message; whether the session can go on."""
        count = dice.choices((1, 3, 20), (70, 25, 5))[0]
        recipients = [f"r{number}@{dice.choice(DOMAINS)}" for number in range(count)]
        content = stuff(compose(identity, self._body(dice)))
        began = time.monotonic()
        for line, code in [(f"MAIL FROM:<{identity}>", 250), *((f"RCPT TO:<{r}>", 250) for r in recipients),
                           ("DATA", 354)]:
            reply = client.command(line)
            if reply.code != code:
                return self._refused(reply, identity)
        client.send(content)
        self._ledger.sent(identity, recipients)
        reply = client.reply()
        if reply.code != 250:
            return self._refused(reply, identity)
        self._ledger.promise(identity, recipients, time.monotonic() - began)
        return True

    def _refused(self, reply, identity):
        self._ledger.refused(reply, identity)
        if reply.code >= 500:
            self._trouble.append(str(reply))
        return False
