#!/usr/bin/python3
"""testssl (Debian package testssl.sh) as the judge of the listeners: protocols, ciphers, certificate, known vulnerabilities.

Left out are its simulations of clients and its lists of every cipher, which find nothing that these checks do not.
"""

import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import need  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Certificates, Failure, Gateway, check, main  # noqa: E402  pylint: disable=wrong-import-position

# Protocols, ciphers by strength, forward secrecy, preferences of the server, certificate and resumption, vulnerabilities.
CHECKS = ("-p", "-s", "-f", "-P", "-S", "-U")
# It asks no DNS and fetches no revocation list; a hung connection ends.
MANNERS = ("--ip", "127.0.0.1", "--nodns", "none", "--warnings", "off", "--openssl-timeout", "60", "--color", "0")
# All that it takes from the environment, where its other settings could come from; Debian's openssl is its client. It connects to
# NXCONNECT to see what options that knows.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb", "COLUMNS": "80", "NXCONNECT": "127.0.0.1:0"}
# Seconds for a listener; half a minute is usual, and several on a machine that is busy otherwise.
PATIENT = 280

# What it must have looked at, and with what result: a scan that ended early, or skipped a check, has not found nothing.
EXPECTED = dict.fromkeys((
    "SSLv2", "SSLv3", "TLS1_2", "TLS1_3", "cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_STRONG",
    "PFS", "PFS_ECDHE_curves", "cipher_order", "protocol_negotiated", "cipher_negotiated", "cert_signatureAlgorithm", "cert_keySize",
    "cert_trust", "cert_chain_of_trust", "cert_expirationStatus", "heartbleed", "CCS", "ROBOT", "secure_renego", "secure_client_renego",
    "CRIME_TLS", "POODLE_SSL", "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"), "OK")
# "not offered"; to offer them is merely LOW.
EXPECTED |= dict.fromkeys(("TLS1", "TLS1_1", "cipherlist_3DES_IDEA", "cipherlist_AVERAGE"), "INFO")

# Findings above LOW that say nothing of the server, and why.
NO_WEAKNESS = {
    ("engine_problem", "WARN", "No engine or GOST support via engine with your /usr/bin/openssl"):
        "about testssl's own openssl, which has none of GOST's ciphers; no check above needs them",
    ("service", "DEBUG", "Couldn't determine service, skipping all HTTP checks"):
        "testssl 3.0 never knows SMTP behind TLS (its grep of the greeting lacks -E); it only means that there is no HTTP",
    ("sessionresumption_ticket", "WARN", "check failed because of connect problem"):
        "its s_client leaves after the handshake, often before the ticket of TLS 1.3 has come, and then has none to resume with",
}


def run_testssl(folder, *words):
    """Run it; return all that it found, a list of dicts."""
    out = os.path.join(folder, "testssl.json")
    process = subprocess.Popen(  # pylint: disable=consider-using-with  -- a group by itself, which is killed as one
        [need("testssl", "testssl.sh"), *CHECKS, *MANNERS, "--jsonfile", out, *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**ENVIRONMENT, "HOME": folder}, process_group=0)
    try:
        said, _ = process.communicate(timeout=PATIENT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise Failure(f"testssl did not end within {PATIENT}s; it said:\n{process.communicate()[0].decode(errors='replace')}") from None
    # Below 242 it counts what it was unsure of, which the findings tell better.
    check(0 <= process.returncode < 242, f"testssl: status {process.returncode}; it said:\n{said.decode(errors='replace')}")
    with open(out, encoding="utf-8", errors="replace") as file:
        return json.load(file)


def problems(findings):
    """What speaks against the server, a line each: findings above LOW, and checks without the result that they must have."""
    for finding in findings:
        fact = (finding["id"], finding["severity"], finding["finding"])
        if finding["severity"] not in ("OK", "INFO", "LOW") and fact not in NO_WEAKNESS:
            yield " ".join(fact)
    results = {finding["id"]: finding for finding in findings}
    for name, expected in EXPECTED.items():
        got = results.get(name, {"severity": "no result", "finding": ""})
        if got["severity"] in ("OK", "INFO", "LOW", "no result") and got["severity"] != expected:
            yield f"{name} {got['severity']} {got['finding']} (expected {expected})"


def judge(folder, *words):
    """Fail for each of the problems that testssl has with a listener; show what is LOW."""
    findings = run_testssl(folder, *words)
    for finding in findings:
        if finding["severity"] == "LOW":
            print(f"# WARNING testssl: {finding['id']} LOW {finding['finding']}", flush=True)
    found = list(problems(findings))
    check(not found, "\n".join([f"testssl has {len(found)} complaints", *found]))


def gateway_and_authority():
    """A gateway with a certificate as an authority of today gives it, for its name, for 90 days; and that authority."""
    gateway = Gateway(start=False, listeners={"smtps": "true"})
    authority = Certificates(gateway.path("certificates"))
    pair = authority.make("localhost", days=90, crl="http://localhost/ca.crl")
    gateway.config |= {"TMAIL_TLS_CERT": pair.cert, "TMAIL_TLS_KEY": pair.key}
    gateway.write_config()
    gateway.start()
    return gateway, authority


def test_starttls():
    """RFC 3207."""
    gateway, authority = gateway_and_authority()
    with gateway:
        judge(gateway.folder, "--add-ca", authority.ca, "-t", "smtp", f"localhost:{gateway.port}")


def test_tls_from_the_first_byte():
    """RFC 8314."""
    gateway, authority = gateway_and_authority()
    with gateway:
        judge(gateway.folder, "--add-ca", authority.ca, f"localhost:{gateway.listeners['smtps'][0]}")


if __name__ == "__main__":
    main()
