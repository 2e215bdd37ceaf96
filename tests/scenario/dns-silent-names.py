#!/usr/bin/python3
"""Names that nobody answers for, as those of a dead name server behind a resolver that waits, stop no other mail (issue 4, item 1)."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, equal, main  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS, SILENT = 4, 10


def sent(gateway, domains):
    """Send a message to each, in this order."""
    with gateway.session() as client:
        for domain in domains:
            client.mail("a@client.example", [f"b@{domain}"], b"Subject: x\r\n\r\n")
        client.quit()


def end_of(gateway, domain):
    """The event of the first attempt, and the reason."""
    return gateway.await_log(rf"event=(delivered|deferred|failed) .*recipient=b@{re.escape(domain)} .*reason=(.*)").groups()


def test_names_that_nobody_answers_for_stop_no_other_mail():
    """Every other name is answered at once, before, meanwhile and after."""
    silent = [[f"d{number}-{nth}.silent.test" for nth in range(SILENT)] for number in range(ROUNDS)]
    answered = [[f"{when}{number}.answered.test" for when in ("meanwhile", "after")] for number in range(ROUNDS)]
    with Sink() as sink, Dns(Zone("answered.test", "".join(f"{name.split('.')[0]} MX 10 mx\n" for pair in answered for name in pair)
                                  + f"mx A {sink.address}"), Zone("silent.test")) as dns:
        dns.fault("silent", ".silent.test")
        with Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "2s"}) as gateway:
            gateway.tmail("relayip", "add", "127.0.0.1")
            gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(sink.port))
            ends = {}
            for dead, (meanwhile, after) in zip(silent, answered):
                sent(gateway, [*dead, meanwhile])
                ends |= {meanwhile: end_of(gateway, meanwhile), **{domain: end_of(gateway, domain) for domain in dead}}
                sent(gateway, [after])
                ends[after] = end_of(gateway, after)
            equal({event for event, _ in (ends[domain] for domains in silent for domain in domains)}, {"deferred"}, "ends at silent names")
            late = {name: ends[name][1] for pair in answered for name in pair if ends[name][0] != "delivered"}
            equal(late, {}, "mail to others that was held up")


if __name__ == "__main__":
    main()
