"""Destinations with DANE and MTA-STS, and what RFC 7672 and RFC 8461 want of a message to each.

Each is a Case; destinations.py makes a world of them. Those of the table have their outcome from `due`, the others by hand.
"""

import itertools
from collections import namedtuple

# Zones, each of a kind of dns.py, some with a fault: what the proxy makes of all questions for an MX there.
ZONES = {"secure": "secure", "insecure": "insecure", "bogus": "bogus MX", "servfail": "secure", "timeout": "secure",
         "hosts": "secure", "plain-hosts": "insecure", "lying-hosts": "bogus TLSA", "bogus-hosts": "bogus A AAAA"}
FAULTS = {"servfail": "servfail", "timeout": "silent"}

# A server of a destination. `tlsa`: records `USAGE SELECTOR TYPE SERVER`, with `; ` between; `fault`: how the question for them fails.
# With `alias`, a zone, the MX record has another name there, an alias of the host's, and that has the records `alias_tlsa`.
Host = namedtuple("Host", "server tlsa zone fault alias alias_tlsa", defaults=("", "hosts", "", "", ""))

# A destination. `outcome` is `TLS` or `plain`, and ` at 2` where it is the second host that gets the mail, or the status with which it
# waits. `policy` is a mode of MTA-STS, `named` are the hosts that it names, by number, and patterns. `shape`: `implicit` (no MX record, the
# domain is the host), `implicit alias` (it is an alias of the host), `alias` (it is one of a secure domain that has the MX records).
# `route`: `mx` or `host`, and the TLS rule of a route. `keys`: of the gateway. `sni`: whose name is the SNI: `host`, `alias`, `domain`.
Case = namedtuple("Case", "outcome hosts zone policy named shape route keys sni", defaults=("secure", "", (1, 2), "", (), (), ""))

# Servers: whom their certificates are for, and of what sort those are. `hosts` are all MX hosts, `aliases` the names that some of them have
# in MX records, `domains` all destinations, `targets` what those stand for that are aliases.
SERVERS = {
    "good": ("hosts", "good"),
    "good-alias": ("aliases", "good"),
    "wrong-name": ("domains", "good"),
    "unused": ("other", "good"),
    "expired": ("hosts", "expired"),
    "self-signed": ("other", "self-signed"),
    "private": ("hosts", "private"),
    "private-alias": ("aliases", "private"),
    "private-domain": ("domains", "private"),
    "private-target": ("targets", "private"),
    "private-other-name": ("other", "private"),
    "private-expired": ("hosts", "private-expired"),
    "private-alone": ("hosts", "private-alone"),
}
NO_STARTTLS = "no-STARTTLS"
# Servers whose STARTTLS comes to nothing.
BROKEN = {"breaking": "STARTTLS: 220 2.0.0 Go ahead; close", "refusing": "STARTTLS: 454 4.7.0 TLS not available"}

# --- the table ---

TABLE_ZONES = ("secure", "insecure", "bogus", "servfail", "timeout")
TABLE_TLSA = ("good", "wrong", "unusable", "none")
TABLE_POLICIES = ("enforce", "testing", "none")
TABLE_SERVERS = ("good", "wrong-name", NO_STARTTLS)


def due(zone, records, mode, server):
    """What the RFCs want of a message to a destination with one host."""
    if zone in ("bogus", "servfail", "timeout"):
        return "4.4.3"  # RFC 7672 2.1.2, 2.2.1: no delivery without an answer to the question for the MX
    starttls = server != NO_STARTTLS
    if zone == "insecure":
        records = "none"  # RFC 7672 2.2.1: who can forge the MX record can have any host proven
    if records in ("good", "wrong"):  # RFC 7672 2.2, 3.1.1: TLS with a certificate that they prove, whatever its name; no policy
        return {"good": "TLS", "wrong": "4.7.5"}[records] if starttls else "4.7.4"  # overrides that (RFC 8461 2)
    if not starttls:  # RFC 7672 2.2: unusable records want TLS, RFC 8461 5: so does enforce; RFC 3207 5: else nobody does
        return "4.7.4" if records == "unusable" or mode == "enforce" else "plain"
    return "4.7.5" if mode == "enforce" and server == "wrong-name" else "TLS"  # RFC 8461 4.2; testing never stops mail (5)


