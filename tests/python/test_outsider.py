"""What an outsider can check of a running demonstration: test_outsider.py PATH_TO_LIENTHONG

The client knows demo.json and the stubs generated from proto/ (on PYTHONPATH), the verifier knows files.
"""
from __future__ import annotations

import atexit
import base64
import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError

from client import GET_PERSON, Answered, Client, Refused, load_demo
from lienthong.identity.v1.identity_service_pb2 import (
    LOOKUP_OUTCOME_MATCH,
    LOOKUP_OUTCOME_NO_MATCH,
    GetPersonRequest,
)
from verify import verify

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent.parent / "services/lienthong/testdata/receipt"
BINARY = ""
START_SECONDS, STOP_SECONDS = 60, 30
BASIS = {
    "procedure": "child-health-insurance-card",
    "legal_basis": "1911-2021-art-2-1",
    "case_reference": "OUTSIDER-1",
    "acting_unit": "Z02.DEMO",
    "officer": "officer-01",
}


def printed(file: str) -> str:
    """The Python that a README prints."""
    return (HERE.parent.parent / file).read_text("utf-8").split("```python\n")[1].split("```")[0]


class Demo:
    """A demonstration that serves from a folder until it is stopped; it never outlives the `with`."""

    def __init__(self, folder: Path):
        self.folder, self.said = folder, folder.parent / f"{folder.name}.out"

    def __enter__(self) -> Demo:
        with self.said.open("wb") as out:
            command = [BINARY, "demo", "--data-dir", self.folder, "--listen", "127.0.0.1:0"]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        atexit.register(self.stop)  # where a `with` is not left: an interrupted unittest
        try:
            self._wait_until_it_serves()
            self.json = load_demo(self.folder / "demo.json")
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_until_it_serves(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while "Serving until Ctrl-C" not in (said := self.said.read_text("utf-8", "replace")):
            if self.process.poll() is not None:
                raise AssertionError(f"the demonstration ended with {self.process.returncode}:\n{said}")
            if time.monotonic() > give_up:
                raise AssertionError(f"it does not serve after {START_SECONDS} s:\n{said}")
            time.sleep(0.05)

    def stop(self) -> int:
        """Ends it by SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not end {STOP_SECONDS} s after SIGTERM") from None

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, caller: str) -> Client:
        return Client.of_demo(self.json, caller)

    def log_key(self) -> str:
        return Path(self.json["log_key"]).read_text("utf-8")

    def subject(self, kind: str) -> dict:
        return next(subject for subject in self.json["subjects"] if subject["kind"] == kind)


def lookup(subject: dict) -> GetPersonRequest:
    born = subject["date_of_birth"]
    return GetPersonRequest(
        subject={"personal_number": subject["personal_number"]},
        claims={"full_name": subject["full_name"], "date_of_birth": born},
        items=["birth_full_name", "date_of_birth", "ethnic_group"],
        basis=BASIS,
        request_id="outsider-1",
    )


FILES = ("request.bin", "answer.bin", "leaf.bin", "opening.bin", "receipt.tlog-proof", "log.vkey")


def evidence_of(folder: Path) -> list[bytes]:
    """The files of one call in the order of verify's arguments, as bytes, so that any byte can be changed."""
    return [(folder / name).read_bytes() for name in FILES]


def check(evidence: list[bytes]) -> dict:
    *data, proof, key = evidence
    return verify(*data, proof.decode(), key.decode())


def holds(call: Callable[[], object]) -> bool:
    try:
        call()
        return True
    except (ValueError, InvalidSignature, DecodeError):  # bytes that are no UTF-8 are a ValueError
        return False


def with_one_bit_changed(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield at, bit, bytes(changed)


def tree(leaves: list[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """The root over leaf hashes and the proof of one of them, as RFC 6962, 2.1, defines them."""
    if len(leaves) == 1:
        return leaves[0], []
    left = 1 << (len(leaves) - 1).bit_length() - 1
    on_left = index < left
    (a, path_a), (b, path_b) = tree(leaves[:left], index if on_left else 0), tree(leaves[left:], max(index - left, 0))
    return hashlib.sha256(b"\1" + a + b).digest(), (path_a + [b]) if on_left else (path_b + [a])


def written(
    size: int = 5,
    index: int = 2,
    claimed: int | None = None,
    leaf: Callable[[bytes], bytes] = lambda leaf: leaf,
    origin: str = "log.test/1",
    algorithm: int = 1,
    key_id: bytes | None = None,
    context: bytes = b"/method\ncaller\n",
) -> list[bytes]:
    """The evidence of one call in a log that is written here, by the words of the standards; each argument
    makes it other than it should be."""
    b64, sha256 = lambda data: base64.b64encode(data).decode(), lambda data: hashlib.sha256(data).digest()
    key, name = Ed25519PrivateKey.from_private_bytes(bytes(32)), "log.test/1"
    public = bytes([algorithm]) + key.public_key().public_bytes_raw()
    key_id = key_id or sha256(name.encode() + b"\n" + public)[:4]
    opening = bytes(range(32)) + context
    message = b"lienthong/outer/1\0" + sha256(opening[32:]) + sha256(b"request") + sha256(b"answer")
    made = leaf(b"lienthong/leaf/1" + bytes(24) + hmac.digest(opening[:32], message, "sha256") + bytes(32))
    leaves = [sha256(b"\0" + (made if n == index else bytes([n]))) for n in range(size)]
    root, path = tree(leaves, index)
    body = f"{origin}\n{size}\n{b64(root)}\n"
    note = f"{body}\n— {name} {b64(key_id + key.sign(body.encode()))}\n"
    hashes = "".join(b64(hash) + "\n" for hash in path)
    proof = f"c2sp.org/tlog-proof@v1\nindex {index if claimed is None else claimed}\n{hashes}\n{note}"
    return [b"request", b"answer", made, opening, proof.encode(), f"{name}+{key_id.hex()}+{b64(public)}\n".encode()]


class Verifier(unittest.TestCase):
    def test_every_record_of_every_small_log_holds_at_its_own_index_only(self) -> None:
        for size in range(1, 18):
            for index in range(size):
                for claimed in range(size + 2):
                    evidence = written(size, index, claimed)
                    self.assertEqual(holds(lambda: check(evidence)), claimed == index, (size, index, claimed))

    def test_what_the_log_itself_signed_is_checked_too(self) -> None:
        check(written())
        for what, evidence in {
            "the checkpoint of another log": written(origin="log.test/2"),
            "a key of another algorithm": written(algorithm=2),
            "a key under another id": written(key_id=b"none"),
            "a longer leaf": written(leaf=lambda leaf: leaf + b"\0"),
            "a shorter leaf": written(leaf=lambda leaf: leaf[:-1]),
            "a context without a caller": written(context=b"/method\n"),
            "a context of three lines": written(context=b"/method\ncaller\nmore\n"),
            "a leaf of another version": written(leaf=lambda leaf: b"lienthong/leaf/2" + leaf[16:]),
        }.items():
            self.assertFalse(holds(lambda: check(evidence)), what)


class Outsider(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.demo = cls.enterClassContext(Demo(cls.folder / "demo"))

    def refused(self, caller: str, request: GetPersonRequest) -> Refused:
        with self.demo.client(caller) as client, self.assertRaises(Refused) as caught:
            client.get_person(request)
        return caught.exception

    def refuses_every_change(self, evidence: list[bytes]) -> None:
        check(evidence)
        for name, whole in zip(FILES, evidence):
            for at, bit, changed in with_one_bit_changed(whole):
                other = [changed if data is whole else data for data in evidence]
                self.assertFalse(holds(lambda: check(other)), f"{name}: byte {at}, bit {bit}")
            for changed in (b"", whole[:-2], whole + b"\n\n", whole + whole):
                other = [changed if data is whole else data for data in evidence]
                self.assertFalse(holds(lambda: check(other)), f"{name}: {len(changed)} bytes")

    def test_the_files_of_the_tour_hold_and_no_changed_bit_does(self) -> None:
        self.refuses_every_change(evidence_of(self.demo.folder / "tour"))

    def test_a_committed_receipt_from_a_larger_tree_holds_and_no_changed_bit_does(self) -> None:
        self.refuses_every_change(evidence_of(SAMPLE))

    def test_a_proof_has_one_form(self) -> None:
        *data, proof, key = evidence_of(SAMPLE)
        text = proof.decode()
        signature = text.splitlines()[-1]
        hashes = text.splitlines()[2:4]
        stranger = "— stranger AAAAAAAA\n"
        for what, other in {
            "leading zero": text.replace("index 1\n", "index 01\n"),
            "a sign": text.replace("index 1\n", "index +1\n"),
            "another index": text.replace("index 1\n", "index 0\n"),
            "a digit of another script": text.replace("index 1\n", "index \N{FULLWIDTH DIGIT ONE}\n"),
            "other line ends": text.replace("\n", "\r\n"),
            "hashes in the other order": text.replace("\n".join(hashes), "\n".join(reversed(hashes))),
            "a hash too many": text.replace(hashes[0], f"{hashes[0]}\n{hashes[0]}"),
            "a hash too few": text.replace(f"{hashes[0]}\n", ""),
            "an extension line": text.replace("\n\n— ", "\nmore\n\n— "),
            "no signature": text.replace(signature + "\n", ""),
            "only another's signature": text.replace(signature + "\n", stranger),
            "a false signature beside the true one": text + signature[:-8] + "AAAAAA8=\n",
        }.items():
            self.assertNotEqual(other, text, what)
            self.assertFalse(holds(lambda: check([*data, other.encode(), key])), what)
        self.assertTrue(holds(lambda: check([*data, (text + stranger).encode(), key])), "a cosignature")

    def test_the_verifier_is_a_program_of_at_most_60_lines_with_no_code_of_ours(self) -> None:
        self.assertLessEqual(len((HERE / "verify.py").read_text("utf-8").splitlines()), 60)

        def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
            # -I: nothing of this folder, of PYTHONPATH or of the user's can be imported.
            command = [sys.executable, "-I", HERE / "verify.py", *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=60)

        tour = self.demo.folder / "tour"
        done = run(tour)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("IdentityService/GetPerson, spiffe://lienthong.test/agency/Z02.DEMO.BHXH", done.stdout)
        self.assertEqual(run(tour, "--log-key", self.demo.json["log_key"]).returncode, 0)
        other_key = run(tour, "--log-key", SAMPLE / "log.vkey")
        self.assertEqual((other_key.returncode, other_key.stdout), (1, ""))
        self.assertIn("not signed by the log's key", other_key.stderr)
        for name in FILES:
            copy = self.folder / f"without-{name}"
            shutil.copytree(tour, copy)
            (copy / name).unlink()
            done = run(copy)
            self.assertEqual((done.returncode, done.stdout), (1, ""), name)
            self.assertIn(name, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_a_person_is_looked_up_and_an_item_is_withheld_by_a_rule_with_its_article(self) -> None:
        child = self.demo.subject("child")
        with self.demo.client("social-insurance") as client:
            answer = client.get_person(lookup(child)).answer
        self.assertEqual(answer.outcome, LOOKUP_OUTCOME_MATCH)
        self.assertEqual(answer.request_id, "outsider-1")
        self.assertGreater(answer.valid_until.ToDatetime(), answer.answer_time.ToDatetime())
        name, born, withheld = answer.items
        self.assertEqual(name.value.values[0].value.name.full_name, child["full_name"])
        self.assertEqual(name.value.values[0].provenance.source, "civil-status")
        date = born.value.values[0].value.date
        self.assertEqual({"year": date.year, "month": date.month, "day": date.day}, child["date_of_birth"])
        self.assertEqual((withheld.item, withheld.WhichOneof("outcome")), ("ethnic_group", "withheld"))
        self.assertEqual(withheld.withheld.rule, "agreement-scope")
        self.assertEqual(withheld.withheld.article, "Decision 1911/QD-TTg, Art. 2(1)")
        self.assertEqual(withheld.withheld.legal_basis, "1911-2021-art-2-1")

    def test_other_claims_match_nobody_and_come_with_a_receipt_too(self) -> None:
        child = self.demo.subject("child")
        with self.demo.client("social-insurance") as client:
            other = client.get_person(lookup({**child, "full_name": "Trần Văn Khác"}))
        self.assertEqual(other.answer.outcome, LOOKUP_OUTCOME_NO_MATCH)
        self.assertEqual((len(other.answer.items), other.answer.version, other.answer.etag), (0, 0, ""))
        verify(*other.evidence(), self.demo.log_key())

    def test_the_receipt_of_a_live_lookup_holds_and_no_changed_bit_does(self) -> None:
        with self.demo.client("social-insurance") as client:
            mine, second = (client.get_person(lookup(self.demo.subject("child"))) for _ in range(2))
        key = self.demo.log_key()
        held = verify(*mine.evidence(), key)
        self.assertEqual(held["caller"], "spiffe://lienthong.test/agency/Z02.DEMO.BHXH/system/bhyt")
        self.assertEqual(held["index"], mine.receipt.index)
        *data, proof = mine.evidence()
        self.refuses_every_change([*data, proof.encode(), key.encode()])
        # The same question twice is two records, and neither answer goes with the other's receipt.
        request, _, *rest = mine.evidence()
        self.assertFalse(holds(lambda: verify(request, second.answer_bytes, *rest, key)))

    def test_what_is_signed_verifies_by_the_log_and_what_is_not_is_refused(self) -> None:
        request = lookup(self.demo.subject("child"))
        with self.demo.client("social-insurance") as client:
            signed = client.get_person(request, signed=True)
            call = client.channel.unary_unary(GET_PERSON)
            for what, metadata in {
                "another method": client.sign(GET_PERSON + "s", signed.request_bytes),
                "another request": client.sign(GET_PERSON, b""),
            }.items():
                with self.assertRaises(grpc.RpcError) as caught:
                    call(signed.request_bytes, timeout=5, metadata=[metadata])
                refused = Refused(caught.exception)
                self.assertEqual((refused.code.name, refused.reason), ("UNAUTHENTICATED", "SIGNATURE_INVALID"), what)
                self.assertEqual(refused.metadata["fault"], "signature")
        verify(*signed.evidence(), self.demo.log_key())
        # An inspector is shown the record; what proves it needs no program of ours.
        folder = self.folder / "signed"
        signed.save(folder)
        command = [BINARY, "audit", "signature", "--data-dir", self.demo.folder, "--record", str(signed.receipt.index)]
        command += ["--request", folder / "request.bin", "--out", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("The signature holds.", done.stdout)
        to_sign, signature, der = ((folder / name).read_bytes() for name in ("signed.bin", "signature.bin", "certificate.der"))
        H = lambda data: hashlib.sha256(data).digest()
        self.assertEqual(to_sign, b"lienthong/request/1\0" + H(GET_PERSON.encode()) + H(signed.request_bytes))
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key().verify(signature, to_sign, ec.ECDSA(hashes.SHA256()))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        caller = "spiffe://lienthong.test/agency/Z02.DEMO.BHXH/system/bhyt"
        self.assertEqual(names.get_values_for_type(x509.UniformResourceIdentifier), [caller])
        # Another request than the one that was signed is told from it, and a record without a signature is none.
        (folder / "other.bin").write_bytes(signed.request_bytes + b"\0")
        for changed in (command[:-3] + [folder / "other.bin"], [*command[:5], "--record", "0"]):
            done = subprocess.run(changed, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def test_no_bit_of_a_response_can_change_on_its_way(self) -> None:
        key = self.demo.log_key()
        with self.demo.client("social-insurance") as client:
            request = lookup(self.demo.subject("child")).SerializeToString()
            response = client.channel.unary_unary(GET_PERSON)(request, timeout=5)
        received = lambda response: verify(*Answered.from_wire(request, response).evidence(), key)
        received(response)
        for at, bit, changed in with_one_bit_changed(response):
            self.assertFalse(holds(lambda: received(changed)), f"byte {at}, bit {bit}")

    def test_evidence_that_a_client_saved_holds_for_both_verifiers(self) -> None:
        folder = self.folder / "saved"
        with self.demo.client("social-insurance") as client:
            client.get_person(lookup(self.demo.subject("child"))).save(folder)
        key = ("--log-key", self.demo.json["log_key"])
        for command in ([sys.executable, "-I", HERE / "verify.py"], [BINARY, "audit", "verify"]):
            done = subprocess.run([*command, folder, *key], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_revoked_caller_is_refused_with_details_in_both_languages(self) -> None:
        refused = self.refused("former", lookup(self.demo.subject("child")))
        self.assertEqual(refused.code, grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual((refused.reason, refused.domain), ("CONNECTION_NOT_ACTIVE", "lienthong.gov.vn"))
        self.assertEqual(refused.vi, "Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt.")
        self.assertEqual(refused.en, "The connection is absent, suspended or ended.")
        self.assertTrue(refused.metadata["record_index"].isdigit())
        self.assertEqual(refused.metadata["article"], "Decree 70/2024/ND-CP, Art. 7(2)")

    def test_every_faulty_field_is_named_at_once_and_no_value_is_repeated(self) -> None:
        bad = lookup(self.demo.subject("child"))
        bad.subject.personal_number = "99832660362"
        bad.claims.date_of_birth.month = 13
        bad.ClearField("items")
        bad.ClearField("basis")
        bad.ClearField("request_id")
        refused = self.refused("social-insurance", bad)
        self.assertEqual(refused.code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual((refused.reason, refused.domain), ("INVALID_REQUEST", "lienthong.gov.vn"))
        named = {"subject.personal_number", "claims.date_of_birth", "items", "basis", "request_id"}
        self.assertEqual(set(refused.fields), named)
        self.assertNotIn("99832660362", str(refused))
        self.assertTrue(refused.vi and refused.en)

    def test_a_stranger_gets_no_answer(self) -> None:
        ca = Path(self.demo.json["ca"]).read_bytes()
        options = [("grpc.ssl_target_name_override", self.demo.json["server_name"])]
        credentials = grpc.ssl_channel_credentials(root_certificates=ca)
        request = lookup(self.demo.subject("child")).SerializeToString()
        endpoint = self.demo.json["endpoint"]
        channels = {
            "no certificate": grpc.secure_channel(endpoint, credentials, options),
            "no TLS": grpc.insecure_channel(endpoint),
        }
        for what, channel in channels.items():
            with channel, self.assertRaises(grpc.RpcError, msg=what) as caught:
                channel.unary_unary(GET_PERSON)(request, timeout=5)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE, what)

    def test_the_verifier_that_is_printed_is_the_one_tested_here(self) -> None:
        self.assertEqual(printed("services/audit/README.md"), (HERE / "verify.py").read_text("utf-8"))

    def test_the_example_of_the_readme_runs(self) -> None:
        shown = printed("README.md")
        self.assertTrue((HERE / "example.py").read_text("utf-8").endswith(shown), "README.md prints another example")
        command = [sys.executable, HERE / "example.py", self.demo.folder / "demo.json"]
        environment = os.environ | {"PYTHONUTF8": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.demo.subject("child")["full_name"], done.stdout)
        self.assertIn("agreement-scope", done.stdout)


class Restart(unittest.TestCase):
    def test_sigterm_ends_it_and_a_second_start_keeps_persons_and_log(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "demo"

        def once(subject: dict | None) -> tuple[dict, Answered, str]:
            with Demo(folder) as demo, demo.client("social-insurance") as client:
                subject = subject or demo.subject("child")
                answered = client.get_person(lookup(subject))
                # The connection is still open.
                self.assertEqual(demo.stop(), 0, demo.said.read_text("utf-8"))
                return subject, answered, demo.log_key()

        subject, first, key = once(None)
        _, second, same_key = once(subject)
        self.assertEqual(key, same_key)
        self.assertEqual(second.answer.outcome, LOOKUP_OUTCOME_MATCH)
        self.assertEqual((second.answer.items, second.answer.etag), (first.answer.items, first.answer.etag))
        self.assertGreater(second.receipt.index, first.receipt.index)
        for answered in (first, second):
            verify(*answered.evidence(), key)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BINARY = str(Path(sys.argv.pop(1)).resolve())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it started is ended
    unittest.main(verbosity=2)
