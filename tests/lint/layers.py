#!/usr/bin/python3
"""Layers point one way: a folder includes only what stands to its left (ARCHITECTURE.md, "Rooms"), a foreign library's header stands in one file."""

import os
import re
import sys

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A tuple is one place in the order: its members do not include each other.
LAYERS = ["base", "net", "smtp", "sasl", "message", "conf", "directory", "ldap", "policy", "milter", "queue", "route", "transfer",
          ("lmtp", "dovecot"), "report", ("smtpd", "deliverd"), "admin", ""]
FOREIGN = {"sqlite3.h", "zlib.h", "idn2.h", "jansson.h", "crypt.h", "stringprep.h", "unbound.h", "ldap.h", "lber.h"}
FOREIGN_FOLDERS = ("libmilter/", "curl/")
# OpenSSL is two libraries: the primitives have one file, TLS has several, which share a header.
OPENSSL = re.compile(r"gateway/(base/crypto\.c|net/tls_library\.h)")
# admin/ has the commands, of which `run` is one: it alone starts the parent.
ALLOWED = {("gateway/admin/run.c", "parent.h")}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def places():
    """Folder name to its place in the order."""
    return {name: place for place, names in enumerate(LAYERS) for name in ([names] if isinstance(names, str) else names)}


def sources():
    """Each source file with its path from the top."""
    for top in ("gateway", "lmtp", "milter", "dovecot", "ldap"):
        for folder, _, names in os.walk(os.path.join(SOURCE, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), SOURCE)


def room_of(path):
    """The room a file belongs to: the first folder below gateway/, or the top one."""
    parts = path.split("/")
    return (parts[1] if len(parts) > 2 else "") if parts[0] == "gateway" else parts[0]


def complaints():
    """Every include that points the wrong way."""
    order = places()
    foreign = {}
    for path in sources():
        with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
            found = INCLUDE.findall(file.read())
        room = room_of(path)
        if room not in order:
            yield f"{path}: the folder {room} has no place in the order of layers"
            continue
        for kind, header in found:
            if kind == "<":
                if header.startswith("openssl/"):
                    if not OPENSSL.fullmatch(path):
                        yield f"{path} includes {header}"
                elif header in FOREIGN or header.startswith(FOREIGN_FOLDERS):
                    foreign.setdefault(header.split("/")[0], set()).add(path)
                continue
            target = header.split("/")[0] if "/" in header else ""
            if header == "config.h" or target == room or (path, header) in ALLOWED:
                continue
            if target not in order or order[target] >= order[room]:
                yield f"{path} includes {header}"
    for header, paths in sorted(foreign.items()):
        if len(paths) > 1:
            yield f"{header} is included by {', '.join(sorted(paths))}"


def main():
    """One test."""
    found = list(complaints())
    print("not ok layers # " + "; ".join(found) if found else "ok layers")
    return 1 if found else 0


sys.exit(main())
