#!/usr/bin/python3
"""INTERFACE 1: the configuration file, the environment, what is wrong in them, and `tmail config`."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, check, equal, main, run_program  # noqa: E402  pylint: disable=wrong-import-position


def with_file(text, *words, env=None):
    """Run the program with the harness's own keys but those that `text` sets, and then `text`; return the result."""
    with Gateway(dict.fromkeys(re.findall(r"TMAIL_\w+", text)), start=False) as gateway:
        with open(gateway.config_path, "a", encoding="utf-8") as file:
            file.write(text)
        return gateway.run(*words, env=env)


def value_of(key, text, env=None):
    """What `tmail config KEY` shows with this text."""
    result = with_file(text, "config", key, env=env)
    equal(result.status, 0, f"exit status of config {key} ({result.err!r})")
    return result.out


def refused(text, *pieces):
    """Every command is refused with status 78, and one line of the complaint holds all pieces of a tuple."""
    for words in (("rcpthost", "list"), ("run",)):
        result = with_file(text, *words)
        equal(result.status, 78, f"exit status of {words[0]} with {text!r} ({result.err!r})")
        for group in pieces:
            check(any(all(piece in line for piece in group) for line in result.err.splitlines()),
                  f"no line with {group!r} in {result.err!r}")


def test_values_bare_quoted_and_exported():
    """Every form that a shell and systemd read as well."""
    for text in ("TMAIL_ME=a.example\n", "export TMAIL_ME=a.example\n", "TMAIL_ME='a.example'\n", 'TMAIL_ME="a.example"\n',
                 "export TMAIL_ME='a.example'\n", "  TMAIL_ME=a.example  \n", "TMAIL_ME=a.example # the name\n",
                 "# TMAIL_ME=no.example\n\nTMAIL_ME='a.example' # why\n", "TMAIL_ME=a.example", "TMAIL_ME=a.example\r\n"):
        check("a.example" in value_of("TMAIL_ME", text), f"not read from {text!r}")


def test_a_hash_within_a_value_is_part_of_it():
    """As a shell has it."""
    check("/tmp/a#b" in value_of("TMAIL_STORE_SOURCE", "TMAIL_STORE_SOURCE=/tmp/a#b\n"), "bare")
    check("/tmp/a #b" in value_of("TMAIL_STORE_SOURCE", "TMAIL_STORE_SOURCE='/tmp/a #b'\n"), "quoted")


def test_a_key_of_something_else_is_ignored():
    """The file may hold variables for others."""
    equal(with_file("OTHER=1\nexport PATH_OF='x y'\n", "rcpthost", "list").status, 0, "exit status")


def test_times_and_sizes_take_units():
    """And a bare number has the unit of its key."""
    for key, text, expected in (("TMAIL_SMTPD_SERVER_TIMEOUT", "90", ("90s", "90", "1m30s")),
                                ("TMAIL_SMTPD_SERVER_TIMEOUT", "5m", ("5m", "300s", "300")),
                                ("TMAIL_DELIVERD_RETRY_MAX", "1d", ("1d", "24h")),
                                ("TMAIL_DELIVERD_QUEUE_LIFETIME", "120", ("2h", "120m", "7200s")),
                                ("TMAIL_SMTPD_MAX_DATABYTES", "10M", ("10M", "10485760")),
                                ("TMAIL_SMTPD_MAX_COMMAND_LENGTH", "64K", ("64K", "65536"))):
        shown = value_of(key, f"{key}={text}\n")
        check(any(word in shown for word in expected), f"{key}={text} is shown as {shown!r}")


def test_lists_take_semicolon_and_comma():
    """TMAIL_SMTPD_DSNS with either."""
    for separator in ";,":
        equal(with_file(f"TMAIL_SMTPD_DSNS='127.0.0.1:2525:false{separator}[::1]:2525:false'\n", "config").status, 0, "status")


