"""The programs that are measured, each behind the same three words: `running()`, `flush()`, `queue_folder`.

Both relay everything from loopback to the hop, or deliver it to mailboxes, keep their queue below the same folder, and
write each message to the disk before they answer for it. Neither is the instance that the system may run: folders and ports are private.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile

from dns import Dns, Zone
from gateway import USER
from local import DOMAIN
from peers import answers, need, run
from tmail import Gateway, await_true, check
from waiting import DEAD_DOMAIN, Dead
from wire import free_port

DAEMONS = "/usr/lib/postfix/sbin"

# A relay for loopback and nothing else: no local users, no DNS, no TLS, no limits or delays for clients; as many
# processes and as large an active queue as the load can use. What makes mail durable is as Postfix has it.
POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
myhostname = mx.tmail.test
mydestination =
local_recipient_maps =
local_transport = error:no mailboxes here
alias_maps =
mynetworks = 127.0.0.0/8
relayhost = [{hop.address}]:{hop.port}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtp_tls_security_level = none
default_process_limit = 150
in_flow_delay = 0
qmgr_message_active_limit = 40000
qmgr_message_recipient_limit = 40000
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
smtp_connection_cache_destinations = [{hop.address}]:{hop.port}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_error_sleep_time = 0
biff = no
"""

POSTFIX_RELAY = """
smtpd_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
"""

# What is taken goes to the hold queue. Tickets are Postfix's standard, and the cache of sessions beside them only
# costs it time.
POSTFIX_TLS = """
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate.cert}
smtpd_tls_key_file = {certificate.key}
smtpd_relay_restrictions = check_client_access static:hold, permit_mynetworks, reject
"""

# Mailboxes: the users are known at RCPT, and mail for them goes to Dovecot.
POSTFIX_LOCAL = """
smtpd_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{folder}/etc/users
virtual_transport = {transport}
lmtp_connection_cache_destinations = unix:{mailboxes.lmtp}
dovecot_destination_recipient_limit = 1
"""

POSTFIX_LDA = """\
dovecot unix - n n - - pipe
  flags=DRhu user={user} argv={mailboxes.lda} -e -f ${{sender}} -a ${{original_recipient}} -d ${{user}}@${{domain}}
"""

# name, type, private, wakeup, processes (0: no limit, -: as main.cf says), program
POSTFIX_SERVICES = (
    ("127.0.0.1:{port}", "inet", "n", "-", "0", "smtpd"), ("pickup", "unix", "n", "60", "1", "pickup"),
    ("cleanup", "unix", "n", "-", "0", "cleanup"), ("qmgr", "unix", "n", "300", "1", "qmgr"),
    ("rewrite", "unix", "-", "-", "-", "trivial-rewrite"), ("bounce", "unix", "-", "-", "0", "bounce"),
    ("defer", "unix", "-", "-", "0", "bounce"), ("trace", "unix", "-", "-", "0", "bounce"),
    ("verify", "unix", "-", "-", "1", "verify"), ("flush", "unix", "n", "1000?", "0", "flush"),
    ("proxymap", "unix", "-", "-", "-", "proxymap"), ("smtp", "unix", "-", "-", "-", "smtp"),
    ("relay", "unix", "-", "-", "-", "smtp"), ("lmtp", "unix", "-", "-", "-", "lmtp"), ("showq", "unix", "n", "-", "-", "showq"),
    ("error", "unix", "-", "-", "-", "error"), ("retry", "unix", "-", "-", "-", "error"),
    ("anvil", "unix", "-", "-", "1", "anvil"), ("tlsmgr", "unix", "-", "1000?", "1", "tlsmgr"),
    ("scache", "unix", "-", "-", "1", "scache"), ("postlog", "unix-dgram", "n", "-", "1", "postlogd"))


class Names:
    """A DNS in which hop.example has the hop for its MX, and any number of other destinations, all of it signed.

    A gateway asks the server itself: the tests' proxy with its faults would be most of what is measured.
    """

    def __init__(self, hop):
        # hop.example is the load's; example is not a domain of the tests otherwise.
        self._dns = Dns(Zone("example", f"hop MX 10 mx\nmx A {hop.address}\n"), Zone("ways.test", "* MX 10 mx\nmx A 127.0.0.1\n"))
        self.forward, self.anchor, self.suffix = f"127.0.0.1@{self._dns.server.port}", self._dns.anchor, "ways.test"
        self.keys = {"TMAIL_DNS_FORWARD": self.forward, "TMAIL_DNS_TRUST_ANCHOR": self.anchor}

    def done(self):
        """End the server."""
        self._dns.done()


def dovecot_keys(mailboxes, lda):
    """How tmail delivers to mailboxes."""
    return {"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LOCAL_DELIVERY": "lda" if lda else "lmtp",
            "TMAIL_LMTP_ADDRESS": f"unix:{mailboxes.lmtp}", "TMAIL_DOVECOT_LDA": mailboxes.lda,
            "TMAIL_USERS_HOME_BASE": os.path.join(mailboxes.folder, "homes")}


