"""Recomputes the committed test vector of a leaf with nothing but the standard library."""
import hashlib, hmac, json, pathlib, sys

v = json.loads((pathlib.Path(__file__).parent / "leaf.json").read_text("utf-8"))
H = lambda b: hashlib.sha256(b).digest()
raw = lambda name: bytes.fromhex(v[name])
mac = lambda key, message: hmac.new(raw(key), message, hashlib.sha256).digest()

outer = mac("outer_key", b"lienthong/outer/1\0" + H(v["context"].encode()) + H(raw("request")) + H(raw("answer")))
inner = mac("inner_key", b"lienthong/inner/1\0" + H(raw("decision")))
leaf = b"lienthong/leaf/1" + v["time_ms"].to_bytes(8, "big") + raw("record_id") + outer + inner
ok = len(leaf) == 104 and leaf == raw("leaf") and H(b"\0" + leaf) == raw("leaf_hash")
sys.exit(0 if ok else "the leaf differs from the vector")
