"""The other side of a warrant, for whoever tries this database: a key of one's own signs what the policy service would sign.

    python sealing.py KEY > keys.json       makes a key, and prints the JWKS that the database is told to trust
"""
import base64
import hashlib
import hmac
import json
import os
import secrets
import ssl
import sys
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(said: dict) -> str:
    return base64url(json.dumps(said).encode())


def published(key: Ed25519PrivateKey) -> dict:
    """The public part of a key as a JWK, under its thumbprint (RFC 7638)."""
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public)}
    named = json.dumps(jwk, separators=(",", ":")).encode()
    return jwk | {"use": "sig", "alg": "EdDSA", "kid": base64url(hashlib.sha256(named).digest())}


class Sealer:
    """Puts a warrant into questions that a certificate presents."""

    def __init__(self, key: Ed25519PrivateKey, certificate: str, audience="civil-status"):
        self.key, self.audience = key, audience
        self.holder = base64url(hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest())

    def seal(self, question, header=None, **other):
        """Signs a warrant for what the question asks, with other claims and another header where they are given."""
        question.warrant_opening = secrets.token_bytes(32)
        number = question.subject.personal_number.encode()
        subject = hmac.digest(question.warrant_opening, b"lienthong/warrant-subject/1\0" + number, "sha256")
        items = getattr(question, "items", None) or [it.item for it in getattr(question, "claimed_values", ())]
        claims = {
            "iss": "spiffe://lienthong.test/service/policy", "aud": self.audience, "cnf": {"x5t#S256": self.holder},
            "caller": "spiffe://lienthong.test/agency/Z02.DEMO.BHXH/system/bhyt", "jti": secrets.token_hex(16),
            "subject": base64url(subject), "items": list(items), "procedure": question.basis.procedure,
            "legal_basis": question.basis.legal_basis, "decision": "d", "intent": {"index": 0, "leaf": base64url(bytes(32))},
            "nbf": int(time.time()), "exp": int(time.time()) + 60,
        } | other
        head = {"alg": "EdDSA", "typ": "lienthong-warrant+jwt", "kid": published(self.key)["kid"]} | (header or {})
        signed = f"{encode(head)}.{encode(claims)}"
        question.warrant = f"{signed}.{base64url(self.key.sign(signed.encode()))}".encode()
        return question


def load(path: str) -> Ed25519PrivateKey:
    with open(path, "rb") as file:
        return serialization.load_pem_private_key(file.read(), None)


if __name__ == "__main__":
    (path,) = sys.argv[1:]
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    print(json.dumps({"keys": [published(key)]}))
