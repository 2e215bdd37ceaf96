#!/usr/bin/python3
"""The documents are true: the README's commands run, what is generated loads, folders and maps agree."""

import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import checks  # noqa: E402
from checks import check, equal  # noqa: E402
from gateway import PROGRAM, ROOT, Gateway, run_program  # noqa: E402

BUILD = os.environ.get("BUILD", ROOT)


def read(*path):
    """A text of the source folder."""
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*words, **more):
    """Run a tool; its output, stripped. A failure shows it."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    check(done.returncode == 0, f"{' '.join(words)}: status {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def shell_blocks(text):
    """The commands of the README, without their remarks."""
    return [line.split("  #")[0].strip() for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines() if line.strip()]


def test_readme_try_shows_a_message_arrive():
    """contrib/try, the first command."""
    check("contrib/try" in shell_blocks(read("README.md")), "the README does not name contrib/try")
    said = run(os.path.join(ROOT, "contrib", "try"), "--once", env={**os.environ, "TRY_BUILD": BUILD, "MAKEFLAGS": ""})
    queue_id = re.search(r"250 2\.0\.0 Ok: queued ([0-9a-f]{16})", said)
    check(queue_id, "no queue id in the session")
    check(f"with ESMTP id {queue_id[1]}" in said, "no Received field in what arrived")


def test_readme_try_shows_a_mailbox():
    """contrib/try --dovecot, which the README names, too."""
    check("contrib/try --dovecot" in read("README.md"), "the README does not name contrib/try --dovecot")
    said = run(os.path.join(ROOT, "contrib", "try"), "--once", "--dovecot", env={**os.environ, "TRY_BUILD": BUILD, "MAKEFLAGS": ""})
    session, _, mailbox = said.partition("read by IMAP\n")
    queue_id = re.findall(r"250 2\.0\.0 Ok: queued ([0-9a-f]{16})", session)[-1]
    check(f"with ESMTP id {queue_id}" in mailbox, f"the last message is not in the mailbox: {mailbox}")
    check("Delivered-To: ann@example.org" in mailbox, "no Delivered-To field in the mailbox")


def test_readme_names_the_command_of_ci():
    """contrib/check, the second command, is what CI runs."""
    check("contrib/check" in shell_blocks(read("README.md")), "the README does not name contrib/check")
    check("contrib/check" in read(".ci", "run"), ".ci/run does not run contrib/check")


def test_readme_commands_run():
    """Every `tmail …` line of the README, in order, on a fresh gateway."""
    lines = [line for line in shell_blocks(read("README.md")) if line.startswith("tmail ")]
    check(len(lines) >= 5, "the README has too few commands")
    with Gateway(start=False) as gateway:
        for line in lines:
            gateway.tmail(*shlex.split(line)[1:], stdin="a password\n")


def test_oauth_example_commands_run():
    """The same of contrib/examples/oauth.md; a secret and a token are typed in."""
    lines = [line for line in shell_blocks(read("contrib", "examples", "oauth.md")) if line.startswith("tmail ")]
    check(len(lines) >= 5, "the example has too few commands")
    with Gateway(start=False) as gateway:
        for line in lines:
            gateway.tmail(*shlex.split(line)[1:], stdin="a secret\na token\n")


def test_readme_configuration_is_valid():
    """The keys that the README shows are keys, with valid values."""
    keys = [line for line in shell_blocks(read("README.md")) if line.startswith("TMAIL_")]
    with Gateway({**dict(key.split("=", 1) for key in keys)}, start=False) as gateway:
        shown = gateway.tmail("config")
        check(all(key.split("=")[0] in shown for key in keys), f"tmail config shows not all of {keys}")


def test_sample_configuration_loads():
    """The generated sample, as it is and with every key uncommented."""
    with open(os.path.join(BUILD, "tmail.cfg.sample"), encoding="utf-8") as file:
        sample = file.read()
    check(len(re.findall(r"^#?\s*TMAIL_\w+=", sample, re.M)) > 30, "the sample has too few keys")
    with Gateway(start=False) as gateway:
        path = gateway.write_file("sample.cfg", sample + "\nTMAIL_ME=mx.example.org\n" if not re.search(r"^TMAIL_ME=", sample, re.M) else sample)
        result = run_program("-c", path, "config")
        equal(result.status, 0, result.err)


def test_manual_pages_are_well_formed():
    """mandoc finds nothing to warn of."""
    for page in ("tmail.1", "tmail.cfg.5"):
        equal(run("mandoc", "-T", "lint", "-W", "warning", os.path.join(BUILD, page)), "", page)


def test_manual_pages_name_every_command_and_key():
    """What `--help` and `config` know, the pages know."""
    with open(os.path.join(BUILD, "tmail.1"), encoding="utf-8") as file:
        page = file.read()
    for noun in ("run", "config", "rcpthost", "relayip", "routes", "user", "queue", "smtpd"):
        check(re.search(rf"\b{noun}\b", page), f"tmail.1 does not name {noun}")
        equal(run_program(noun, "--help").status, 0, f"{noun} --help")
    with open(os.path.join(BUILD, "tmail.cfg.5"), encoding="utf-8") as file:
        page = file.read()
    with Gateway(start=False) as gateway:
        for key in re.findall(r"^(TMAIL_\w+)=", gateway.tmail("config"), re.M):
            check(key in page, f"tmail.cfg.5 does not name {key}")


def test_completion_completes():
    """The generated completion, asked by bash for a word."""
    script = f"""source {BUILD}/tmail.completion
        COMP_WORDS=(tmail queue fl) COMP_CWORD=2 COMP_LINE='tmail queue fl' COMP_POINT=14
        $(complete -p tmail | sed 's/.*-F \\([^ ]*\\).*/\\1/') tmail fl queue
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    equal(run("bash", "-c", script).split(), ["flush"], "completion of `tmail queue fl`")


def test_architecture_matches_the_folders():
    """Each room of the map exists, each room that exists is on the map, and has a README."""
    text = read("ARCHITECTURE.md")
    rooms = [entry.name for entry in os.scandir(os.path.join(ROOT, "gateway")) if entry.is_dir() and not entry.name.startswith(".")]
    for room in sorted(rooms):
        check(re.search(rf"^  {room}/ ", text, re.M), f"ARCHITECTURE.md does not name gateway/{room}/")
        check(os.path.exists(os.path.join(ROOT, "gateway", room, "README.md")), f"gateway/{room}/ has no README.md")
    for room in re.findall(r"^  (\w+)/ ", text, re.M):
        check(os.path.isdir(os.path.join(ROOT, "gateway", room)), f"ARCHITECTURE.md names {room}/, which is not there")


def test_build_files_name_every_source():
    """No C file lies about that is not built."""
    fragments = "".join(read(os.path.relpath(os.path.join(folder, "Makefile.inc"), ROOT))
                        for folder, _, names in os.walk(os.path.join(ROOT, "gateway")) if "Makefile.inc" in names)
    for folder, _, names in os.walk(os.path.join(ROOT, "gateway")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            check(not name.endswith((".c", ".h")) or path in fragments, f"{path} is in no Makefile.inc")


def test_version():
    """--version says what configure.ac says."""
    version = re.search(r"AC_INIT\(\[tmail\], \[([^]]+)\]", read("configure.ac"))[1]
    check(version in run(PROGRAM, "--version"), "--version")


sys.exit(checks.main())