def table():
    """Every combination, by name."""
    for row in itertools.product(TABLE_ZONES, TABLE_TLSA, TABLE_POLICIES, TABLE_SERVERS):
        zone, records, mode, server = row
        own = server if server != NO_STARTTLS else "good"
        texts = {"good": f"3 1 1 {own}", "wrong": "3 1 1 unused", "unusable": f"1 1 1 {own}; 3 1 9 {own}", "none": ""}
        yield (f"MX-{zone}-TLSA-{records}-policy-{mode}-server-{server}",
               Case(due(*row), [Host(server, texts[records])], zone, mode if mode != "none" else ""))


# --- the other cases ---

WRONG = "3 1 1 unused"

CERTIFICATE_CASES = {
    # RFC 7672 3.1.1: the certificate or its key alone counts, not who signed it, for whom, until when
    **{f"record-{parameters.replace(' ', '-')}-self-signed-certificate": Case("TLS", [Host("self-signed", f"{parameters} self-signed")])
       for parameters in ("3 1 1", "3 1 2", "3 1 0", "3 0 1", "3 0 2", "3 0 0")},
    "usage-3-of-an-expired-certificate": Case("TLS", [Host("expired", "3 1 1 expired")], sni="host"),
    "usage-3-of-another-certificate-and-a-good-CA": Case("4.7.5", [Host("good", "3 0 1 unused")]),
    # RFC 7672 2.2: one that matches is enough; while one is usable, those that are not prove nothing
    "several-records-one-right": Case("TLS", [Host("wrong-name", "3 1 1 unused; 3 0 2 unused; 3 1 1 wrong-name; 2 0 1 CA")]),
    "several-records-none-right": Case("4.7.5", [Host("good", "3 1 1 unused; 3 0 1 unused; 2 1 1 CA")]),
    "a-wrong-record-beside-an-unusable-one-that-fits": Case("4.7.5", [Host("good", "3 1 1 unused; 1 1 1 good")]),
    # RFC 7672 3.1.3: usages 0 and 1 are not usable, nor is a digest of another length: TLS with any certificate
    "usages-0-and-1-alone": Case("TLS", [Host("self-signed", "0 1 1 CA; 1 1 1 unused")]),
    "a-digest-that-is-too-short": Case("TLS", [Host("self-signed", "3 1 1 short")]),
    "a-digest-that-is-too-short-and-no-STARTTLS": Case("4.7.4", [Host(NO_STARTTLS, "3 1 1 short")]),
    # RFC 7672 3.1.2: the CA stands in what the server shows, names and dates count. 3.2.2: the host and the domain will do as names
    **{f"record-{parameters.replace(' ', '-')}-of-a-private-CA": Case("TLS", [Host("private", f"{parameters} CA")])
       for parameters in ("2 1 1", "2 1 2", "2 0 1", "2 0 2", "2 0 0")},
    "usage-2-and-another-name": Case("4.7.5", [Host("private-other-name", "2 0 1 CA")]),
    "usage-2-and-the-name-of-the-domain": Case("TLS", [Host("private-domain", "2 0 1 CA")], sni="host"),
    "usage-2-and-an-expired-certificate": Case("4.7.5", [Host("private-expired", "2 0 1 CA")]),
    "usage-2-and-a-CA-that-is-not-shown": Case("4.7.5", [Host("private-alone", "2 0 1 CA")]),
    "usage-2-and-another-CA": Case("4.7.5", [Host("good", "2 0 1 CA")]),
}

