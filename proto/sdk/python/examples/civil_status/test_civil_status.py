"""Starts the database of this folder and holds it against the rules of lienthong.database.v1, from outside.

    python test_civil_status.py BINARY      with the stubs on PYTHONPATH; BINARY is lienthong, for certificates
"""
import json
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from lienthong.database.v1 import database_service_pb2 as describe, database_service_pb2_grpc as describe_rpc
from lienthong.database.v1 import lookup_service_pb2 as lookup, lookup_service_pb2_grpc as lookup_rpc
from lienthong.database.v1 import source_service_pb2 as source, source_service_pb2_grpc as source_rpc
from lienthong.type.v1.access_pb2 import AccessBasis, Claims
from lienthong.type.v1.error_reason_pb2 import ErrorReason
from lienthong.type.v1.value_pb2 import CodedValue, ItemValue, PartialDate, PersonName

import sealing
import service
import store
import synthetic

HERE, BINARY = Path(__file__).parent, sys.argv[1] if len(sys.argv) > 1 else ""
READER, POPULATION, RETENTION = "spiffe://lienthong.test/service/all", 300, timedelta(days=365)
BASIS = AccessBasis(procedure="civil-status-correction", legal_basis="1911-2021-art-2-3", case_reference="T-1",
                    acting_unit="Z02.DEMO.BHXH", officer="can-bo-02")
PACKAGE = "/lienthong.database.v1."


class Database:
    """The database as a process, and its files."""

    def __init__(self, folder: Path):
        self.folder, self.process = folder, None
        for authority in ("ca", "elsewhere"):
            self.pki("init", "--dir", folder / authority)
            self.pki("issue", "--dir", folder / authority, "--name", "reader", "--service", "all")
        issue = ("issue", "--dir", folder / "ca", "--agency")
        self.pki(*issue, "Z01.DEMO.HOTICH", "--system", "ho-tich", "--name", "database")
        self.pki(*issue, "Z02.DEMO.BHXH", "--system", "bhyt", "--name", "stranger")
        self.keys = folder / "warrant-keys.json"
        made = subprocess.run([sys.executable, HERE / "sealing.py", folder / "warrant.key"], check=True, stdout=subprocess.PIPE)
        self.keys.write_bytes(made.stdout)
        self.sealer = sealing.Sealer(sealing.load(folder / "warrant.key"), (folder / "ca/reader.pem").read_text())
        self.books = folder / "civil-status.sqlite"
        populate = [HERE / "synthetic.py", self.books, str(POPULATION), folder / "fixtures.toml"]
        subprocess.run([sys.executable, *populate], check=True)

    @staticmethod
    def pki(*args) -> None:
        subprocess.run([BINARY, "pki", *map(str, args)], check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        ca = self.folder / "ca"
        args = {"listen": "127.0.0.1:0", "database": self.books, "ca": ca / "ca.pem",
                "certificate": ca / "database.pem", "key": ca / "database.key", "allow": READER,
                "warrant-keys": self.keys}
        command = [sys.executable, HERE / "server.py", *(f"--{name}={value}" for name, value in args.items())]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.endpoint = json.loads(self.process.stdout.readline())["endpoint"]
        self.channel = self.connect()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(5)
        self.process.stdout.close()
        self.channel.close()
        return code

    def connect(self, name="reader", authority="ca") -> grpc.Channel:
        read = lambda file: (self.folder / file).read_bytes()
        pair = (read(f"{authority}/{name}.key"), read(f"{authority}/{name}.pem")) if name else (None, None)
        return grpc.secure_channel(self.endpoint, grpc.ssl_channel_credentials(read("ca/ca.pem"), *pair))

    def tls(self, version=None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self.folder / "ca/ca.pem")
        context.load_cert_chain(self.folder / "ca/reader.pem", self.folder / "ca/reader.key")
        context.set_alpn_protocols(["h2"])
        if version:
            context.minimum_version = context.maximum_version = version
        host, port = self.endpoint.split(":")
        return context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=host)


