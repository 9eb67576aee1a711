"""The SDK against a running demonstration: live.py DEMO_JSON STRANGER_FOLDER UNWILLING_ENDPOINT

STRANGER_FOLDER holds a certificate of another CA: ca.pem, stranger.pem, stranger.key; live/unwilling.py serves
at UNWILLING_ENDPOINT. Ends with 1 at the first thing that is not as it should be.
"""
from __future__ import annotations

import json
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

from grpc import StatusCode

from lienthong.contribution.v1 import contribution_service_pb2 as contribution
from lienthong.identity.v1 import identity_service_pb2 as identity
from lienthong_sdk import SUBMIT_CONTRIBUTION, Answered, Client, ReceiptError, Refused, verify

demo_json, stranger, unwilling = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
demo = json.loads(demo_json.read_text("utf-8"))
log_key = Path(demo["log_key"]).read_text("utf-8")


def client(caller: str, **other) -> Client:
    me = demo["callers"][caller]
    options = {"ca": demo["ca"], "certificate": me["certificate"], "key": me["key"], "server_name": demo["server_name"]}
    options |= other
    return Client(options.pop("endpoint", demo["endpoint"]), **options)


def subject(kind: str) -> dict:
    return next(subject for subject in demo["subjects"] if subject["kind"] == kind)


def about(person: dict) -> dict:
    claims = {"full_name": person["full_name"], "date_of_birth": person["date_of_birth"]}
    return {"subject": {"personal_number": person["personal_number"]}, "claims": claims}


def lookup(request_id: str = "live-1") -> identity.GetPersonRequest:
    basis = demo["callers"]["social-insurance"]["basis"]
    items = ["birth_full_name", "date_of_birth", "ethnic_group"]
    return identity.GetPersonRequest(**about(subject("child")), items=items, basis=basis, request_id=request_id)


def birth(entry: str, key: str) -> contribution.SubmitContributionRequest:
    today = datetime.now(timezone(timedelta(hours=7))).date()
    today = {"year": today.year, "month": today.month, "day": today.day}
    place = {"text": "Phường Giả Định, Hà Nội", "province_code": "01", "units_version": "2025"}
    coded = lambda system, version, code: {"code_system": system, "code_system_version": version, "code": code}
    return contribution.SubmitContributionRequest(
        idempotency_key=key,
        basis=demo["callers"]["civil-status"]["basis"],
        request_id="live-2",
        birth={
            "entry_number": entry,
            "registration_date": today,
            "registration_place_code": "990",
            "registration_place": place | {"commune_code": "00001"},
            "full_name": {"full_name": "Nguyễn Giả Định Thử Nghiệm"},
            "date_of_birth": today,
            "sex": coded("sex", "1", "1"),
            "place_of_birth": place,
            "native_place": place,
            "ethnic_group": coded("ethnic-group", "gso-15172", "01"),
            "nationality": coded("nationality", "iso-3166-1", "VN"),
        },
    )


def need(holds: object, what: str) -> None:
    if not holds:
        sys.exit(f"python live: {what}")


def refused(call) -> Refused:
    try:
        call()
    except Refused as refused:
        return refused
    sys.exit("python live: answered what should be refused")


def refuses_every_changed_byte(answered: Answered) -> None:
    evidence = [answered.request, answered.response, log_key.encode()]
    for part, data in enumerate(evidence):
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << at % 7
            other = [*evidence[:part], bytes(changed), *evidence[part + 1 :]]
            try:
                verify(other[0], other[1], other[2].decode())
            except ReceiptError:
                continue
            need(False, f"a receipt holds with byte {at} of part {part} changed")


def looks_up() -> None:
    with client("social-insurance") as me:
        answered = me.get_person(lookup())
    need(answered.answer.outcome == identity.LOOKUP_OUTCOME_MATCH, "the child is not found")
    name, _, withheld = answered.answer.items
    need(name.value.values[0].value.name.full_name == subject("child")["full_name"], "another name")
    need(withheld.withheld.article == "Decision 1911/QD-TTg, Art. 2(1)", "withheld without its article")
    record = answered.verify(log_key)
    need(record.caller == demo["callers"]["social-insurance"]["spiffe_id"], "another caller")
    need(record.index == answered.receipt.index, "another index")
    kept = Answered.from_wire(answered.method, answered.request, answered.response)
    need(kept.verify(log_key) == record, "kept bytes say something else")
    need(subject("child")["personal_number"] not in repr(answered), "repr holds the person")
    refuses_every_changed_byte(answered)