ALONE = (("DNS_TIMEOUT", "3s"),)  # no key of interest, but a gateway that has no other silence to think of
HOST_CASES = {
    # RFC 7672 2.2: a host that cannot be proven is passed by
    "first-host-unproven": Case("TLS at 2", [Host("good", WRONG), Host("good")]),
    "first-host-unproven-the-second-without-records-and-TLS": Case("plain at 2", [Host("good", WRONG), Host(NO_STARTTLS)]),
    "first-host-without-STARTTLS": Case("TLS at 2", [Host(NO_STARTTLS, "3 1 1 good"), Host("good", "3 1 1 good")]),
    "all-hosts-unproven": Case("4.7.5", [Host("good", WRONG), Host("good", WRONG)]),
    # RFC 7672 2.1.2, 2.1.3: one whose records or addresses cannot be had is not spoken to
    **{f"{what}-and-{'another' if more else 'no-other'}-host": Case("TLS at 2" if more else "4.4.3", [host, Host("good")][:1 + more])
       for what, host in {"records-servfail": Host("good", "3 1 1 good", fault="servfail"),
                          "records-refused": Host("good", "3 1 1 good", fault="refused"),
                          "records-bogus": Host("good", "3 1 1 good", "lying-hosts"),
                          "address-bogus": Host("good", "", "bogus-hosts")}.items() for more in (0, 1)},
    **{f"records-timeout-and-{'another' if more else 'no-other'}-host":
       Case("TLS at 2" if more else "4.4.3", [Host("good", "3 1 1 good", fault="silent"), Host("good")][:1 + more], keys=ALONE)
       for more in (0, 1)},
    # RFC 7672 2.2.2: where the address is not proven the records are not asked for
    "address-insecure": Case("TLS", [Host("good", WRONG, "plain-hosts")]),
    "address-insecure-and-records-servfail": Case("TLS", [Host("good", WRONG, "plain-hosts", "servfail")]),
}


def aliased(server, at_end, at_alias="", end="hosts", alias="hosts", fault=""):
    """A host with an alias, the zones of both, and the TLSA records of both."""
    return [Host(server, at_end, end, fault, alias, at_alias)]


OWN = "3 1 1 self-signed"
ALIAS_CASES = {
    # RFC 7672 2.2.2, 2.2.3: records of the expanded name, else of the first one
    "host-an-alias-records-at-its-end": Case("TLS", aliased("self-signed", OWN, WRONG), sni="host"),
    "host-an-alias-wrong-records-at-its-end": Case("4.7.5", aliased("self-signed", WRONG, OWN)),
    "host-an-alias-records-at-it": Case("TLS", aliased("self-signed", "", OWN), sni="alias"),
    "host-an-alias-wrong-records-at-it": Case("4.7.5", aliased("good", "", WRONG)),
    "host-an-alias-no-records": Case("plain", aliased(NO_STARTTLS, "")),
    "host-an-alias-records-at-its-end-servfail": Case("4.4.3", aliased("self-signed", OWN, OWN, fault="servfail")),
    "host-an-alias-of-an-insecure-name": Case("TLS", aliased("self-signed", "", OWN, "plain-hosts"), sni="alias"),
    "host-an-alias-of-an-insecure-name-unproven": Case("4.7.5", aliased("self-signed", OWN, WRONG, "plain-hosts")),
    "host-an-alias-of-an-insecure-name-no-records": Case("plain", aliased(NO_STARTTLS, OWN, "", "plain-hosts")),
    "host-an-insecure-alias": Case("TLS", aliased("good", WRONG, WRONG, alias="plain-hosts")),
    # RFC 7672 3.2.2: with usage 2 the name is that where the records stand
    "host-an-alias-usage-2-at-its-end": Case("TLS", aliased("private", "2 0 1 CA"), sni="host"),
    "host-an-alias-usage-2-at-its-end-certificate-for-it": Case("4.7.5", aliased("private-alias", "2 0 1 CA")),
    "host-an-alias-usage-2-at-it": Case("TLS", aliased("private-alias", "", "2 0 1 CA"), sni="alias"),
    "host-an-alias-usage-2-at-it-certificate-for-its-end": Case("4.7.5", aliased("private", "", "2 0 1 CA")),
    # RFC 7672 2.2.1: the domain may be an alias; 3.2.2: then both names of it will do
    "domain-an-alias": Case("TLS", [Host("self-signed", OWN)], shape="alias", sni="host"),
    "domain-an-alias-unproven": Case("4.7.5", [Host("good", WRONG)], shape="alias"),
    "domain-an-alias-usage-2-and-its-name": Case("TLS", [Host("private-domain", "2 0 1 CA")], shape="alias"),
    "domain-an-alias-usage-2-and-the-name-at-its-end": Case("TLS", [Host("private-target", "2 0 1 CA")], shape="alias"),
    "domain-an-insecure-alias": Case("TLS", [Host("good", WRONG)], "insecure", shape="alias"),
    # RFC 7672 2.2.2: without an MX record the domain is the host
    "implicit-MX": Case("TLS", [Host("self-signed", OWN)], shape="implicit", sni="domain"),
    "implicit-MX-unproven": Case("4.7.5", [Host("good", WRONG)], shape="implicit"),
    "implicit-MX-insecure": Case("TLS", [Host("good", WRONG)], "insecure", shape="implicit"),
    "implicit-MX-usage-2": Case("TLS", [Host("private-domain", "2 0 1 CA")], shape="implicit"),
    # RFC 7672 3.2.2: and where it is an alias, its end is, with both names
    "implicit-MX-an-alias": Case("TLS", [Host("self-signed", OWN)], shape="implicit alias", sni="host"),
    "implicit-MX-an-alias-unproven": Case("4.7.5", [Host("good", WRONG)], shape="implicit alias"),
    "implicit-MX-an-alias-usage-2-and-the-host": Case("TLS", [Host("private", "2 0 1 CA")], shape="implicit alias"),
    "implicit-MX-an-alias-usage-2-and-the-domain": Case("TLS", [Host("private-domain", "2 0 1 CA")], shape="implicit alias"),
}

