"""The contract: who is let in, what is a good question, what is answered, and how a refusal is said. Everything runs on
one event loop, where a call that waits for its caller holds nothing but its own page (DB-11, DB-12, DB-14)."""
import asyncio
import hashlib
import logging
import re
import ssl
import traceback
import unicodedata
from contextlib import asynccontextmanager
from datetime import date
from typing import Iterable

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage
from google.rpc.status_pb2 import Status
from lienthong.database.v1 import database_service_pb2 as describe, database_service_pb2_grpc as describe_rpc
from lienthong.database.v1 import lookup_service_pb2 as lookup, lookup_service_pb2_grpc as lookup_rpc
from lienthong.database.v1 import source_service_pb2 as source, source_service_pb2_grpc as source_rpc
from lienthong.type.v1.outcome_pb2 import HeldValue, ItemOutcome
from lienthong.type.v1.value_pb2 import ItemValue

from store import DATABASE_ID, RETENTION, Refused, Store
from warrants import Warrants

PAGE_SIZE_MAX, QUERIES_MAX, ITEMS_MAX, WARRANT_BYTES_MAX = 500, 1000, 64, 4096
FOLLOW_SECONDS = 0.2  # how soon a stream that follows sees what another process committed
FAULTS_MAX = 64  # they travel in headers, of which common clients take 8 KiB

# What is held, with the list and version of codes (LKP-6).
CODES = {"sex": ("sex", "1"), "ethnic_group": ("ethnic-group", "gso-15172"),
         "nationality": ("nationality", "iso-3166-1")}
ITEMS = ["birth_full_name", "personal_id_number", "date_of_birth", "sex", "place_of_birth", "native_place",
         "birth_registration_place", "ethnic_group", "nationality", "family_relations", "death_or_missing_date"]

# The fields of a basis, and how long each may be.
BASIS = {"procedure": 64, "legal_basis": 64, "case_reference": 64, "acting_unit": 35, "officer": 35}
BASIS_OPTIONAL = {"consent_reference": 64, "direction_reference": 64}

ERRORS = {  # the reasons that this database gives, of proto/README.md
    "INVALID_REQUEST": ("INVALID_ARGUMENT", "Yêu cầu có trường không hợp lệ.", "The request has faulty fields."),
    "METHOD_NOT_ALLOWED": ("PERMISSION_DENIED", "Bên gọi không được dùng phương thức này.", "The method is not open."),
    "WARRANT_REFUSED": ("PERMISSION_DENIED", "Thiếu giấy phép truy vấn, hoặc giấy phép không cho phép câu hỏi này.",
                        "The warrant is missing, or does not allow this question."),
    "UNKNOWN_CURSOR": ("INVALID_ARGUMENT", "Con trỏ không do cơ sở dữ liệu này cấp.", "The cursor is unknown."),
    "CURSOR_EXPIRED": ("FAILED_PRECONDITION", "Các thay đổi sau con trỏ này không còn được lưu.", "Changes are gone."),
    "OVERLOADED": ("UNAVAILABLE", "Hệ thống đang quá tải hoặc đang dừng.", "The server is overloaded or stopping."),
    "INTERNAL": ("INTERNAL", "Lỗi của hệ thống.", "A fault of the system."),
}


async def refuse(context: grpc.aio.ServicerContext, refused: Refused) -> None:
    """DB-6: an error says its reason, to programs and to persons; DB-7: and every faulty field at once."""
    name, vi, en = ERRORS[refused.reason]
    code = grpc.StatusCode[name]
    status = Status(code=code.value[0], message=en)
    metadata = {"fault": refused.fault} if refused.fault else {}
    status.details.add().Pack(ErrorInfo(reason=refused.reason, domain="lienthong.gov.vn", metadata=metadata))
    status.details.add().Pack(LocalizedMessage(locale="vi-VN", message=vi))
    if refused.faults:
        faults = [{"field": field, "reason": fault} for field, fault in refused.faults[:FAULTS_MAX]]
        status.details.add().Pack(BadRequest(field_violations=faults))
    await context.abort(code, en, (("grpc-status-details-bin", status.SerializeToString()),))