def test_the_environment_overrides_the_file():
    """And the listing says where a value came from."""
    shown = value_of("TMAIL_ME", "TMAIL_ME=file.example\n", env={"TMAIL_ME": "environment.example"})
    check("environment.example" in shown and "file.example" not in shown, f"shown: {shown!r}")
    check("environment" in shown.replace("environment.example", ""), f"not where it came from: {shown!r}")


def test_the_file_is_named_by_the_environment():
    """TMAIL_CONFIG, where there is no -c."""
    with Gateway({"TMAIL_ME": "named.example"}, start=False) as gateway:
        result = run_program("config", "TMAIL_ME", env={"TMAIL_CONFIG": gateway.config_path})
        check("named.example" in result.out, f"got {result}")


def test_config_lists_every_value_and_where_it_came_from():
    """File with its line, environment, or default."""
    with Gateway({"TMAIL_SMTPD_MAX_HOPS": "7"}, start=False) as gateway:
        line = next(line for line in gateway.tmail("config").splitlines() if "TMAIL_SMTPD_MAX_HOPS" in line)
        check("7" in line and gateway.config_path in line, f"line: {line!r}")
        line = next(line for line in gateway.tmail("config").splitlines() if "TMAIL_SMTP_MAX_RCPT" in line)
        check("1000" in line and "default" in line, f"line: {line!r}")
        listed = json.loads(gateway.tmail("config", "--json"))
        check(any("TMAIL_ME" in str(entry) for entry in listed), f"json: {listed!r}")
        check(len(gateway.tmail("config", "--all")) > len(gateway.tmail("config")), "--all has the help")


def test_an_unknown_key_stops_the_start_and_a_near_miss_is_named():
    """INTERFACE's own example."""
    refused("TMAIL_SMTPD_DNS=127.0.0.1:25:false\n", ("unknown key TMAIL_SMTPD_DNS, did you mean TMAIL_SMTPD_DSNS?", "tmail.cfg:"))
    refused("TMAIL_XYZZY_PLUGH=1\n", ("unknown key TMAIL_XYZZY_PLUGH",))


def test_an_unknown_key_in_the_environment_stops_the_start():
    """TMAIL_ variables are ours."""
    result = with_file("", "rcpthost", "list", env={"TMAIL_SMTPD_DNS": "x"})
    equal(result.status, 78, "exit status")
    check("TMAIL_SMTPD_DSNS" in result.err, f"got {result.err!r}")


def test_a_misspelt_limit_is_never_silently_ignored():
    """DESIGN 6.15: the predecessor's names with a letter more or less."""
    for key in ("TMAIL_SMTPD_MAX_RCPT", "TMAIL_SMTPD_MAX_BAD_RCPT", "TMAIL_DELIVERD_CONCURRENCY_REMOTE",
                "TMAIL_SMTPD_MAX_DATABYTE"):
        refused(f"{key}=1\n", (f"unknown key {key}",))


def test_bad_values_name_file_line_key_and_what_was_expected():
    """One of each type."""
    refused('TMAIL_SMTPD_DSNS="0.0.0.0:25"\n',
            ('TMAIL_SMTPD_DSNS: "0.0.0.0:25" has no SSL field (expected IP:PORT:SSL', "tmail.cfg:"))
    for key, value in (("TMAIL_SMTPD_MAX_HOPS", "many"), ("TMAIL_SMTPD_MAX_HOPS", "-1"), ("TMAIL_SMTPD_MAX_HOPS", "7x"),
                       ("TMAIL_SMTPD_MAX_HOPS", "99999999999999999999"), ("TMAIL_SMTPD_MAX_DATABYTES", "50Q"),
                       ("TMAIL_SMTPD_SERVER_TIMEOUT", "5 parsecs"), ("TMAIL_SMTPD_LAUNCH", "maybe"),
                       ("TMAIL_LOG_FORMAT", "xml"), ("TMAIL_SMTPD_BARE_NEWLINE", "accept"), ("TMAIL_DB_DRIVER", "oracle"),
                       ("TMAIL_LOGPATH", "/nonexistent/folder"), ("TMAIL_DELIVERD_LOCAL_IPS", "127.0.0.2&127.0.0.3|127.0.0.4"),
                       ("TMAIL_DELIVERD_LOCAL_IPS", "nonsense"), ("TMAIL_SMTPD_DSNS", "127.0.0.1:99999:false"),
                       ("TMAIL_SMTPD_DSNS", "example.com:25:false"), ("TMAIL_SMTPD_DSNS", "::1:25:false"),
                       ("TMAIL_SMTPD_DSNS", ""), ("TMAIL_ME", "two words"), ("TMAIL_SMTPD_MAX_COMMAND_LENGTH", "100")):
        refused(f"{key}='{value}'\n", ("tmail.cfg:", key))


