"""A connection to the published services as one caller."""
from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from lienthong.audit.v1.receipt_pb2 import Receipt, SealedResponse
from lienthong.contribution.v1 import contribution_service_pb2 as contribution
from lienthong.identity.v1 import identity_service_pb2 as identity
from lienthong_sdk.errors import Refused
from lienthong_sdk.receipt import ReceiptError, Record, verify

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True)
class Method(Generic[Answer]):
    """A method whose response is `{ answer = 1; receipt = 2 }`."""

    path: str
    answer: type[Answer]


def _method(service, name: str, answer: type[Answer]) -> Method[Answer]:
    return Method(f"/{service.full_name}/{name}", answer)


_IDENTITY = identity.DESCRIPTOR.services_by_name["IdentityService"]
_CONTRIBUTION = contribution.DESCRIPTOR.services_by_name["ContributionService"]
GET_PERSON = _method(_IDENTITY, "GetPerson", identity.GetPersonAnswer)
VERIFY_CLAIMS = _method(_IDENTITY, "VerifyClaims", identity.VerifyClaimsAnswer)
SUBMIT_CONTRIBUTION = _method(_CONTRIBUTION, "SubmitContribution", contribution.ContributionReceipt)


@dataclass(frozen=True, repr=False)
class Answered(Generic[Answer]):
    """A call that was answered. Keep `request` and `response`: they are the exact bytes that the receipt
    proves, and the same messages serialised again may be others. They hold personal data."""

    method: Method[Answer]
    request: bytes
    response: bytes
    answer: Answer
    receipt: Receipt

    @classmethod
    def from_wire(cls, method: Method[Answer], request: bytes, response: bytes) -> Answered[Answer]:
        """From bytes that were kept."""
        sealed = SealedResponse.FromString(response)
        answer, receipt = method.answer.FromString(sealed.answer), Receipt.FromString(sealed.receipt)
        return cls(method, request, response, answer, receipt)

    def verify(self, log_key: str) -> Record:
        """Checks the receipt offline, against the key of the log. Raises ReceiptError."""
        record = verify(self.request, self.response, log_key)
        if record.method != self.method.path:
            raise ReceiptError("the record is of another method")
        return record

    def __repr__(self) -> str:
        return f"<answer of {self.method.path}, record {self.receipt.index}>"


class Client:
    """A caller of the published services: `ca`, `certificate` and `key` are PEM files. `server_name` is the
    name in the server's certificate, where it is not that of the endpoint. `timeout`, in seconds, is the
    deadline of a call that names none, attempts and pauses included.

    Calls raise Refused. Safe for use by many threads. Use it in a `with` statement, or close it.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        ca: str | Path,
        certificate: str | Path,
        key: str | Path,
        server_name: str | None = None,
        timeout: float = 30,
    ):
        ca_pem, key_pem, certificate_pem = (Path(file).read_bytes() for file in (ca, key, certificate))
        options = [("grpc.service_config", files("lienthong_sdk").joinpath("service_config.json").read_text("utf-8"))]
        if server_name is not None:
            options.append(("grpc.ssl_target_name_override", server_name))
        tls = grpc.ssl_channel_credentials(ca_pem, key_pem, certificate_pem)
        self._timeout = timeout
        # For the generated stubs: whatever is not here.
        self.channel = grpc.secure_channel(endpoint, tls, options)

    def get_person(
        self, request: identity.GetPersonRequest, timeout: float | None = None
    ) -> Answered[identity.GetPersonAnswer]:
        """Looks a person up."""
        return self.call(GET_PERSON, request.SerializeToString(), timeout)

    def verify_claims(
        self, request: identity.VerifyClaimsRequest, timeout: float | None = None
    ) -> Answered[identity.VerifyClaimsAnswer]:
        """Holds claimed values against the register."""
        return self.call(VERIFY_CLAIMS, request.SerializeToString(), timeout)

    def submit_contribution(
        self, request: contribution.SubmitContributionRequest, timeout: float | None = None
    ) -> Answered[contribution.ContributionReceipt]:
        """Submits one event. To be able to repeat it, keep `request.SerializeToString()` and use `call`."""
        return self.call(SUBMIT_CONTRIBUTION, request.SerializeToString(), timeout)

    def call(self, method: Method[Answer], request: bytes, timeout: float | None = None) -> Answered[Answer]:
        """Sends exactly these bytes."""
        send = self.channel.unary_unary(method.path, request_serializer=None, response_deserializer=None)
        try:
            response = send(request, timeout=self._timeout if timeout is None else timeout)
            return Answered.from_wire(method, request, response)
        except grpc.RpcError as error:
            raise Refused(error.code(), error.details() or "", error.trailing_metadata() or ()) from None
        except DecodeError:
            raise Refused(grpc.StatusCode.INTERNAL, "the response is malformed") from None

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
