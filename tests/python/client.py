"""A caller of the published services, as an agency writes one: the stubs that grpcio-tools generates
from proto/, mutual TLS, a deadline on every call, refusals as values, and receipts that can be checked.
"""
from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from lienthong.audit.v1.receipt_pb2 import Receipt, SealedResponse
from lienthong.identity.v1 import identity_service_pb2
from lienthong.identity.v1.identity_service_pb2 import GetPersonAnswer, GetPersonRequest
from lienthong.type.v1.request_signature_pb2 import RequestSignature

GET_PERSON = "/{}/GetPerson".format(identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"].full_name)


@dataclass
class Answered:
    """A call that was answered, with the bytes as they went over the wire. Only they can be checked:
    the same message serialised again may be other bytes."""

    request_bytes: bytes
    answer_bytes: bytes
    answer: GetPersonAnswer
    receipt: Receipt

    @classmethod
    def from_wire(cls, request: bytes, response: bytes) -> Answered:
        sealed = SealedResponse.FromString(response)  # the same wire format, with both fields left as bytes
        answer, receipt = GetPersonAnswer.FromString(sealed.answer), Receipt.FromString(sealed.receipt)
        return cls(request, sealed.answer, answer, receipt)

    def proof_text(self) -> str:
        """The receipt's proof as a C2SP tlog-proof."""
        hashes = "".join(base64.b64encode(h).decode() + "\n" for h in self.receipt.proof)
        return f"c2sp.org/tlog-proof@v1\nindex {self.receipt.index}\n{hashes}\n{self.receipt.checkpoint}"

    def evidence(self) -> tuple[bytes, bytes, bytes, bytes, str]:
        """Everything that verify.py asks for, except the log's key."""
        return self.request_bytes, self.answer_bytes, self.receipt.leaf, self.receipt.opening, self.proof_text()

    def save(self, folder: Path) -> None:
        """Keeps the evidence as the files that `verify.py` and `lienthong audit verify` read. They hold
        personal data, and the opening lets whoever has it link the record to them."""
        request, answer, leaf, opening, proof = self.evidence()
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in {"request": request, "answer": answer, "leaf": leaf, "opening": opening}.items():
            (folder / f"{name}.bin").write_bytes(data)
        (folder / "receipt.tlog-proof").write_bytes(proof.encode())


class Refused(Exception):
    """A call that was refused. Programs act on `code` and `reason`, people read `vi` or `en`."""

    def __init__(self, error: grpc.RpcError):
        self.code: grpc.StatusCode = error.code()
        self.en: str = error.details()
        self.reason = self.domain = self.vi = ""
        self.metadata: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        status = rpc_status.from_call(error)  # None where it never came from the service
        for detail in status.details if status else ():
            if (info := _unpacked(detail, error_details_pb2.ErrorInfo)) is not None:
                self.reason, self.domain, self.metadata = info.reason, info.domain, dict(info.metadata)
            elif (message := _unpacked(detail, error_details_pb2.LocalizedMessage)) is not None:
                self.vi = message.message if message.locale == "vi-VN" else self.vi
            elif (bad := _unpacked(detail, error_details_pb2.BadRequest)) is not None:
                self.fields = {fault.field: fault.description for fault in bad.field_violations}
        super().__init__(f"{self.code.name} {self.reason}: {self.vi} / {self.en} {self.fields or ''}".rstrip())


def _unpacked(detail, kind):
    message = kind()
    return message if detail.Unpack(message) else None


def signature(method: str, request: bytes, key_pem: bytes, certificate_pem: bytes) -> tuple[str, bytes]:
    """The metadata by which a caller signs a request, with its key of P-256 (proto/README.md, Sign your requests)."""
    H = lambda data: hashlib.sha256(data).digest()
    key = serialization.load_pem_private_key(key_pem, None)
    certificate = x509.load_pem_x509_certificate(certificate_pem).public_bytes(serialization.Encoding.DER)
    signed = key.sign(b"lienthong/request/1\0" + H(method.encode()) + H(request), ec.ECDSA(hashes.SHA256()))
    one = RequestSignature(algorithm="ecdsa-p256-sha256", certificate_thumbprint=H(certificate), signature=signed)
    return "lienthong-signature-bin", one.SerializeToString()


class Client:
    """A connection to the published services as one caller. Use it in a `with` statement."""

    def __init__(self, endpoint: str, server_name: str, ca: bytes, key: bytes, certificate: bytes):
        self._key, self._certificate = key, certificate
        tls = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=certificate)
        # The name that the server's certificate must carry, where it is not that of the endpoint.
        self.channel = grpc.secure_channel(endpoint, tls, [("grpc.ssl_target_name_override", server_name)])
        # Bytes in, bytes out: a receipt proves bytes.
        self._get_person = self.channel.unary_unary(GET_PERSON, request_serializer=None, response_deserializer=None)

    @classmethod
    def of_demo(cls, demo: dict, caller: str) -> Client:
        """A caller of a running demonstration."""
        files = (demo["ca"], demo["callers"][caller]["key"], demo["callers"][caller]["certificate"])
        return cls(demo["endpoint"], demo["server_name"], *(Path(file).read_bytes() for file in files))

    def sign(self, method: str, request: bytes) -> tuple[str, bytes]:
        """The metadata by which this caller signs a request."""
        return signature(method, request, self._key, self._certificate)

    def get_person(self, request: GetPersonRequest, timeout: float = 5, signed: bool = False) -> Answered:
        """Looks a person up, by a signed request or not. Raises `Refused`."""
        request_bytes = request.SerializeToString()
        metadata = [self.sign(GET_PERSON, request_bytes)] if signed else []
        try:
            response = self._get_person(request_bytes, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise Refused(error) from None
        return Answered.from_wire(request_bytes, response)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


def load_demo(path: Path) -> dict:
    """What `lienthong demo` writes: endpoint, CA, callers, subjects."""
    return json.loads(path.read_text("utf-8"))