def test_all_errors_are_listed():
    """Not just the first."""
    refused("TMAIL_XYZZY=1\nTMAIL_SMTPD_MAX_HOPS=many\nnot a line\nTMAIL_ME='unclosed\n",
            ("TMAIL_XYZZY",), ("TMAIL_SMTPD_MAX_HOPS",), ("tmail.cfg:",))
    result = with_file("TMAIL_XYZZY=1\nTMAIL_SMTPD_MAX_HOPS=many\nnot a line\nTMAIL_ME='unclosed\n", "rcpthost", "list")
    lines = {line.split("tmail.cfg:")[1].split(":")[0] for line in result.err.splitlines() if "tmail.cfg:" in line}
    check(len(lines) >= 4, f"lines named: {sorted(lines)} in {result.err!r}")


def test_a_key_given_twice_is_an_error_that_names_both_lines():
    """Neither the first nor the last in silence."""
    refused("TMAIL_ME=first.example\nTMAIL_ME=second.example\n", ("tmail.cfg:", "TMAIL_ME", "line"))


def test_nothing_is_expanded():
    """No shell reads the values."""
    shown = value_of("TMAIL_STORE_SOURCE", "TMAIL_STORE_SOURCE='/tmp/$HOME`id`$(id)'\n")
    check("/tmp/$HOME`id`$(id)" in shown, f"shown: {shown!r}")


def test_nothing_to_do_is_a_configuration_error():
    """Neither smtpd nor deliverd."""
    result = with_file("TMAIL_SMTPD_LAUNCH=false\nTMAIL_DELIVERD_LAUNCH=false\n", "run")
    equal(result.status, 78, "exit status")
    check("nothing to do" in result.err, f"got {result.err!r}")


def test_commands_work_without_a_daemon():
    """And create the databases at once, since standard input is no terminal."""
    with Gateway(start=False) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        check("example.com" in gateway.tmail("rcpthost", "list"), "added")
        equal(gateway.queue(), [], "queue")


def test_a_daemon_serves_what_was_set_up_before_its_first_start():
    """The databases that a command created (as root) can be used by TMAIL_USER."""
    with Gateway(start=False) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        equal(gateway.queue(), [], "queue")
        gateway.start()
        with gateway.session() as client:
            client.mail("a@client.example", ["b@example.com"], b"Subject: x\r\n\r\n")
        equal([entry["recipient"] for entry in gateway.queue()], ["b@example.com"], "queue")


def test_the_shape_of_the_queue_in_json():
    """An array, an object a recipient, with the keys of INTERFACE 2, and what selections and changes ask for."""
    with Gateway({"TMAIL_DELIVERD_LAUNCH": "false"}) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        with gateway.session() as client:
            identifier = client.mail("a@client.example", ["b@example.com", "c@example.com"], b"Subject: x\r\n\r\n")
        entries = gateway.queue()
        equal([entry["recipient"] for entry in entries], ["b@example.com", "c@example.com"], "recipients")
        for entry in entries:
            equal(sorted(entry), ["added", "attempts", "id", "next", "reason", "recipient", "route", "sender", "size", "status", "wish"], "keys")
            equal((entry["id"], entry["sender"], entry["status"], entry["attempts"]),
                  (identifier, "a@client.example", "scheduled", 0), "id, sender, status, attempts")


if __name__ == "__main__":
    main()
