"""SASL exchanges of both sides (RFC 4422), in Python alone: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256 with and without -PLUS, and
on the server's side the two mechanisms that carry OAuth tokens.

A client is a generator of responses: `next()` gives the initial response, or None where the server speaks first; `send(challenge)`
gives the next one. A server is a generator of challenges: `next()` gives the first, empty where the client speaks first;
`send(response)` gives the next one, until it returns the login or raises `Refused`. All are bytes without base64.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import unicodedata

from checks import check

MECHANISMS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")
SHOWS_SECRET = ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER")
ITERATIONS = 4096
FIRST = re.compile(rb"(?P<head>(?P<flag>n|y|p=tls-exporter),,)(?P<bare>n=(?P<login>[^,]*),r=(?P<nonce>[!-+\--~]+))")
FINAL = re.compile(rb"(?P<without>c=(?P<binding>[^,]*),r=(?P<nonce>[^,]*)),p=(?P<proof>[^,]*)")
TOKENS = {"XOAUTH2": re.compile(rb"user=(?P<login>[^\x01]*)\x01auth=Bearer (?P<token>[^\x01]*)\x01\x01"),
          "OAUTHBEARER": re.compile(rb"n,a=(?P<login>[^,]*),\x01(?:[^\x01]+\x01)*auth=Bearer (?P<token>[^\x01]*)\x01(?:[^\x01]+\x01)*\x01")}


class Refused(Exception):
    """The server's verdict: no such login with that secret, or an exchange that is none."""


def b64(data):
    """Base64 of text or bytes, as text."""
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def unb64(text):
    """The bytes of base64 text; ValueError for what is none."""
    return base64.b64decode(text, validate=True)


def prepared(text):
    """SASLprep (RFC 4013) as far as these tests go."""
    return unicodedata.normalize("NFKC", text).encode()


def cram_digest(secret, challenge):
    """The answer of CRAM-MD5 (RFC 2195)."""
    return hmac.new(secret, challenge, hashlib.md5).hexdigest().encode()


def hmac256(key, data):
    """HMAC-SHA-256."""
    return hmac.new(key, data, hashlib.sha256).digest()


def xor(one, other):
    """Two strings of one length."""
    return bytes(left ^ right for left, right in zip(one, other))


# --- clients ---

def client(mechanism, login, password, binding=None, could_bind=False):
    """The client's side of an exchange. `binding` is what -PLUS binds to; `could_bind` says that a PLUS was not offered."""
    if mechanism.startswith("SCRAM"):
        flag = b"p=tls-exporter" if mechanism.endswith("-PLUS") else b"y" if could_bind else b"n"
        return _scram_client(login, password, flag, binding if mechanism.endswith("-PLUS") else b"")
    return {"PLAIN": _plain_client, "LOGIN": _login_client, "CRAM-MD5": _cram_client}[mechanism](login, password)


def _plain_client(login, password):
    yield b"\0" + login.encode() + b"\0" + password.encode()


def _login_client(login, password):
    yield None
    yield login.encode()
    yield password.encode()


def _cram_client(login, password):
    challenge = yield None
    yield login.encode() + b" " + cram_digest(password.encode(), challenge)


def _scram_client(login, password, flag, binding):
    name = prepared(login).replace(b"=", b"=3D").replace(b",", b"=2C")
    nonce = b64(os.urandom(18)).encode()
    bare = b"n=" + name + b",r=" + nonce
    first = yield flag + b",," + bare
    fields = dict(field.split(b"=", 1) for field in first.split(b","))
    check(fields[b"r"].startswith(nonce) and fields[b"r"] != nonce, f"SCRAM: not a nonce of both sides: {first!r}")
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), unb64(fields[b"s"]), int(fields[b"i"]))
    without = b"c=" + b64(flag + b",," + (binding or b"")).encode() + b",r=" + fields[b"r"]
    said = bare + b"," + first + b"," + without
    key = hmac256(salted, b"Client Key")
    proof = xor(key, hmac256(hashlib.sha256(key).digest(), said))
    final = yield without + b",p=" + b64(proof).encode()
    proved = b"v=" + b64(hmac256(hmac256(salted, b"Server Key"), said)).encode()
    check(final == proved, f"SCRAM: the server has not proved that it knows the password: {final!r}")
    yield b""


# --- servers ---

def server(mechanism, login, password, token=None, binding=b"", lying=False):
    """The server's side, where one login has one password, or token. One that is `lying` knows none and says yes."""
    if mechanism in TOKENS:
        return _token_server(mechanism, login, token)
    if mechanism.startswith("SCRAM"):
        return _scram_server(login, password, binding if mechanism.endswith("-PLUS") else None, lying)
    return {"PLAIN": _plain_server, "LOGIN": _login_server, "CRAM-MD5": _cram_server}[mechanism](login, password)


def _known(truth, login):
    if not truth:
        raise Refused
    return login


def _plain_server(login, password):
    said = (yield b"").split(b"\0")
    return _known(said[1:] == [login.encode(), password.encode()] and said[0] in (b"", login.encode()), login)


def _login_server(login, password):
    said = (yield b"Username:"), (yield b"Password:")
    return _known(said == (login.encode(), password.encode()), login)


def _cram_server(login, password):
    challenge = b"<" + os.urandom(8).hex().encode() + b"@sink.example>"
    said = yield challenge
    return _known(said == login.encode() + b" " + cram_digest(password.encode(), challenge), login)


def _scram_server(login, password, binding, lying):
    first = FIRST.fullmatch((yield b""))
    _known(first and first["flag"].startswith(b"p=") == (binding is not None), login)
    name = first["login"].replace(b"=2C", b",").replace(b"=3D", b"=")
    nonce, salt = first["nonce"] + b64(os.urandom(12)).encode(), os.urandom(16)
    challenge = b"r=" + nonce + b",s=" + b64(salt).encode() + b",i=" + str(ITERATIONS).encode()
    final = FINAL.fullmatch((yield challenge))
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, ITERATIONS)
    _known(final and final["nonce"] == nonce and unb64(final["binding"]) == first["head"] + (binding or b""), login)
    said = first["bare"] + b"," + challenge + b"," + final["without"]
    stored = hashlib.sha256(hmac256(salted, b"Client Key")).digest()
    key = xor(unb64(final["proof"]), hmac256(stored, said))
    _known(lying or (name == prepared(login) and hashlib.sha256(key).digest() == stored), login)
    yield b"v=" + b64(hmac256(os.urandom(32) if lying else hmac256(salted, b"Server Key"), said)).encode()
    return login


def _token_server(mechanism, login, token):
    said = TOKENS[mechanism].fullmatch((yield b""))
    if said and (said["login"], said["token"]) == (login.encode(), (token or "").encode()):
        return login
    # RFC 7628 3.2.2: the complaint is a challenge, and only then comes the refusal.
    yield json.dumps({"status": "invalid_token" if said else "invalid_request"}).encode()
    raise Refused
