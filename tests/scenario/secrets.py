#!/usr/bin/python3
"""Issue 3, DESIGN 6.14: no password stands in the database, and the key that seals what must be said again is guarded."""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

SECRETS = ("word-of-a-user", "another-word", "word-of-a-route", "typed-for-a-route", "word-of-an-import", "secret-of-a-client",
           "token-of-a-client")


def store_all(gateway):
    """Give every command that takes a secret one."""
    gateway.tmail("user", "add", "joe@example.com", "word-of-a-user")
    gateway.tmail("user", "update", "joe@example.com", "-p", "another-word")
    gateway.tmail("routes", "add", "-d", "a.example", "-rh", "mail.example", "-rl", "me", "-rpwd", "word-of-a-route")
    gateway.tmail("routes", "add", "-d", "b.example", "-rh", "mail.example", "-rl", "me", stdin="typed-for-a-route\n")
    gateway.tmail("routes", "import", gateway.write_file("routes", "one;;mail.example:25;me;word-of-an-import\n"),
                  gateway.write_file("routemap", "*;c.example;one\n"))
    gateway.tmail("oauth", "add", "office", "--tokenUrl", "https://login.example/", "--clientId", "id", "--secrets",
                  stdin="secret-of-a-client\ntoken-of-a-client\n")


def files_below(folder):
    """Every file of the folder with its bytes."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                yield name, file.read()


def mode_of(path):
    """The rights of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


def test_no_secret_is_in_any_file():
    """Database, write-ahead log, key: none shows what was given."""
    with Gateway(start=False) as gateway:
        store_all(gateway)
        os.unlink(gateway.path("routes"))
        for name, data in files_below(gateway.folder):
            for secret in SECRETS:
                check(secret.encode() not in data, f"{secret} stands in {name}")


def test_the_key_is_beside_the_database():
    """Made when it is first needed, for its owner alone, and used from then on."""
    with Gateway(start=False) as gateway:
        key = gateway.path("secret.key")
        gateway.tmail("routes", "add", "-d", "a.example", "-rh", "mail.example")
        gateway.tmail("user", "add", "joe@example.com", "word-of-a-user")
        check(not os.path.exists(key), "there is a key before there is a secret")
        routes = [("routes", "add", "-d", f"{name}.example", "-rh", "m.example", "-rl", "me", "-rpwd", "hush") for name in "bc"]
        gateway.tmail(*routes[0])
        equal(oct(mode_of(key)), "0o600", "mode of the key")
        equal(os.stat(key).st_uid, os.stat(gateway.path("tmail.db")).st_uid, "owner of the key")
        with open(key, "rb") as file:
            before = file.read()
        gateway.tmail(*routes[1])
        with open(key, "rb") as file:
            equal(file.read(), before, "the key")
        equal(sorted(name for name in os.listdir(gateway.folder) if "key" in name), ["secret.key"], "files of the key")


def test_the_key_can_be_elsewhere():
    """TMAIL_SECRET_KEY_FILE names it."""
    with Gateway({"TMAIL_SECRET_KEY_FILE": "/nowhere/at/all/tmail.key"}, start=False) as gateway:
        result = gateway.run("routes", "add", "-rh", "mail.example", "-rl", "me", "-rpwd", "hush")
        equal(result.status, 1, "exit status without a folder for the key")
        check("/nowhere/at/all/tmail.key" in result.err and "hush" not in result.err, f"it said {result.err!r}")
        equal(gateway.tmail("routes", "list", "--json"), "[]\n", "routes")
        gateway.config["TMAIL_SECRET_KEY_FILE"] = gateway.path("store", "tmail.key")
        gateway.write_config()
        gateway.tmail("routes", "add", "-rh", "mail.example", "-rl", "me", "-rpwd", "hush")
        equal(oct(mode_of(gateway.path("store", "tmail.key"))), "0o600", "mode of the key")
        check(not os.path.exists(gateway.path("secret.key")), "there is a key beside the database too")


def test_a_key_that_is_away_is_not_replaced():
    """What is sealed already could not be opened with another one."""
    words = ("routes", "add", "-rh", "mail.example", "-rl", "me", "-rpwd", "hush")
    with Gateway(start=False) as gateway:
        gateway.tmail(*words)
        key = gateway.path("secret.key")
        os.rename(key, key + ".away")
        for command in (words, ("oauth", "add", "x", "--tokenUrl", "https://x.example/t", "--clientId", "i", "--clientSecret", "hush")):
            result = gateway.run(*command)
            equal(result.status, 1, f"exit status of {command}")
            check(key in result.err and "backup" in result.err, f"it said {result.err!r}")
            check(not os.path.exists(key), "there is a new key")
        os.rename(key + ".away", key)
        gateway.tmail(*words)


def test_a_key_that_others_can_read_is_refused():
    """With the command that mends it."""
    with Gateway(start=False) as gateway:
        words = ("routes", "add", "-rh", "mail.example", "-rl", "me", "-rpwd", "hush")
        gateway.tmail(*words)
        key = gateway.path("secret.key")
        os.chmod(key, 0o640)
        result = gateway.run(*words)
        equal(result.status, 1, "exit status")
        check(f"chmod 600 {key}" in result.err, f"it said {result.err!r}")
        os.chmod(key, 0o600)
        gateway.tmail(*words)


def test_cram_md5_is_kept_only_where_it_is_offered():
    """TMAIL_SMTPD_AUTH_MECHANISMS without it: nothing to guess passwords by quickly is stored, and a new password removes what was."""
    with Gateway(start=False) as gateway:
        gateway.tmail("user", "add", "joe@example.com", "word-of-a-user")
        check('"scram": true, "cram_md5": true' in gateway.tmail("user", "list", "--json"), "CRAM-MD5 is not kept")
        for mechanisms in ("SCRAM-SHA-256, PLAIN", "none"):
            gateway.config["TMAIL_SMTPD_AUTH_MECHANISMS"] = mechanisms
            gateway.write_config()
            gateway.tmail("user", "update", "joe@example.com", "-p", "another-word")
            check('"scram": true, "cram_md5": false' in gateway.tmail("user", "list", "--json"), f"kept with {mechanisms}")


if __name__ == "__main__":
    main()