# What is looked at in a question: a field, what may be wrong with it (a name of FieldFault), and whether it is.
Checks = Iterable[tuple[str, str, bool]]


def demand(*checks: Checks) -> None:
    faults = [(field, fault) for some in checks for field, fault, is_faulty in some if is_faulty]
    if faults:
        raise Refused("INVALID_REQUEST", faults)


def check_text(field: str, text: str, longest: int, required: bool = True) -> Checks:
    yield field, "MISSING", required and not text.strip()
    yield field, "TOO_LONG", len(text) > longest


def check_items(field: str, items: list[str], inner: str = "") -> Checks:
    yield field, "MISSING", not items
    yield field, "TOO_MANY", len(items) > ITEMS_MAX
    for place, item in enumerate(items[:ITEMS_MAX]):
        yield f"{field}[{place}]{inner}", "WILDCARD", "*" in item
        yield f"{field}[{place}]{inner}", "REPEATED", item in items[:place]
        yield from check_text(f"{field}[{place}]{inner}", item, 64)


def check_question(path: str, asked) -> Checks:
    """LKP-8: what every question about a person must have."""
    kind, number, claims = asked.subject.WhichOneof("subject"), asked.subject.personal_number, asked.claims
    yield path + "subject", "MISSING", not kind
    yield f"{path}subject.{kind}", "NOT_ALLOWED", kind in ("old_number", "token")
    yield path + "subject.personal_number", "MALFORMED", kind == "personal_number" and not is_number(number)
    yield from check_text(path + "claims.full_name", claims.full_name, 100, required=False)
    claimed = claims.HasField("date_of_birth")
    yield path + "claims.date_of_birth", "MALFORMED", claimed and not is_date(claims.date_of_birth)
    if asked.HasField("basis"):
        for name, longest in (BASIS | BASIS_OPTIONAL).items():
            yield from check_text(f"{path}basis.{name}", getattr(asked.basis, name), longest, name in BASIS)
        yield path + "basis.officer", "PERSONAL_NUMBER", is_number(asked.basis.officer)
    else:
        yield path + "basis", "MISSING", True
    yield from check_text(path + "request_id", asked.request_id, 40)
    yield path + "warrant", "TOO_LONG", len(asked.warrant) > WARRANT_BYTES_MAX


def is_number(text: str) -> bool:
    return re.fullmatch("[0-9]{12}", text) is not None


def is_date(day) -> bool:
    try:
        return 1800 <= date(day.year, day.month or 1, day.day or 1).year <= 2399 and bool(day.month or not day.day)
    except ValueError:
        return False


def folded(text: str) -> str:
    """The form in which names are compared: case, spacing and the place of the tone folded, marks kept. Hoà is HÒA and
    neither Hoa nor Hoá. The u of qu and the i of gi are of the consonant: quý has one place for its tone."""
    tone, mark = "[\u0300\u0301\u0303\u0309\u0323]", "[\u0300-\u036f]"
    text = re.sub("[\u200b-\u200f\u2060\ufeff\u00ad]", "", text).translate({0xD0: 0x110, 0xF0: 0x111})
    text = unicodedata.normalize("NFD", " ".join(text.split()).lower())
    text = re.sub(f"({tone})((?:(?!{tone}){mark})+)", r"\2\1", text)  # the tone last, however it was typed
    text = re.sub(f"(?<!q)(?<!gi)(o(?={tone}[ae])|u(?={tone}y))({tone})([aey])(?!{mark})", r"\1\3\2", text)
    return unicodedata.normalize("NFC", text)


# Of each type of value: what two must have in common to be comparable, and the parts that are compared.
COMPARED = {
    "name": lambda it: ((), (folded(it.full_name),)),
    "date": lambda it: ((), (it.year, it.month, it.day)),
    "coded": lambda it: ((it.code_system, it.code_system_version), (it.code,)),
    "identifier": lambda it: ((it.kind,), (it.value,)),
    "relation": lambda it: ((), (it.kind, folded(it.name.full_name), it.identifier.value)),
    "address": lambda it: ((it.units_version,), (folded(it.text), it.province_code, it.district_code, it.commune_code,
                                                 it.country_code)),
}


