"""Warrants: what the policy service signs, and this database checks by itself (LKP-40 to LKP-53). Nothing here knows gRPC."""
import base64
import hashlib
import hmac
import json
import re
import time
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from store import DATABASE_ID, Refused, Store

TYPE, SKEW, LIFE_MAX, OPENING_BYTES = "lienthong-warrant+jwt", 5, 300, 32


def unbase64(text: str) -> bytes:
    """base64url without padding, in its one form; a ValueError otherwise."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text):
        raise ValueError("another alphabet")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("bits are left over")
    return data


def unique(pairs: list) -> dict:
    """A JSON object in which nothing stands twice."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def parse(part: str) -> dict:
    said = json.loads(unbase64(part), object_pairs_hook=unique)
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said


def same(text, expected: bytes) -> bool:
    return isinstance(text, str) and hmac.compare_digest(unbase64(text), expected)


class Warrants:
    """The keys of the JWKS file, which is read again when a warrant names another one; and what may be told by a warrant."""

    def __init__(self, issuer: str, keys: str | Path | None, store: Store):
        self._issuer, self._path, self._store, self._keys = issuer, keys, store, {}
        self._read()

    def take(self, questions: list[tuple], holder: bytes) -> None:
        """Takes the warrants of all questions, each once (LKP-48), or of none."""
        ids = [self._check(question, items, holder) for question, items in questions]
        if not self._store.take_warrants(ids):
            raise Refused("WARRANT_REFUSED", fault="replayed")

    def _check(self, question, items: list[str], holder: bytes) -> tuple[str, int]:
        """The id of a question's warrant, and the second from which on it may be forgotten."""
        if not question.warrant:
            raise Refused("WARRANT_REFUSED", fault="missing")  # LKP-40
        try:
            claims = self._signed(question.warrant.decode("ascii"))
            begin, end, now = claims["nbf"], claims["exp"], time.time()
            commitment = hmac.digest(question.warrant_opening, b"lienthong/warrant-subject/1\0"
                                     + question.subject.personal_number.encode(), "sha256")
            faults = {
                "malformed": type(begin) is not int or type(end) is not int or not isinstance(claims["jti"], str),
                "issuer": claims["iss"] != self._issuer,  # LKP-46
                "audience": claims["aud"] != DATABASE_ID,
                "holder": not same(claims["cnf"]["x5t#S256"], holder),  # LKP-47
                "life": not 0 < end - begin <= LIFE_MAX,  # LKP-44
                "not-yet": now + SKEW < begin,  # LKP-45
                "expired": now - SKEW >= end,
                "subject": len(question.warrant_opening) != OPENING_BYTES or not same(claims["subject"], commitment),
                "items": not isinstance(claims["items"], list) or not set(items) <= set(claims["items"]),  # LKP-50
                "ground": (claims["procedure"], claims["legal_basis"]) != (question.basis.procedure,
                                                                         question.basis.legal_basis),  # LKP-51
            }
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused("WARRANT_REFUSED", fault="malformed") from None  # LKP-42
        for fault, holds in faults.items():
            if holds:
                raise Refused("WARRANT_REFUSED", fault=fault)
        return claims["jti"], end + SKEW

    def _signed(self, warrant: str) -> dict:
        header, claims, signature = warrant.split(".")
        head = parse(header)
        if head.get("alg") != "EdDSA" or head.get("typ") != TYPE or "crit" in head:
            raise Refused("WARRANT_REFUSED", fault="algorithm")  # LKP-43: the header does not choose
        if head.get("kid") not in self._keys:
            self._read()
        if head.get("kid") not in self._keys:
            raise Refused("WARRANT_REFUSED", fault="unknown-key")  # LKP-41
        try:
            self._keys[head["kid"]].verify(unbase64(signature), f"{header}.{claims}".encode())
        except InvalidSignature:
            raise Refused("WARRANT_REFUSED", fault="signature") from None
        return parse(claims)

    def _read(self) -> None:
        if not self._path:
            return
        for jwk in json.loads(Path(self._path).read_text("utf-8"))["keys"]:
            if (jwk["kty"], jwk.get("crv")) == ("OKP", "Ed25519"):
                named = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
                kid = base64.urlsafe_b64encode(hashlib.sha256(named.encode()).digest()).rstrip(b"=").decode()
                self._keys[kid] = Ed25519PublicKey.from_public_bytes(unbase64(jwk["x"]))
