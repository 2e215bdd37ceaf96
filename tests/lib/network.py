"""A network of a test's own, for addresses that are not this host's: most of what loopback may do others may not."""

import os
import sys

from peers import need


def in_own_network(*addresses):
    """Run the calling script again, as it was called, where the loopback interface has these addresses besides, and return there.

    It is a network namespace that nothing else is in: sockets bound to those addresses reach 127.0.0.1 and ::1. Needs no root
    where users may make namespaces.
    """
    if os.environ.get("TESTS_NETWORK") == "own":
        return
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    interface = need("ip", "iproute2")
    lines = [f"{interface} link set lo up", *(f"{interface} addr add {address} dev lo {'nodad' * (':' in address)}" for address in addresses)]
    os.environ["TESTS_NETWORK"] = "own"
    os.execv(need("unshare", "util-linux"), ["unshare", "--net", *user, "/bin/sh", "-ec", "\n".join(lines) + '\nexec "$0" "$@"',
                                             sys.executable, *sys.argv])