ELSEWHERE = ("mx.other.example",)
POLICY_CASES = {
    # RFC 8461 4.1: a host is named as it stands, or by * for its first label; hosts that are not named are passed by (5)
    "policy-names-the-second-host": Case("TLS at 2", [Host("good"), Host("good")], "insecure", "enforce", (2,)),
    "policy-names-the-second-host-and-only-tests": Case("TLS", [Host("good"), Host("good")], "insecure", "testing", (2,)),
    "policy-names-the-second-host-that-fails": Case("4.7.5", [Host("good"), Host("wrong-name")], "insecure", "enforce", (2,)),
    "policy-names-nobody-here": Case("4.7.5", [Host("good"), Host("good")], "insecure", "enforce", ELSEWHERE),
    "policy-has-a-pattern": Case("TLS", [Host("good")], "insecure", "enforce", ("*.hosts.test",)),
    "policy-has-a-pattern-for-another-depth": Case("4.7.5", [Host("good")], "insecure", "enforce", ("*.test",)),
    "policy-and-a-host-without-STARTTLS-first": Case("TLS at 2", [Host(NO_STARTTLS), Host("good")], "insecure", "enforce"),
    "policy-and-an-expired-certificate": Case("4.7.5", [Host("expired")], "insecure", "enforce"),
    "policy-and-a-self-signed-certificate": Case("4.7.5", [Host("self-signed")], "insecure", "enforce"),
    "policy-and-a-certificate-of-a-private-CA": Case("4.7.5", [Host("private")], "insecure", "enforce"),
    "policy-and-an-alias-certificate-for-it": Case("TLS", aliased("good-alias", ""), "insecure", "enforce", sni="alias"),
    "policy-and-an-alias-certificate-for-its-end": Case("4.7.5", aliased("good", ""), "insecure", "enforce"),
    "policy-of-mode-none": Case("plain", [Host(NO_STARTTLS)], "insecure", "none", ELSEWHERE),
    # A host that DANE proves needs no policy; one beside it without records does, and so does one with records of no use
    "policy-and-a-proven-host-that-it-does-not-name": Case("TLS", [Host("self-signed", OWN)], "secure", "enforce", ELSEWHERE),
    "policy-and-an-unproven-host-first": Case("TLS at 2", [Host("good", WRONG), Host("good")], "secure", "enforce"),
    "policy-and-an-unproven-host-first-and-a-bad-one": Case("4.7.5", [Host("good", WRONG), Host("wrong-name")], "secure", "enforce"),
    "policy-and-unusable-records-of-another-host": Case("4.7.5", [Host("good", "1 1 1 good")], "secure", "enforce", ELSEWHERE),
}