def compare(claimed: ItemValue, held: ItemValue) -> str:
    kind = held.WhichOneof("value")
    if claimed.WhichOneof("value") != kind:
        return "INDETERMINATE"
    (ours, claim), (theirs, value) = (COMPARED[kind](getattr(it, kind)) for it in (claimed, held))
    if ours == theirs and claim == value:
        return "MATCH"
    # A part that one of them lacks, such as the day, is no other one.
    apart = any(a and b and a != b for a, b in zip(claim, value))
    return "MISMATCH" if ours == theirs and apart else "INDETERMINATE"


def verdict(item: str, claimed: ItemValue, held: dict[str, list[HeldValue]]) -> str:
    """LKP-20. Of several values of an item, one that agrees is enough."""
    if item not in held:
        return "NOT_HELD" if item in ITEMS else "UNKNOWN_ITEM"
    said = [compare(claimed, it.value) for it in held[item]]
    return next(name for name in ("MATCH", "INDETERMINATE", "MISMATCH") if name in said)


def agree(claims, held: dict[str, list[HeldValue]]) -> bool:
    """Whether what is claimed agrees with the record; what is not claimed does."""
    claimed = {}
    if claims.full_name:
        claimed["birth_full_name"] = ItemValue(name={"full_name": claims.full_name})
    if claims.HasField("date_of_birth"):
        claimed["date_of_birth"] = ItemValue(date=claims.date_of_birth)
    return all(verdict(item, value, held) == "MATCH" for item, value in claimed.items())


def outcome(item: str, held: dict[str, list[HeldValue]]) -> ItemOutcome:
    if item not in ITEMS:
        return ItemOutcome(item=item, unknown_item={})  # LKP-5
    if item not in held:
        return ItemOutcome(item=item, not_held={})
    partial = any(it.value.HasField("date") and not it.value.date.day for it in held[item])
    return ItemOutcome(item=item, **{"partial" if partial else "value": {"values": held[item]}})


def thumbprint(context: grpc.aio.ServicerContext) -> bytes:
    """Of the certificate that the connection was made with: a warrant names who presents it (LKP-47)."""
    (pem,) = context.auth_context()["x509_pem_cert"]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).digest()


