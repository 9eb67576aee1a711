"""Refusals as values, out of the details of google.rpc.Status that every error carries."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "lienthong.gov.vn"


@dataclass(frozen=True)
class FieldFault:
    """What is wrong with one field of the request; `reason` is a name of FieldFault without its prefix."""

    field: str
    reason: str
    vi: str
    description: str


@dataclass(frozen=True)
class Rejection:
    """Why the register rejected a contribution; `reason` is a name of RejectionReason without its prefix,
    `subject` the item, or empty where the whole is meant."""

    reason: str
    subject: str
    description: str


class Refused(Exception):
    """A call that was not answered. Programs act on `code` and `reason`, people read `vi` or `en`.

    `reason` is a name of ErrorReason without its prefix, and empty where the error is none of the service:
    no connection, a deadline that passed here, a proxy between. It holds nothing of the request.
    """

    def __init__(self, code: grpc.StatusCode, en: str, metadata: Iterable[tuple[str, str | bytes]] = ()):
        self.code, self.en = code, en
        self.reason = self.vi = ""
        self.metadata: dict[str, str] = {}
        self.fields: list[FieldFault] = []
        self.rejections: list[Rejection] = []
        self.retry_after: timedelta | None = None
        for detail in _details(metadata):
            self._take(detail)
        if self.retry_after is None and (seconds := self.metadata.get("retry_after_seconds", "")).isdecimal():
            self.retry_after = timedelta(seconds=int(seconds))
        text = f"{self.code.name} {self.reason}".rstrip() + ": " + " / ".join(filter(None, (self.vi, self.en)))
        faults = [f"{fault.field} {fault.reason}" for fault in self.fields]
        faults += [f"{rejection.subject} {rejection.reason}".lstrip() for rejection in self.rejections]
        super().__init__(f"{text} ({', '.join(faults)})" if faults else text)

    @property
    def record_index(self) -> int | None:
        """Where the refusal is recorded in the access log, if it is."""
        index = self.metadata.get("record_index", "")
        return int(index) if index.isdecimal() else None

    @property
    def rule(self) -> str:
        """The rule that refused, if one did."""
        return self.metadata.get("rule", "")

    @property
    def article(self) -> str:
        """The article that the refusal rests on, as cited, if it rests on one."""
        return self.metadata.get("article", "")

    def _take(self, detail) -> None:
        if (info := _unpacked(detail, error_details_pb2.ErrorInfo)) is not None:
            if info.domain == DOMAIN:
                self.reason, self.metadata = info.reason, dict(info.metadata)
        elif (message := _unpacked(detail, error_details_pb2.LocalizedMessage)) is not None:
            self.vi = message.message if message.locale == "vi-VN" else self.vi
        elif (bad := _unpacked(detail, error_details_pb2.BadRequest)) is not None:
            self.fields = [
                FieldFault(fault.field, fault.reason, fault.localized_message.message, fault.description)
                for fault in bad.field_violations
            ]
        elif (unmet := _unpacked(detail, error_details_pb2.PreconditionFailure)) is not None:
            self.rejections = [Rejection(v.type, v.subject, v.description) for v in unmet.violations]
        elif (retry := _unpacked(detail, error_details_pb2.RetryInfo)) is not None:
            self.retry_after = retry.retry_delay.ToTimedelta()


def _details(metadata: Iterable[tuple[str, str | bytes]]) -> list:
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _unpacked(detail, kind):
    message = kind()
    try:
        return message if detail.Unpack(message) else None
    except DecodeError:
        return None
