"""The check of receipts against committed vectors, and that no changed bit of them holds."""
import base64
import json
import unittest
from importlib.resources import files
from pathlib import Path

from lienthong.audit.v1.receipt_pb2 import Receipt, SealedResponse
from lienthong_sdk import ReceiptError, verify
from lienthong_sdk.receipt import leaf_hash, outer_commitment

ROOT = Path(__file__).resolve().parents[4]
SAMPLE = ROOT / "services/lienthong/testdata/receipt"


def sample() -> tuple[bytes, bytes, str]:
    """Request, response and key of the committed receipt."""
    data = {name: (SAMPLE / f"{name}.bin").read_bytes() for name in ("request", "answer", "leaf", "opening")}
    # A C2SP tlog-proof: its name, the index, the hashes, an empty line, the checkpoint.
    head, checkpoint = (SAMPLE / "receipt.tlog-proof").read_text("utf-8").split("\n\n", 1)
    _, index, *hashes = head.split("\n")
    receipt = Receipt(
        leaf=data["leaf"],
        index=int(index.removeprefix("index ")),
        proof=map(base64.b64decode, hashes),
        checkpoint=checkpoint,
        opening=data["opening"],
    )
    sealed = SealedResponse(answer=data["answer"], receipt=receipt.SerializeToString())
    return data["request"], sealed.SerializeToString(), (SAMPLE / "log.vkey").read_text()


class Vectors(unittest.TestCase):
    def test_leaf_and_outer_commitment(self) -> None:
        vector = json.loads((ROOT / "shared/tlog/testdata/leaf.json").read_text("utf-8"))
        as_bytes = lambda name: bytes.fromhex(vector[name])
        leaf = as_bytes("leaf")
        self.assertEqual(leaf_hash(leaf), as_bytes("leaf_hash"))
        context = vector["context"].encode()
        outer = outer_commitment(as_bytes("outer_key"), context, as_bytes("request"), as_bytes("answer"))
        self.assertEqual(outer, leaf[40:72])

    def test_a_committed_receipt_holds(self) -> None:
        record = verify(*sample())
        self.assertEqual((record.index, record.size), (1, 3))
        self.assertEqual(record.method, "/lienthong.identity.v1.IdentityService/GetPerson")
        self.assertEqual(record.caller, "spiffe://lienthong.test/agency/SAMPLE/system/sample")

    def test_no_changed_bit_holds(self) -> None:
        request, response, key = sample()
        for part, data in enumerate((request, response, key.encode())):
            for at in range(len(data) * 8):
                changed = bytearray(data)
                changed[at // 8] ^= 1 << at % 8
                evidence = [request, response, key.encode()]
                evidence[part] = bytes(changed)
                with self.assertRaises(ReceiptError, msg=f"part {part}, bit {at}"):
                    try:
                        text = evidence[2].decode()
                    except UnicodeDecodeError:
                        raise ReceiptError from None
                    verify(evidence[0], evidence[1], text)

    def test_nothing_and_less_do_not_hold(self) -> None:
        request, response, key = sample()
        for other in (b"", response[:-1], response + b"\x12\x00", b"\xff" * 9):
            with self.assertRaises(ReceiptError):
                verify(request, other, key)


class Embedded(unittest.TestCase):
    def test_the_service_config_is_the_published_one(self) -> None:
        embedded = files("lienthong_sdk").joinpath("service_config.json").read_bytes()
        self.assertEqual(embedded, (ROOT / "proto/service_config.json").read_bytes())


if __name__ == "__main__":
    unittest.main()