class CivilStatus(describe_rpc.DatabaseServiceServicer, source_rpc.SourceServiceServicer,
                  lookup_rpc.LookupServiceServicer):
    """DB-5: the role sink is not here, and the library answers for it."""

    SERVICES = [f"lienthong.database.v1.{name}Service" for name in ("Database", "Source", "Lookup")]

    def __init__(self, store: Store, allowed: set[str], warrants: Warrants):
        self.store, self.allowed, self.warrants, self.stopping = store, allowed, warrants, False

    def add_to(self, server: grpc.aio.Server) -> None:
        describe_rpc.add_DatabaseServiceServicer_to_server(self, server)
        source_rpc.add_SourceServiceServicer_to_server(self, server)
        lookup_rpc.add_LookupServiceServicer_to_server(self, server)

    @asynccontextmanager
    async def _admitted(self, context: grpc.aio.ServicerContext):
        try:
            names = context.auth_context().get("x509_subject_alternative_name", ())
            if self.allowed.isdisjoint(name.decode() for name in names):
                raise Refused("METHOD_NOT_ALLOWED")  # DB-3
            yield
        except Refused as refused:
            await refuse(context, refused)
        except Exception as error:  # its text may hold what it failed on, so only its kind and place are kept
            logging.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            await refuse(context, Refused("INTERNAL"))

    async def DescribeDatabase(self, request, context):  # DB-20 to DB-22; open to every good certificate
        answer = describe.DescribeDatabaseResponse(
            database_id=DATABASE_ID, owner_unit="Z01.DEMO.HOTICH", name="Cơ sở dữ liệu hộ tịch điện tử",
            contract_versions=["lienthong.database.v1"], roles=["DATABASE_ROLE_SOURCE", "DATABASE_ROLE_LOOKUP"],
            limits={"page_size_max": PAGE_SIZE_MAX, "retention": RETENTION, "queries_max": QUERIES_MAX},
            contact={"email": "ho-tich@example.test", "telephone": "0000000000"},
            environment="DATABASE_ENVIRONMENT_SYNTHETIC", software="civil-status example 1")
        for item in ITEMS:
            system, *versions = CODES.get(item, [""])
            answer.items.add(item=item, code_system=system, code_system_versions=versions)
        return answer

    async def ListChanges(self, request, context):
        async with self._admitted(context):
            demand([("page_size", "NOT_ALLOWED", request.page_size < 0)])  # SRC-22
            size = min(request.page_size or PAGE_SIZE_MAX, PAGE_SIZE_MAX)  # SRC-21
            changes, cursor, end = self.store.page(request.cursor, size)
            return source.ListChangesResponse(changes=changes, next_cursor=cursor, end_reached=end)

    async def StreamChanges(self, request, context):
        async with self._admitted(context):
            cursor, end = request.cursor, False
            while not end or request.follow:  # SRC-31
                changes, cursor, end = self.store.page(cursor, PAGE_SIZE_MAX)
                if changes:
                    # DB-14: goes on when the caller has taken it. SRC-32, DB-10: the library ends this coroutine here
                    # or in its sleep when the deadline passes or the caller is gone.
                    yield source.StreamChangesResponse(changes=changes, next_cursor=cursor)
                if self.stopping:
                    raise Refused("OVERLOADED")
                if end and request.follow:
                    await asyncio.sleep(FOLLOW_SECONDS)

    async def GetRecord(self, request, context):
        async with self._admitted(context):
            demand(check_question("", request), check_items("items", request.items))
            self.warrants.take([(request, request.items)], thumbprint(context))
            return self._record(request)

    async def VerifyRecord(self, request, context):
        async with self._admitted(context):
            claims = request.claimed_values
            empty = [(f"claimed_values[{place}].value", "MISSING", not claim.value.WhichOneof("value"))
                     for place, claim in enumerate(claims[:ITEMS_MAX])]
            items = check_items("claimed_values", [claim.item for claim in claims], ".item")
            demand(check_question("", request), items, empty)
            self.warrants.take([(request, [claim.item for claim in claims])], thumbprint(context))
            held, answer = self._about(request, lookup.VerifyRecordResponse())
            for claim in claims if held else ():
                said = f"RECORD_CLAIM_OUTCOME_{verdict(claim.item, claim.value, held)}"
                answer.results.add(item=claim.item, outcome=said)
            return answer

    async def StreamRecords(self, request, context):
        async with self._admitted(context):
            queries = request.queries
            checks = [("queries", "MISSING", not queries), ("queries", "TOO_MANY", len(queries) > QUERIES_MAX)]
            for place, query in enumerate(queries[:QUERIES_MAX]):
                checks += check_question(f"queries[{place}].", query)
                checks += check_items(f"queries[{place}].items", query.items)
            demand(checks)  # LKP-31
            self.warrants.take([(query, query.items) for query in queries], thumbprint(context))
            for query in queries:
                yield lookup.StreamRecordsResponse(record=self._record(query))  # LKP-30

    def _record(self, request):
        held, answer = self._about(request, lookup.GetRecordResponse())
        if held:
            answer.items.extend(outcome(item, held) for item in request.items)  # LKP-1
        return answer

    def _about(self, request, answer):
        """What is held of the person, and the answer's head. LKP-3, LKP-4: who is not known and whose claims differ are
        one; nothing is held of either."""
        held = self.store.held(request.subject.personal_number)
        held = held if agree(request.claims, held) else {}
        answer.outcome = lookup.RECORD_OUTCOME_MATCH if held else lookup.RECORD_OUTCOME_NO_MATCH
        answer.subject.personal_number = request.subject.personal_number  # LKP-2
        answer.request_id = request.request_id
        answer.answer_time.GetCurrentTime()
        return held, answer