class Tmail:
    """tmail with its standard configuration, but no limit of sessions from one address: the load has only one.

    Its log, one line an event, goes to a file. With a certificate it offers TLS and keeps what it takes. With `each` every message
    goes over a connection of its own, and with `dns` by the MX of its destination. With `dead` it has a second next hop, and with
    `mailboxes` it delivers to these, by LMTP or `lda`.
    """

    name, flags = "tmail", ()

    def __init__(self, hop, certificate=None, each=False, dns=None, dead=False, mailboxes=None, lda=False):
        self.dns, self.dead = dns, Dead() if dead else None
        tls = {"TMAIL_TLS_CERT": certificate.cert, "TMAIL_TLS_KEY": certificate.key,
               "TMAIL_DELIVERD_LAUNCH": "false"} if certificate else {}
        way = {**({"TMAIL_DELIVERD_CONNECTION_MESSAGES": "1"} if each else {}), **(dns.keys if dns else {}),
               **(dovecot_keys(mailboxes, lda) if mailboxes else {})}
        self._gateway = Gateway({"TMAIL_SMTPD_CONCURRENCY_PER_CLIENT": "0", "TMAIL_TEMPDIR": None, **tls, **way}, start=False)
        log = self._gateway.path("log")
        os.mkdir(log)
        shutil.chown(log, os.stat(self._gateway.folder).st_uid)
        self._gateway.config["TMAIL_LOGPATH"] = log
        self._gateway.write_config()
        self._gateway.tmail("relayip", "add", "127.0.0.0/8")
        if dns:
            self._gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(hop.port))
        else:
            self._gateway.route("*", hop)
        if dead:
            self._gateway.route(DEAD_DOMAIN, self.dead)
        for user in mailboxes.users if mailboxes else ():
            self._gateway.tmail("user", "add", "-m", user, stdin="a password\n")
        self.port, self.queue_folder = self._gateway.port, self._gateway.path("store")

    @contextlib.contextmanager
    def running(self, meter):
        """Run it, as processes of `meter`."""
        self._gateway.start()
        try:
            meter.add_tree(self._gateway.process.pid)
            yield
        finally:
            self._gateway.stop()

    def flush(self):
        """Make all that waits due now."""
        self._gateway.tmail("queue", "flush")

    def command(self, *words):
        """Run a command of it."""
        self._gateway.tmail(*words)

    def forget(self):
        """Remove all that is queued; not while it runs."""
        owner = os.stat(self.queue_folder).st_uid
        shutil.rmtree(self.queue_folder)
        os.mkdir(self.queue_folder)
        os.chown(self.queue_folder, owner, -1)

    def done(self):
        """Remove its folder."""
        self._gateway.done()
        if self.dead:
            self.dead.done()
        if self.dns:
            self.dns.done()


class Postfix:
    """Debian's Postfix as an instance of its own, tuned for this load. Its log goes where its own standard sends it.

    With a certificate it offers TLS and keeps what it takes, with `mailboxes` it delivers to these, by lmtp(8) or `lda`,
    which pipe(8) runs.
    """

    name, flags = "Postfix", ()

    def __init__(self, hop, certificate=None, mailboxes=None, lda=False):
        self._folder = tempfile.mkdtemp(prefix="tmail-bench-postfix-")
        self.port, self.queue_folder = free_port(("127.0.0.1",)), os.path.join(self._folder, "queue")
        os.chmod(self._folder, 0o755)
        for name in ("etc", "queue", "data"):
            os.mkdir(os.path.join(self._folder, name))
        os.chown(os.path.join(self._folder, "data"), pwd.getpwnam("postfix").pw_uid, -1)
        self._etc = os.path.join(self._folder, "etc")
        main = POSTFIX_MAIN + (POSTFIX_LOCAL if mailboxes else POSTFIX_TLS if certificate else POSTFIX_RELAY)
        words = {"folder": self._folder, "daemons": DAEMONS, "hop": hop, "certificate": certificate, "user": USER, "domain": DOMAIN,
                 "mailboxes": mailboxes, "transport": "dovecot" if lda else f"lmtp:unix:{mailboxes.lmtp}" if mailboxes else ""}
        self._write("main.cf", main.format(**words))
        self._write("users", "".join(f"{user} {user}\n" for user in mailboxes.users) if mailboxes else "")
        self._write("master.cf", "".join(
            f"{name.format(port=self.port)} {kind} {private} - n {wakeup} {processes} {program}\n"
            for name, kind, private, wakeup, processes, program in POSTFIX_SERVICES) + (POSTFIX_LDA.format(**words) if lda else ""))

    @staticmethod
    def missing():
        """Why it cannot be measured here, or an empty text."""
        if os.geteuid() != 0:
            return "Postfix runs only when started by root"
        return "" if os.path.isdir(DAEMONS) else "package postfix is missing"

    @staticmethod
    def version():
        """Its version."""
        return run(need("postconf", "postfix"), "-d", "-h", "mail_version").strip()

    def _write(self, name, text):
        with open(os.path.join(self._etc, name), "w", encoding="ascii") as file:
            file.write(text)

    def _command(self, *words):
        done = subprocess.run([need(words[0], "postfix"), "-c", self._etc, *words[1:]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120, check=False)
        check(done.returncode == 0, f"{' '.join(words)}: status {done.returncode}: {done.stderr!r}")

    @contextlib.contextmanager
    def running(self, meter):
        """Run it, as processes of `meter`."""
        self._command("postfix", "start")
        try:
            await_true(lambda: answers("127.0.0.1", self.port), "Postfix to listen")
            with open(os.path.join(self.queue_folder, "pid", "master.pid"), encoding="ascii") as file:
                meter.add_tree(int(file.read()))
            yield
        finally:
            self._command("postfix", "stop")

    def flush(self):
        """Make all that waits due now."""
        self._command("postqueue", "-f")

    def forget(self):
        """Remove all that is queued; not while it runs."""
        self._command("postsuper", "-d", "ALL")

    def done(self):
        """Remove its folders."""
        shutil.rmtree(self._folder, ignore_errors=True)
