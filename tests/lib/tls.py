"""TLS for both ends of the harness, by Python's ssl: contexts, and what a connection came to use."""

import ctypes
import ssl
from dataclasses import dataclass

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Secure:
    """What protects a connection. `peer` is the peer's certificate in DER, or None; `sni` what a server was asked for."""

    version: str
    cipher: str
    peer: bytes
    resumed: bool
    sni: str = None


def client_context(ca=None, pair=None, version=None):
    """A client that trusts the CA of that path, else anybody; with a certificate of its own; of one version (`1.2`, `1.3`) only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(ca)
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        context.load_verify_locations(ca)
    return _completed(context, pair, version)


def server_context(pair, version=None, client_ca=None):
    """A server with this certificate; with `client_ca` clients must show one of that CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = _note_name
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return _completed(context, pair, version)


def _completed(context, pair, version):
    if pair:
        context.load_cert_chain(pair.cert, pair.key)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def _note_name(sock, name, _context):
    sock.sni = name


def secure_of(sock):
    """What protects this ssl socket, whose handshake is done."""
    return Secure(sock.version(), sock.cipher()[0], sock.getpeercert(True), sock.session_reused, getattr(sock, "sni", None))


class _PySSLSocket(ctypes.Structure):  # pylint: disable=too-few-public-methods
    """The head of what CPython's _ssl keeps of a connection."""

    _fields_ = [("references", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("socket", ctypes.c_void_p), ("ssl", ctypes.c_void_p)]


def exporter(sock):
    """The channel binding tls-exporter (RFC 9266) of an ssl socket: Python's ssl does not have it, OpenSSL below it does."""
    handle = ctypes.cast(id(sock._sslobj), ctypes.POINTER(_PySSLSocket)).contents.ssl  # pylint: disable=protected-access
    label, binding = b"EXPORTER-Channel-Binding", ctypes.create_string_buffer(32)
    done = ctypes.CDLL("libssl.so.3").SSL_export_keying_material(
        ctypes.c_void_p(handle), binding, ctypes.c_size_t(32), label, ctypes.c_size_t(len(label)), b"", ctypes.c_size_t(0), 1)
    assert done == 1, "SSL_export_keying_material"
    return binding.raw
