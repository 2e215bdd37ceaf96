"""A certification authority of the tests, and certificates with P-256 keys, made by the `openssl` program in a few milliseconds."""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from checks import PATIENCE, check
from peers import need

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CA_EXTENSIONS = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"


@dataclass(frozen=True)
class Pair:
    """The paths of a certificate and of its key, both PEM."""

    cert: str
    key: str

    def read(self):
        """The contents of both files."""
        with open(self.cert, "rb") as cert, open(self.key, "rb") as key:
            return cert.read(), key.read()


class Certificates:
    """An authority with its files in a folder, which is made if need be; `ca` is the path of its own certificate.

    Without `folder` it has one of its own, which goes with the test. Keys are 0600 and certificates 0644.
    """

    _serials = itertools.count(int.from_bytes(os.urandom(6), "big"))

    def __init__(self, folder=None, name="CA of the tests"):
        if folder is None:
            folder = tempfile.mkdtemp(prefix="tmail-test-ca-")
            os.chmod(folder, 0o755)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.folder = folder
        os.makedirs(self.folder, exist_ok=True)
        self.pair = self._make("ca", name, CA_EXTENSIONS, 30, None)
        self.ca = self.pair.cert

    def make(self, name, hosts=("localhost",), ips=("127.0.0.1",), days=30, signed_by=None, expired=False, crl=None):
        """Make NAME.crt and NAME.key for these hosts and addresses; return their Pair.

        `signed_by` is this authority (None), the certificate itself ("self"), or another Certificates. An expired one
        was good until yesterday. `crl` is the URI of a revocation list that it names; there is none. An existing pair of
        this name is replaced, each file at once.
        """
        names = [f"DNS:{host}" for host in hosts] + [f"IP:{ip}" for ip in ips]
        extensions = "basicConstraints=critical,CA:FALSE\n" + (f"subjectAltName={','.join(names)}\n" if names else "")
        extensions += f"crlDistributionPoints=URI:{crl}\n" if crl else ""
        issuer = None if signed_by == "self" else (signed_by or self).pair
        return self._make(name, [*hosts, *ips, name][0], extensions, -1 if expired else days, issuer)

    def _make(self, name, subject, extensions, days, issuer):
        made = Pair(os.path.join(self.folder, f"{name}.crt"), os.path.join(self.folder, f"{name}.key"))
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            new = Pair(os.path.join(folder, "crt"), os.path.join(folder, "key"))
            request, extras = os.path.join(folder, "csr"), os.path.join(folder, "extensions")
            with open(extras, "w", encoding="utf-8") as file:
                file.write(extensions)
            _openssl("req", "-new", *CURVE, "-subj", f"/CN={subject[:64]}", "-keyout", new.key, "-out", request)
            signer = ("-CA", issuer.cert, "-CAkey", issuer.key) if issuer else ("-signkey", new.key)
            _openssl("x509", "-req", "-in", request, *signer, "-set_serial", str(next(self._serials)), "-sha256",
                     "-days", str(days), "-extfile", extras, "-out", new.cert)
            os.chmod(new.key, 0o600)
            os.chmod(new.cert, 0o644)
            os.replace(new.key, made.key)
            os.replace(new.cert, made.cert)
        return made


def _openssl(*words):
    done = subprocess.run([need("openssl", "openssl"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    check(done.returncode == 0, f"openssl {words[0]}: {done.stderr.decode(errors='replace').strip()}")