BROKEN_CASES = {
    # RFC 3207 4: a handshake that fails is as good as no TLS only where nobody wants it
    f"server-{server}-STARTTLS-{name}": Case(outcome if wanted else "plain", [Host(server, records)], "secure", mode)
    for server, outcome in (("breaking", "4.7.5"), ("refusing", "4.7.4"))
    for name, wanted, records, mode in (("nothing-published", False, "", ""), ("policy-tests", False, "", "testing"),
                                        ("policy", True, "", "enforce"), ("records-usable", True, "3 1 1 good", ""),
                                        ("records-unusable", True, "1 1 1 good", ""))
}

ROUTE_CASES = {
    # RFC 7672 6: who demands DANE waits until it is there. Another rule of ours counts instead of all that others publish
    **{f"route-to-{kind}-{rule}-{name}": Case(outcome, [host], "secure", mode, route=(kind, rule))
       for kind in ("mx", "host")
       for rule, name, outcome, mode, host in (
           ("dane", "proven", "TLS", "", Host("self-signed", OWN)),
           ("dane", "unproven", "4.7.5", "", Host("good", WRONG)),
           ("dane", "no-STARTTLS", "4.7.4", "", Host(NO_STARTTLS, "3 1 1 good")),
           ("dane", "no-records", "4.7.5", "", Host("good")),
           ("dane", "no-records-and-a-policy", "4.7.5", "enforce", Host("good")),
           ("dane", "unusable-records", "4.7.5", "", Host("good", "1 1 1 good")),
           ("dane", "insecure-host", "4.7.5", "", Host("good", "3 1 1 good", "plain-hosts")),
           ("dane", "records-servfail", "4.4.3", "", Host("good", "3 1 1 good", fault="servfail")),
           ("dane", "records-bogus", "4.4.3", "", Host("good", "3 1 1 good", "lying-hosts")),
           ("may", "unproven", "TLS", "", Host("good", WRONG)),
           ("may", "records-and-no-STARTTLS", "plain", "", Host(NO_STARTTLS, "3 1 1 good")),
           ("may", "records-servfail", "TLS", "", Host("good", "3 1 1 good", fault="servfail")),
           ("may", "policy-and-no-STARTTLS", "plain", "enforce", Host(NO_STARTTLS)),
           ("none", "unproven-and-a-policy", "plain", "enforce", Host("good", WRONG)),
           ("encrypt", "unproven-and-a-policy", "TLS", "enforce", Host("wrong-name", WRONG)),
           ("verify", "unproven", "TLS", "", Host("good", WRONG)),
           ("verify", "proven-but-of-another-name", "4.7.5", "", Host("wrong-name", "3 1 1 wrong-name")))},
    "route-to-mx-dane-insecure-MX": Case("4.7.5", [Host("good", "3 1 1 good")], "insecure", route=("mx", "dane")),
    "route-to-mx-dane-second-host-proven": Case("TLS at 2", [Host("good"), Host("good", "3 1 1 good")], route=("mx", "dane")),
    "route-to-mx-without-a-rule-policy": Case("4.7.5", [Host("wrong-name")], "insecure", "enforce", route=("mx", "")),
    # RFC 7672 2.2.2, 3.2.2: no MX record led to the host of a route, so the destination neither counts nor is one of its names
    "route-to-host-dane-insecure-destination": Case("TLS", [Host("good", "3 1 1 good")], "insecure", route=("host", "dane")),
    "route-to-host-dane-usage-2-and-the-domain": Case("4.7.5", [Host("private-domain", "2 0 1 CA")], route=("host", "dane")),
    "route-to-host-dane-alias-usage-2-and-it": Case("TLS", aliased("private-alias", "2 0 1 CA"), route=("host", "dane"), sni="host"),
    "route-to-host-dane-alias-usage-2-and-its-end": Case("TLS", aliased("private", "2 0 1 CA"), route=("host", "dane")),
    "route-to-host-without-a-rule-unproven": Case("4.7.5", [Host("good", WRONG)], route=("host", "")),
    "route-to-host-without-a-rule-policy-of-the-destination": Case("TLS", [Host("wrong-name")], "insecure", "enforce", route=("host", "")),
}

