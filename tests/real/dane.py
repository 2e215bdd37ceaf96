#!/usr/bin/python3
"""Postfix's posttls-finger (Debian packages postfix, unbound) says of the DANE cases of lib/tls_cases.py what they say."""

import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from destinations import AUTHORITY, World  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from peers import need  # noqa: E402  pylint: disable=wrong-import-position
from resolver import Resolver  # noqa: E402  pylint: disable=wrong-import-position
from tls_cases import CASES  # noqa: E402  pylint: disable=wrong-import-position
from tmail import equal, main  # noqa: E402  pylint: disable=wrong-import-position

in_own_network()  # for the ports 25 and 53

# Those that posttls-finger knows something of: it speaks to the first host that answers. Silence of its only server stops all of unbound.
JUDGED = {name: case for name, case in CASES.items() if len(case.hosts) == 1 and not (case.policy or case.route or case.keys)
          and case.zone != "timeout" and case.hosts[0].fault != "silent"}


@functools.cache
def world():
    """The cases, and a resolver that validates."""
    made = World(JUDGED)
    made.resolver = Resolver(made.dns)
    return made


def finger(domain):
    """What posttls-finger says of a domain."""
    command = [need("posttls-finger", "postfix"), "-v", "-c", "-l", "dane", "-M", "may", "-t", "5", "-T", "5", "-F", AUTHORITY.ca, domain]
    return world().resolver.run(*command)


def verdict(said):
    """An outcome by the words of posttls-finger."""
    if "lookup failed" in said or "lookup error" in said:
        return "4.4.3"
    if "Verified TLS connection" in said:
        return "TLS"
    established = "TLS connection established" in said
    trouble = "4.7.5" if established or "SSL_connect error" in said else "4.7.4"
    if "no TLSA records found, resorting to" in said or "is insecure" in said:
        return "TLS" if established else "plain"
    unusable = "no usable TLSA records found" in said or "all TLSA records unusable" in said
    return "TLS" if unusable and established else trouble


# RFC 7672 3.2.2 has the domain as a second name here ("TLSA records for non-MX hostnames"); posttls-finger has not.
OTHERWISE = {"implicit-MX-an-alias-usage-2-and-the-domain": "4.7.5"}


def judged(name, case):
    """The test of a case."""
    def test():
        said = finger(world().at[name].domain)
        equal(verdict(said), OTHERWISE.get(name, case.outcome), f"posttls-finger, which says:\n{said}")
    return test


if __name__ == "__main__":
    main({name: judged(name, case) for name, case in JUDGED.items()})