class Refusal:
    """A refused call."""

    def __init__(self, call):
        try:
            answer = call()
            raise AssertionError(f"answered: {list(answer) if hasattr(answer, '__next__') else answer}")
        except grpc.RpcError as error:
            self.code, self.reason, self.domain, self.vi, self.faults = error.code().name, "", "", "", {}
            self.fault = ""
            metadata = dict(error.trailing_metadata() or ())
        for detail in status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b"")).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                self.reason, self.domain, self.fault = info.reason, info.domain, info.metadata.get("fault", "")
            elif detail.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR):
                self.vi = error_details_pb2.LocalizedMessage.FromString(detail.value).message
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest.FromString(detail.value)
                self.faults = {fault.field: fault.reason for fault in bad.field_violations}


class CivilStatusTest(unittest.TestCase):
    def setUp(self):
        self.source = source_rpc.SourceServiceStub(database.channel)
        self.lookup = lookup_rpc.LookupServiceStub(database.channel)
        self.told = tomllib.loads((database.folder / "fixtures.toml").read_text())
        number, self.held = synthetic.sample(store.Store(database.books))
        name, born = (self.held[item][0].value for item in ("birth_full_name", "date_of_birth"))
        born = {"year": born.date.year, "month": born.date.month, "day": born.date.day}
        self.person = {"personal_number": number, "full_name": name.name.full_name, "date_of_birth": born}

    def refused(self, code, reason, call, faults=None):
        refusal = Refusal(call)
        self.assertEqual((refusal.code, refusal.reason), (code, reason))
        if reason:  # DB-6
            self.assertEqual(refusal.domain, "lienthong.gov.vn")
            self.assertIn(f"ERROR_REASON_{reason}", ErrorReason.keys())
            self.assertTrue(refusal.vi)
        if faults is not None:
            self.assertEqual(refusal.faults, faults)

    def raw(self, method, body=b"", channel=None, timeout=5):
        return (channel or database.channel).unary_unary(PACKAGE + method)(body, timeout=timeout)

    def pages(self, size, cursor=""):
        while True:
            page = self.source.ListChanges(source.ListChangesRequest(cursor=cursor, page_size=size), timeout=5)
            yield page
            cursor = page.next_cursor
            if page.end_reached:
                return

    def changes(self, size=0, cursor=""):
        return [change for page in self.pages(size, cursor) for change in page.changes]

    def question(self, items, kind=lookup.GetRecordRequest, **other):
        asked = {"subject": {"personal_number": self.person["personal_number"]}, "basis": BASIS, "request_id": "t-1"}
        claims = {"full_name": self.person["full_name"], "date_of_birth": self.person["date_of_birth"]}
        fields = {"claimed_values" if kind is lookup.VerifyRecordRequest else "items": items}
        asked = kind(**asked | {"claims": claims} | fields | other)
        return asked if asked.warrant else database.sealer.seal(asked)

    def ask(self, items, **other):
        return self.lookup.GetRecord(self.question(items, **other), timeout=5)

    def verify(self, values):
        claimed = [lookup.ClaimedRecordValue(item=item, value=value) for item, value in values]
        answer = self.lookup.VerifyRecord(self.question(claimed, lookup.VerifyRecordRequest), timeout=5)
        names = [lookup.RecordClaimOutcome.Name(it.outcome) for it in answer.results]
        return answer, [name.removeprefix("RECORD_CLAIM_OUTCOME_") for name in names]

    # What holds for every database.

    def test_db_1_tls_13_alone_and_h2(self):
        with database.tls() as tls:
            self.assertEqual((tls.version(), tls.selected_alpn_protocol()), ("TLSv1.3", "h2"))
        with self.assertRaises(OSError):
            database.tls(ssl.TLSVersion.TLSv1_2)

    def test_db_2_and_3_who_is_let_in(self):
        for name, authority in (("", ""), ("reader", "elsewhere")):
            with database.connect(name, authority) as channel:
                self.refused("UNAVAILABLE", "", lambda: self.raw("DatabaseService/DescribeDatabase", channel=channel))
        with database.connect("stranger") as channel:
            self.raw("DatabaseService/DescribeDatabase", channel=channel)
            for method in ("SourceService/ListChanges", "SourceService/StreamChanges", "LookupService/GetRecord",
                           "LookupService/VerifyRecord", "LookupService/StreamRecords"):
                self.refused("PERMISSION_DENIED", "METHOD_NOT_ALLOWED", lambda: self.raw(method, channel=channel))

    def test_db_4_health_and_5_what_is_not_there(self):
        health = health_pb2_grpc.HealthStub(database.channel)
        for name in ("", *service.CivilStatus.SERVICES):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        sink = health_pb2.HealthCheckRequest(service="lienthong.database.v1.SinkService")
        self.refused("NOT_FOUND", "", lambda: health.Check(sink, timeout=5))
        self.refused("UNIMPLEMENTED", "", lambda: self.raw("SinkService/DeliverEvents"))
        self.refused("UNIMPLEMENTED", "", lambda: self.raw("LookupService/Guess"))

    def test_db_8_and_9_what_cannot_be_read_ends_its_call_alone(self):
        for _ in range(3):
            self.assertNotEqual(Refusal(lambda: self.raw("LookupService/GetRecord", b"\xff\xff")).code, "OK")
            large = source.ListChangesRequest(cursor="1" * (4 * 1024 * 1024)).SerializeToString()
            self.refused("RESOURCE_EXHAUSTED", "", lambda: self.raw("SourceService/ListChanges", large))
        self.assertEqual(self.ask(["sex"]).outcome, lookup.RECORD_OUTCOME_MATCH)

    def test_db_10_the_server_keeps_the_deadline(self):
        # A client of the library would end by itself, so this one only listens.
        text = lambda *parts: b"".join(bytes([len(part)]) + part.encode() for part in parts)
        head = {":method": "POST", ":scheme": "https", ":path": PACKAGE + "SourceService/StreamChanges",
                ":authority": "localhost", "content-type": "application/grpc", "te": "trailers", "grpc-timeout": "1S"}
        head = b"".join(b"\x00" + text(name, value) for name, value in head.items())
        follow = source.StreamChangesRequest(cursor=self.changes()[-1].cursor, follow=True).SerializeToString()
        frame = lambda kind, flags, stream, body: (
            len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body)
        with database.tls() as tls:
            tls.settimeout(5)
            began, reader = time.monotonic(), tls.makefile("rb")
            tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, head)
                        + frame(0, 1, 1, b"\x00" + len(follow).to_bytes(4, "big") + follow))
            while True:
                *length, kind, flags, _, _, _, stream = reader.read(9)
                reader.read(int.from_bytes(length, "big"))
                if stream == 1 and (kind == 3 or kind == 1 and flags & 1):  # RST_STREAM, or HEADERS that end it
                    break
        self.assertTrue(0.8 < time.monotonic() - began < 2)

    def test_db_11_cancelled_and_12_many_and_14_slow_calls(self):
        slow = [self.source.StreamChanges(source.StreamChangesRequest(follow=True), timeout=30) for _ in range(20)]
        for _ in range(100):
            self.source.StreamChanges(source.StreamChangesRequest(follow=True), timeout=30).cancel()
        with ThreadPoolExecutor(16) as pool:
            began = time.monotonic()
            answers = list(pool.map(lambda _: self.ask(["sex"]), range(64)))
        self.assertLess(time.monotonic() - began, 2)
        self.assertTrue(all(answer.outcome == lookup.RECORD_OUTCOME_MATCH for answer in answers))
        for call in slow:
            call.cancel()

    def test_db_13_an_unknown_field_changes_nothing(self):
        unknown = b"\xfa\x3f\x03new"
        plain, asked = self.ask(["sex"]), self.question(["sex"])
        for part in (asked.subject, asked.claims.date_of_birth, asked.claims, asked.basis, asked):
            part.MergeFromString(unknown)
        answer = self.lookup.GetRecord(asked, timeout=5)
        answer.answer_time.CopyFrom(plain.answer_time)
        self.assertEqual(answer, plain)

    def test_db_15_reflection(self):
        call = database.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        request = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        answer = reflection_pb2.ServerReflectionResponse.FromString(next(call(iter([request]), timeout=5)))
        names = {it.name for it in answer.list_services_response.service}
        self.assertLessEqual(set(service.CivilStatus.SERVICES), names)

    def test_db_20_to_22_the_description(self):
        stub = describe_rpc.DatabaseServiceStub(database.channel)
        it = stub.DescribeDatabase(describe.DescribeDatabaseRequest(), timeout=5)
        self.assertEqual((it.database_id, it.contract_versions[:]), ("civil-status", ["lienthong.database.v1"]))
        self.assertEqual(it.roles[:], [describe.DATABASE_ROLE_SOURCE, describe.DATABASE_ROLE_LOOKUP])
        self.assertTrue(it.name and it.owner_unit and it.items and it.contact.email)
        self.assertEqual(len({held.item for held in it.items}), len(it.items))
        self.assertTrue(it.limits.page_size_max > 0 and it.limits.queries_max > 0 and it.limits.events_max == 0)
        self.assertEqual(it.limits.retention.ToTimedelta(), RETENTION)
        self.assertEqual(it.environment, describe.DATABASE_ENVIRONMENT_SYNTHETIC)

    # The role source.

    def test_src_1_to_5_changes_whatever_the_size_of_pages(self):
        everything = self.changes()
        bodies = [change.SerializeToString(deterministic=True) for change in everything]
        for size in (1, 7, 10_000):
            self.assertEqual([change.SerializeToString(deterministic=True) for change in self.changes(size)], bodies)
        sequences, times = [it.sequence for it in everything], [it.commit_time.ToNanoseconds() for it in everything]
        self.assertEqual(sequences, sorted(set(sequences)))
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1], time.time_ns())
        self.assertEqual(len({it.change_id for it in everything}), len(everything))
        kinds = set()
        for it in everything:
            self.assertRegex(it.change_id, r"\A[A-Za-z0-9._:-]{1,64}\Z")
            self.assertRegex(it.cursor, r"\A[!-~]{1,256}\Z")
            self.assertTrue(it.basis.procedure and it.basis.officer)
            kinds.add(event := it.WhichOneof("event"))
            if event != "birth":
                self.assertRegex(getattr(it, event).subject.personal_number, r"\A99[0-9]{10}\Z")  # SRC-10
        self.assertEqual(kinds, {"birth", "death", "correction"})

    def test_src_6_20_to_25_pages(self):
        everything = self.changes()
        for at in (0, 1, len(everything) - 2):
            request = source.ListChangesRequest(cursor=everything[at].cursor, page_size=1)
            self.assertEqual(self.source.ListChanges(request, timeout=5).changes[:], [everything[at + 1]])
        for size in (7, len(everything)):
            pages = list(self.pages(size))
            self.assertTrue(all(0 < len(page.changes) <= size and page.next_cursor for page in pages))
            self.assertEqual([page.end_reached for page in pages], [False] * (len(pages) - 1) + [True])
        end = self.source.ListChanges(source.ListChangesRequest(cursor=pages[-1].next_cursor), timeout=5)
        self.assertEqual((end.changes[:], end.end_reached, end.next_cursor), ([], True, pages[-1].next_cursor))
        negative = source.ListChangesRequest(page_size=-1)
        self.refused("INVALID_ARGUMENT", "INVALID_REQUEST", lambda: self.source.ListChanges(negative, timeout=5),
                     {"page_size": "NOT_ALLOWED"})

    def test_src_23_a_page_has_at_most_so_many_bytes(self):
        everything, here = self.changes(), store.Store(database.books)
        read, cursor, end = [], "", False
        with mock.patch.object(store, "PAGE_BYTES_MAX", 5_000):
            while not end:
                changes, cursor, end = here.page(cursor, 500)
                page = source.ListChangesResponse(changes=changes, next_cursor=cursor, end_reached=end)
                self.assertLess(page.ByteSize(), 5_000 + 1024)
                read += changes
        self.assertEqual(read, everything)

    def test_src_7_and_8_cursors_that_are_refused(self):
        good = self.changes()[0].cursor
        digits, seal = good.split(".")
        other = ("0" if seal[0] != "0" else "1") + seal[1:]
        here = store.Store(database.books)
        never_given = here.cursor(self.changes()[-1].sequence + 1)  # as after an older backup was restored
        for cursor in (never_given, "x", "0", ".", f"0{good}", f"{good} ", f"{digits}.{other}",
                       f"{int(digits) + 1}.{seal}", f"-{good}", good + "A", "٣." + seal, "1" * 257, "9" * 100_000):
            for method in (self.source.ListChanges, lambda it, **_: list(self.source.StreamChanges(it, timeout=5))):
                kind = source.ListChangesRequest if method == self.source.ListChanges else source.StreamChangesRequest
                self.refused("INVALID_ARGUMENT", "UNKNOWN_CURSOR", lambda: method(kind(cursor=cursor), timeout=5))
        expired = source.ListChangesRequest(cursor=self.told["source"]["expired_cursor"])
        self.refused("FAILED_PRECONDITION", "CURSOR_EXPIRED", lambda: self.source.ListChanges(expired, timeout=5))

    def test_src_9_a_restart_keeps_everything(self):
        before, record = self.changes(), self.ask(["birth_full_name", "family_relations"]).items[:]
        self.assertEqual(database.stop(), 0)
        database.start()
        self.setUp()
        self.assertEqual(self.changes(), before)
        self.assertEqual(self.changes(cursor=before[10].cursor), before[11:])
        self.assertEqual(self.ask(["birth_full_name", "family_relations"]).items[:], record)

    def test_src_30_to_33_streams(self):
        everything = self.changes()
        for start in (None, 20):
            request = source.StreamChangesRequest(cursor=everything[start].cursor if start else "")
            parts = list(self.source.StreamChanges(request, timeout=5))
            read = [change for part in parts for change in part.changes]
            self.assertEqual(read, everything[start + 1:] if start else everything)
            self.assertEqual(parts[-1].next_cursor, read[-1].cursor)
        began = time.monotonic()
        follow = source.StreamChangesRequest(cursor=everything[-1].cursor, follow=True)
        self.refused("DEADLINE_EXCEEDED", "", lambda: list(self.source.StreamChanges(follow, timeout=1)))
        self.assertLess(time.monotonic() - began, 2)

    def test_src_24_what_another_process_commits_is_followed(self):
        end = self.changes()[-1].cursor
        stream = self.source.StreamChanges(source.StreamChangesRequest(cursor=end, follow=True), timeout=10)
        office = store.Store(database.books)
        office.commit(synthetic.registrations(1, int(time.time()), timedelta(days=1)))
        part = next(stream)
        stream.cancel()
        self.assertEqual({change.WhichOneof("event") for change in part.changes}, {"birth", "correction"})
        self.assertEqual(self.changes(cursor=end), part.changes[:])
        of_nobody = synthetic.birth(synthetic.random.Random(1), 1, datetime.now(timezone.utc), set())
        of_nobody.number = "001226000001"
        with self.assertRaises(ValueError):
            office.commit([of_nobody])
        self.assertEqual(self.changes(cursor=end), part.changes[:])

    # The role lookup.

    def test_lkp_1_2_5_6_a_record(self):
        absent, unknown = self.told["lookup"]["known"]["not_held"], "land_plot"
        items = ["sex", absent, "birth_full_name", unknown, "date_of_birth"]
        answer = self.ask(items)
        self.assertEqual(answer.outcome, lookup.RECORD_OUTCOME_MATCH)
        self.assertEqual((answer.subject, answer.request_id), (self.question(["sex"]).subject, "t-1"))
        self.assertEqual([it.item for it in answer.items], items)
        self.assertEqual([it.WhichOneof("outcome") for it in answer.items],
                         ["value", "not_held", "value", "unknown_item", "value"])
        sex, _, name, _, born = (it.value.values for it in answer.items)
        self.assertEqual((sex[0].value.coded.code_system, sex[0].value.coded.code_system_version), ("sex", "1"))
        self.assertEqual(name[0].value.name.full_name, self.person["full_name"])
        self.assertEqual(born[0].value.date, PartialDate(**self.person["date_of_birth"]))
        self.assertEqual(name[0].provenance.source, "civil-status")
        self.assertEqual(self.ask(items).items, answer.items)  # LKP-7

    def test_lkp_3_and_4_nobody_and_other_claims_are_one(self):
        year, name = self.person["date_of_birth"]["year"], self.person["full_name"]
        wrong = [{"full_name": name + " An"}, {"date_of_birth": {"year": year}},
                 {"date_of_birth": {"year": 1999, "month": 1, "day": 1}}]
        unknown = self.ask(["sex"], subject={"personal_number": "999000000000"})
        self.assertEqual((unknown.outcome, len(unknown.items)), (lookup.RECORD_OUTCOME_NO_MATCH, 0))
        unknown.subject.personal_number = self.person["personal_number"]
        for claims in wrong:
            answer = self.ask(["sex"], claims=claims)
            answer.answer_time.CopyFrom(unknown.answer_time)
            self.assertEqual(answer, unknown)
        for claims in ({}, {"full_name": f" {name.upper()} "}, {"date_of_birth": self.person["date_of_birth"]}):
            self.assertEqual(self.ask(["sex"], claims=claims).outcome, lookup.RECORD_OUTCOME_MATCH)

    def test_names_are_compared_as_the_contract_says(self):
        for one, other, same in (
            ("Hoà", "HÒA", True), ("Khoẻ", "Khỏe", True), ("Thuỷ", "Thủy", True), ("Hoàn", "Hòan", True),
            ("Cấp", "Ca\u0301\u0302p", True), ("Việt", "Vie\u0323\u0302t", True),
            ("Ðặng  Văn\u00a0An", "đặng văn an", True), ("Nguyễn\u200b", "Nguye\u0302\u0303n", True),
            ("Quý", "Qúy", False), ("Hoà", "Hoá", False),
            ("Hoà", "Hoa", False), ("Vân", "Văn", False), ("Đào", "Dao", False), ("Lý", "Lí", False)):
            self.assertEqual(service.folded(one) == service.folded(other), same, (one, other))
        for name in ("quý", "quỳnh", "giữ", "huệ", "thuở", "hoặc", "hoè", "mùa", "kh'yào"):
            self.assertEqual(service.folded(name), name)
        born = {"birth_full_name": [service.HeldValue(value=ItemValue(name=PersonName(full_name="An")))],
                "date_of_birth": [service.HeldValue(value=ItemValue(date=PartialDate(year=1950)))]}
        self.assertTrue(service.agree(Claims(date_of_birth={"year": 1950}), born))
        self.assertFalse(service.agree(Claims(date_of_birth={"year": 1950, "month": 1, "day": 1}), born))
        self.assertEqual(service.outcome("date_of_birth", born).WhichOneof("outcome"), "partial")

    def test_lkp_8_every_faulty_field_is_named(self):
        nothing = {"subject": "MISSING", "basis": "MISSING", "request_id": "MISSING"}
        invalid = lambda call, faults: self.refused("INVALID_ARGUMENT", "INVALID_REQUEST", call, faults)
        invalid(lambda: self.lookup.GetRecord(lookup.GetRecordRequest(), timeout=5), nothing | {"items": "MISSING"})
        invalid(lambda: self.lookup.VerifyRecord(lookup.VerifyRecordRequest(), timeout=5),
                nothing | {"claimed_values": "MISSING"})
        invalid(lambda: self.ask(["sex", "sex", "birth_*", ""], subject={"personal_number": "12345678901x"},
                                 claims={"full_name": "a" * 101, "date_of_birth": {"year": 2026, "month": 13}},
                                 basis={"procedure": "p", "officer": "990226000001"}, request_id="r" * 41,
                                 warrant=b"w" * 4097),
                {"items[1]": "REPEATED", "items[2]": "WILDCARD", "items[3]": "MISSING",
                 "subject.personal_number": "MALFORMED", "claims.full_name": "TOO_LONG",
                 "claims.date_of_birth": "MALFORMED", "basis.legal_basis": "MISSING",
                 "basis.case_reference": "MISSING", "basis.acting_unit": "MISSING", "basis.officer": "PERSONAL_NUMBER",
                 "request_id": "TOO_LONG", "warrant": "TOO_LONG"})
        invalid(lambda: self.ask([f"i{n}" for n in range(65)]), {"items": "TOO_MANY"})
        for other in ({"old_number": "999000000"}, {"token": "t"}):
            invalid(lambda: self.ask(["sex"], subject=other), {f"subject.{[*other][0]}": "NOT_ALLOWED"})
        claimed = [lookup.ClaimedRecordValue(item="sex")]
        invalid(lambda: self.lookup.VerifyRecord(self.question(claimed, lookup.VerifyRecordRequest), timeout=5),
                {"claimed_values[0].value": "MISSING"})

    def test_lkp_20_and_21_comparing(self):
        held = [(item, values[-1].value) for item, values in self.held.items()]  # the mother, of the parents
        answer, said = self.verify(held)
        self.assertEqual([it.item for it in answer.results], [item for item, _ in held])
        self.assertEqual(said, ["MATCH"] * len(held))
        year, nobody = self.person["date_of_birth"]["year"], ItemValue(name=PersonName(full_name="Nobody"))
        sex = CodedValue(code_system="sex", code_system_version="2", code=dict(held)["sex"].coded.code)
        other = [("birth_full_name", nobody), ("date_of_birth", ItemValue(date=PartialDate(year=year - 1))),
                 ("personal_id_number", ItemValue(identifier={"kind": 1, "value": "999000000000"})),
                 ("family_relations", ItemValue(relation={"kind": 2, "name": {"full_name": "Nobody"}}))]
        apart = [("date_of_birth", ItemValue(date=PartialDate(year=year))), ("sex", ItemValue(coded=sex)),
                 ("native_place", nobody)]
        none = [(self.told["lookup"]["known"]["not_held"], ItemValue(date=PartialDate(year=2026))),
                ("land_plot", nobody)]
        self.assertEqual(self.verify(other)[1], ["MISMATCH"] * 4)
        self.assertEqual(self.verify(apart + none)[1], ["INDETERMINATE"] * 3 + ["NOT_HELD", "UNKNOWN_ITEM"])

    def test_lkp_30_and_31_many_questions(self):
        nobody = {"subject": {"personal_number": "999000000000"}}
        queries = [self.question(["sex"], request_id=f"t-{at}", **nobody if at % 3 == 0 else {}) for at in range(50)]
        many = lambda queries: lookup.StreamRecordsRequest(queries=queries)
        stream = lambda queries: list(self.lookup.StreamRecords(many(queries), timeout=5))
        answers = [it.record for it in stream(queries)]
        self.assertEqual([it.request_id for it in answers], [it.request_id for it in queries])
        for answer, query in zip(answers, queries):
            alone = self.lookup.GetRecord(database.sealer.seal(query), timeout=5)
            alone.answer_time.CopyFrom(answer.answer_time)
            self.assertEqual(answer, alone)
        queries[3].ClearField("basis")
        for bad, faults in (([], {"queries": "MISSING"}), (queries, {"queries[3].basis": "MISSING"}),
                            ([queries[0]] * 1001, {"queries": "TOO_MANY"})):
            self.refused("INVALID_ARGUMENT", "INVALID_REQUEST", lambda: stream(bad), faults)
        named = Refusal(lambda: stream([lookup.GetRecordRequest()] * 1000)).faults
        self.assertTrue(16 <= len(named) <= 64)  # as many as fit

    def test_lkp_40_to_53_a_warrant_is_checked(self):
        def refused(fault, asked, method="GetRecord"):
            refusal = Refusal(lambda: getattr(self.lookup, method)(asked, timeout=5))
            self.assertEqual((refusal.code, refusal.reason, refusal.fault), ("PERMISSION_DENIED", "WARRANT_REFUSED", fault))

        plain, seal = lambda: self.question(["sex"]), database.sealer.seal
        bare = plain()
        bare.ClearField("warrant")
        refused("missing", bare)
        stranger = sealing.Sealer(sealing.Ed25519PrivateKey.generate(), (database.folder / "ca/reader.pem").read_text())
        refused("unknown-key", stranger.seal(plain()))
        refused("signature", stranger.seal(plain(), {"kid": sealing.published(database.sealer.key)["kid"]}))
        for header in ({"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"crit": ["b64"]}):
            refused("algorithm", seal(plain(), header))
        now, other = int(time.time()), sealing.base64url(bytes(32))
        for fault, claims in (("expired", {"nbf": now - 90, "exp": now - 30}), ("not-yet", {"nbf": now + 30, "exp": now + 90}),
                              ("life", {"exp": now + 3600}), ("audience", {"aud": "residence"}), ("issuer", {"iss": "x"}),
                              ("holder", {"cnf": {"x5t#S256": other}}), ("subject", {"subject": other}),
                              ("items", {"items": []}), ("ground", {"procedure": "x"}), ("ground", {"legal_basis": "x"}),
                              ("malformed", {"cnf": None}), ("malformed", {"exp": "soon"}), ("malformed", {"jti": 1})):
            refused(fault, seal(plain(), **claims))
        longer = plain()
        longer.warrant_opening += b"\0"
        refused("subject", longer)
        claimed = [lookup.ClaimedRecordValue(item="sex", value=self.held["sex"][0].value)]
        refused("items", seal(self.question(claimed, lookup.VerifyRecordRequest), items=["birth_full_name"]), "VerifyRecord")
        for text in (b"", b"=", b"\n", b".AAAA"):
            spoilt = plain()
            spoilt.warrant = spoilt.warrant + text if text else spoilt.warrant[:-1]
            refused("malformed", spoilt)
        self.assertEqual(self.lookup.GetRecord(seal(plain(), {"later": 1}, later={"a": None}), timeout=5).request_id, "t-1")
        used = plain()
        self.lookup.GetRecord(used, timeout=5)
        refused("replayed", used)
        both = lookup.StreamRecordsRequest(queries=[plain(), used])
        refusal = Refusal(lambda: list(self.lookup.StreamRecords(both, timeout=5)))
        self.assertEqual((refusal.reason, refusal.fault), ("WARRANT_REFUSED", "replayed"))
        # Of a call that was refused, the other warrant is as good as before.
        self.lookup.GetRecord(both.queries[0], timeout=5)
        database.stop()
        database.start()
        self.lookup = lookup_rpc.LookupServiceStub(database.channel)
        refused("replayed", used)

    # The end.

    def test_sigterm_ends_it_and_who_follows_is_told(self):
        follow = source.StreamChangesRequest(cursor=self.changes()[-1].cursor, follow=True)
        stream = self.source.StreamChanges(follow, timeout=20)
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            ended = pool.submit(self.refused, "UNAVAILABLE", "OVERLOADED", lambda: next(stream))
            time.sleep(0.3)
            self.assertEqual(database.stop(), 0)
            ended.result(5)
        self.assertLess(time.monotonic() - began, 3)
        database.start()


if __name__ == "__main__":
    # Ended from outside, it ends as after a fault: the database is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        database.start()
        try:
            unittest.main(argv=sys.argv[:1])
        finally:
            database.stop()