def verifies_claims() -> None:
    person = subject("adult")
    values = [
        {"item": "date_of_birth", "value": {"date": person["date_of_birth"]}},
        {"item": "religion", "value": {"text": "x"}},
    ]
    basis = demo["callers"]["portal"]["basis"]
    request = identity.VerifyClaimsRequest(**about(person), claimed_values=values, basis=basis, request_id="live-3")
    with client("portal") as me:
        answered = me.verify_claims(request)
    outcomes = [result.outcome for result in answered.answer.results]
    need(outcomes == [identity.CLAIM_OUTCOME_MATCH, identity.CLAIM_OUTCOME_DENIED], f"claims: {outcomes}")
    answered.verify(log_key)


def contributes() -> None:
    entry, key = uuid.uuid4().hex, str(uuid.uuid4())
    with client("civil-status") as me:
        first = me.submit_contribution(birth(entry, key))
        need(first.answer.state == contribution.CONTRIBUTION_STATE_APPLIED, "not applied")
        need(first.answer.personal_number.startswith("990"), "no fictional number was issued")
        first.verify(log_key)
        again = me.call(SUBMIT_CONTRIBUTION, first.request)
        need(again.response == first.response, "sent again, another answer or another receipt")
        twice = refused(lambda: me.submit_contribution(birth(entry, str(uuid.uuid4()))))
        need((twice.code, twice.reason) == (StatusCode.FAILED_PRECONDITION, "CONTRIBUTION_REJECTED"), str(twice))
        need([r.reason for r in twice.rejections] == ["ALREADY_REGISTERED"], str(twice))
        reused = refused(lambda: me.submit_contribution(birth(uuid.uuid4().hex, key)))
        need((reused.code, reused.reason) == (StatusCode.ALREADY_EXISTS, "KEY_REUSED"), str(reused))
    refuses_every_changed_byte(first)


def decodes_refusals() -> None:
    with client("former") as me:
        ended = refused(lambda: me.get_person(lookup()))
    need((ended.code, ended.reason) == (StatusCode.PERMISSION_DENIED, "CONNECTION_NOT_ACTIVE"), str(ended))
    need(ended.article == "Decree 70/2024/ND-CP, Art. 7(2)" and ended.record_index is not None, "no article, no record")
    need(ended.vi == "Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt.", ended.vi)
    need(ended.en == "The connection is absent, suspended or ended.", ended.en)
    bad = lookup()
    bad.subject.personal_number = "99832660362"
    bad.claims.date_of_birth.month = 13
    for name in ("items", "basis", "request_id"):
        bad.ClearField(name)
    with client("social-insurance") as me:
        faulty = refused(lambda: me.get_person(bad))
    need((faulty.code, faulty.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), str(faulty))
    named = {fault.field: fault.reason for fault in faulty.fields}
    missing = {name: "MISSING" for name in ("items", "basis", "request_id")}
    malformed = {name: "MALFORMED" for name in ("subject.personal_number", "claims.date_of_birth")}
    need(named == missing | malformed, f"{named}")
    need(all(fault.vi and fault.description for fault in faulty.fields), "a fault without words")
    need("99832660362" not in str(faulty), "an error repeats a value")


def knows_no_stranger() -> None:
    theirs = {"certificate": stranger / "stranger.pem", "key": stranger / "stranger.key"}
    for what, other in {"certificate": theirs, "server": {"ca": stranger / "ca.pem"}}.items():
        with client("social-insurance", **other) as me:
            error = refused(lambda: me.get_person(lookup()))
        need((error.code, error.reason) == (StatusCode.UNAVAILABLE, ""), f"a stranger's {what}: {error}")


def keeps_deadlines() -> None:
    with client("social-insurance") as me:
        need(refused(lambda: me.get_person(lookup(), timeout=0.001)).code == StatusCode.DEADLINE_EXCEEDED, "1 ms")
    with client("social-insurance", timeout=0.001) as me:
        need(refused(lambda: me.get_person(lookup())).code == StatusCode.DEADLINE_EXCEEDED, "1 ms by default")


def tries_again() -> None:
    with client("social-insurance", endpoint=unwilling) as me:
        need(me.get_person(lookup("third-time")).answer.request_id == "third-time", "no third time")
        never = refused(lambda: me.get_person(lookup("never")))
        malformed = refused(lambda: me.get_person(lookup("malformed")))
    need((never.code, never.reason, never.metadata["attempt"]) == (StatusCode.UNAVAILABLE, "OVERLOADED", "5"), str(never))
    need(never.retry_after == timedelta(seconds=7), f"{never.retry_after}")
    need((malformed.code, malformed.reason) == (StatusCode.INTERNAL, ""), str(malformed))


for part in (looks_up, verifies_claims, contributes, decodes_refusals, knows_no_stranger, keeps_deadlines, tries_again):
    part()
    print(f"python live: {part.__name__.replace('_', ' ')}")