DANE_OFF, STS_OFF, DNSSEC_OFF = (("DANE", "false"),), (("MTA_STS", "false"),), (("DNSSEC", "false"),)
NONE, ENCRYPT, VERIFY = ((("DELIVERD_REMOTE_TLS", rule),) for rule in ("none", "encrypt", "verify"))
KEY_CASES = {
    f"{keys[0][0]}-{keys[0][1]}-{name}".replace("_", "-"): Case(outcome, [host], zone, mode, keys=keys)
    for keys, name, outcome, zone, mode, host in (
        (DANE_OFF, "unproven", "TLS", "secure", "", Host("good", WRONG)),
        (DANE_OFF, "records-servfail", "TLS", "secure", "", Host("good", "3 1 1 good", fault="servfail")),
        (DANE_OFF, "MX-bogus", "4.4.3", "bogus", "", Host("good", "3 1 1 good")),
        (DANE_OFF, "proven-but-policy", "4.7.5", "secure", "enforce", Host("wrong-name", "3 1 1 wrong-name")),
        (STS_OFF, "policy", "TLS", "secure", "enforce", Host("wrong-name")),
        (STS_OFF, "policy-and-no-STARTTLS", "plain", "secure", "enforce", Host(NO_STARTTLS)),
        (STS_OFF, "unproven", "4.7.5", "secure", "", Host("good", WRONG)),
        (DNSSEC_OFF, "unproven", "TLS", "secure", "", Host("good", WRONG)),
        (DNSSEC_OFF, "MX-bogus", "TLS", "bogus", "", Host("good")),
        (DNSSEC_OFF, "records-servfail", "TLS", "secure", "", Host("good", "3 1 1 good", fault="servfail")),
        (DNSSEC_OFF, "policy", "4.7.5", "secure", "enforce", Host("wrong-name")),
        (NONE, "unproven", "plain", "secure", "", Host("good", WRONG)),
        (NONE, "policy", "plain", "secure", "enforce", Host("wrong-name")),
        (ENCRYPT, "nothing-published", "TLS", "secure", "", Host("self-signed")),
        (ENCRYPT, "nothing-published-no-STARTTLS", "4.7.4", "secure", "", Host(NO_STARTTLS)),
        (ENCRYPT, "policy-tests-no-STARTTLS", "4.7.4", "secure", "testing", Host(NO_STARTTLS)),
        (ENCRYPT, "unproven", "4.7.5", "secure", "", Host("good", WRONG)),
        (ENCRYPT, "policy", "4.7.5", "secure", "enforce", Host("wrong-name")),
        (VERIFY, "nothing-published", "4.7.5", "secure", "", Host("self-signed")),
        (VERIFY, "proven", "TLS", "secure", "", Host("self-signed", OWN)),
        (VERIFY, "unusable-records", "4.7.5", "secure", "", Host("self-signed", "1 1 1 self-signed")),
        (VERIFY, "policy-tests", "4.7.5", "secure", "testing", Host("wrong-name")))
}
KEY_CASES["DNSSEC-false-route-to-mx-dane-proven"] = Case("4.7.5", [Host("good", "3 1 1 good")], route=("mx", "dane"), keys=DNSSEC_OFF)

CASES = {**dict(table()), **CERTIFICATE_CASES, **HOST_CASES, **ALIAS_CASES, **POLICY_CASES, **BROKEN_CASES, **ROUTE_CASES, **KEY_CASES}
