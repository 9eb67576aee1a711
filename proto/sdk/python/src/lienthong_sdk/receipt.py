"""The check of a receipt, offline: this request got this answer, and the log holds the record of it. As
lienthong/audit/v1/receipt.proto, RFC 6962 and the C2SP formats say.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError

from lienthong.audit.v1.receipt_pb2 import Receipt, SealedResponse

_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S{44})\n?")
_CHECKPOINT = re.compile(r"((.+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n)\n((?:— \S+ \S+\n)+)")
_CONTEXT = re.compile(r"(/.+)\n(.+)\n")
_LEAF_BYTES, _KEY_BYTES, _HASH_BYTES = 104, 32, 32


class ReceiptError(ValueError):
    """The receipt does not prove this answer to this request."""


@dataclass(frozen=True)
class Record:
    """What a receipt that holds proves was recorded."""

    method: str
    caller: str
    time: datetime
    index: int
    size: int


def verify(request: bytes, response: bytes, log_key: str) -> Record:
    """Checks the exact bytes of a request and of its response against the key of the log, which comes from
    a source that you trust, not with the response. Raises ReceiptError."""
    try:
        sealed = SealedResponse.FromString(response)  # both fields left as bytes: only they can be checked
        receipt = Receipt.FromString(sealed.receipt)
        size, root = _checkpoint(receipt.checkpoint, log_key)
        leaf = receipt.leaf
        _need(len(leaf) == _LEAF_BYTES and leaf[:16] == b"lienthong/leaf/1", "the leaf is malformed")
        _need(included(leaf, receipt.index, size, list(receipt.proof)) == root, "the proof does not lead to the root")
        _need(len(receipt.opening) > _KEY_BYTES, "the opening is malformed")
        outer_key, context = receipt.opening[:_KEY_BYTES], receipt.opening[_KEY_BYTES:]
        held = hmac.compare_digest(outer_commitment(outer_key, context, request, sealed.answer), leaf[40:72])
        _need(held, "the record is of other content")
        named = _CONTEXT.fullmatch(context.decode())
        _need(named, "the opening is malformed")
        time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int.from_bytes(leaf[16:24]))
        return Record(named[1], named[2], time, receipt.index, size)
    except (DecodeError, UnicodeDecodeError, OverflowError):
        raise ReceiptError("the response is malformed") from None


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return _sha256(b"\0" + leaf)


def outer_commitment(outer_key: bytes, context: bytes, request: bytes, answer: bytes) -> bytes:
    """What the leaf holds from offset 40, as receipt.proto defines it."""
    message = b"lienthong/outer/1\0" + _sha256(context) + _sha256(request) + _sha256(answer)
    return hmac.digest(outer_key, message, "sha256")


def included(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof leads to (RFC 9162, 2.1.3.2, on the tree of RFC 6962)."""
    _need(index < size, "the checkpoint is older than the record")
    node, at, last = leaf_hash(leaf), index, size - 1
    for sibling in proof:
        _need(last > 0 and len(sibling) == _HASH_BYTES, "the proof is malformed")
        node = _sha256(b"\1" + sibling + node) if at % 2 or at == last else _sha256(b"\1" + node + sibling)
        while at == last and at % 2 == 0:
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    _need(last == 0, "the proof is malformed")
    return node


def _checkpoint(note: str, log_key: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the log's key signed (C2SP tlog-checkpoint, signed-note)."""
    parts, text = _KEY.fullmatch(log_key), _CHECKPOINT.fullmatch(note)
    _need(parts, "the log's key is malformed")
    _need(text, "the checkpoint is malformed")
    (name, key_id, encoded), (body, origin, size, root, signatures) = parts.groups(), text.groups()
    key = _unbase64(encoded)
    of_its_id = len(key) == 33 and key[0] == 1 and _sha256(name.encode() + b"\n" + key)[:4].hex() == key_id
    _need(of_its_id, "the log's key is not of its id")
    lines = (line.split(" ")[1:] for line in signatures.removesuffix("\n").split("\n"))
    signed = [_unbase64(signature) for signer, signature in lines if signer == name]
    signed = [signature[4:] for signature in signed if signature[:4].hex() == key_id]  # others' do not count
    _need(signed and origin == name, "the checkpoint is not signed by the log's key")
    try:
        for signature in signed:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, body.encode())
    except InvalidSignature:
        raise ReceiptError("the signature is false") from None
    return int(size), _unbase64(root)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _need(holds: object, reason: str) -> None:
    if not holds:
        raise ReceiptError(reason)


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ReceiptError("base64 is malformed") from None
    _need(base64.b64encode(data).decode() == text, "base64 is not in its one form")
    return data
