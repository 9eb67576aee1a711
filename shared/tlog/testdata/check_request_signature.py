"""Recomputes the committed test vector of a signed request with nothing but the standard library; the signature itself it cannot."""
import hashlib, json, pathlib, sys

v = json.loads((pathlib.Path(__file__).parent / "request_signature.json").read_text("utf-8"))
H = lambda b: hashlib.sha256(b).digest()
raw = lambda name: bytes.fromhex(v[name])
field = lambda number, data: bytes([number << 3 | 2, len(data)]) + data  # each is shorter than 128 bytes

to_sign = b"lienthong/request/1\0" + H(v["method"].encode()) + H(raw("request"))
metadata = field(1, v["algorithm"].encode()) + field(2, H(raw("certificate"))) + field(3, raw("signature"))
ok = len(to_sign) == 84 and to_sign == raw("to_sign") and metadata == raw("metadata")
sys.exit(0 if ok else "what is signed differs from the vector")
