"""Checks one receipt offline: this request got this answer, and the log holds the record of it.

Written from proto/lienthong/audit/v1/receipt.proto, RFC 6962 and the C2SP formats, with no code of the
project. Take the log's key from a source you trust, not from whoever gave you the receipt.
"""
import argparse, base64, hashlib, hmac, pathlib, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NUMBER, HASH = "0|[1-9][0-9]{0,18}", "[A-Za-z0-9+/]{43}="
KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S{44})\n?")  # C2SP signed-note
PROOF = re.compile(  # C2SP tlog-proof, which ends with the checkpoint: a signed note
    rf"c2sp\.org/tlog-proof@v1\nindex ({NUMBER})\n((?:{HASH}\n)*)\n"
    rf"((.+)\n({NUMBER})\n({HASH})\n)\n((?:— \S+ \S+\n)+)")

H = lambda data: hashlib.sha256(data).digest()
def need(holds, reason):
    if not holds: raise ValueError(reason)
def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not in its one form")
    return data

def verify(request: bytes, answer: bytes, leaf: bytes, opening: bytes, proof_text: str, vkey: str) -> dict:
    need(key := KEY.fullmatch(vkey), "the log's key is malformed")
    need(proof := PROOF.fullmatch(proof_text), "the proof is malformed")
    (name, key_id, key), (index, path, body, origin, size, root, signatures) = key.groups(), proof.groups()
    key, index, size = unbase64(key), int(index), int(size)
    need(key[0] == 1 and H(name.encode() + b"\n" + key)[:4].hex() == key_id, "the log's key is not of its id")
    signed = [unbase64(text) for _, signer, text in map(str.split, signatures.splitlines()) if signer == name]
    signed = [signature[4:] for signature in signed if signature[:4].hex() == key_id]  # others' do not count
    for signature in signed:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, body.encode())
    need(signed and origin == name, "the checkpoint is not signed by the log's key")
    need(len(leaf) == 104 and leaf[:16] == b"lienthong/leaf/1", "the leaf is malformed")
    need(index < size, "the checkpoint is older than the record")
    node, at, last = H(b"\0" + leaf), index, size - 1  # RFC 9162, 2.1.3.2: the tree of RFC 6962
    for sibling in map(unbase64, path.split()):
        need(last > 0, "the proof is too long")
        node = H(b"\1" + sibling + node) if at % 2 or at == last else H(b"\1" + node + sibling)
        while at == last and at % 2 == 0: at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    need(last == 0 and node == unbase64(root), "the proof does not lead from the leaf to the signed root")
    message = b"lienthong/outer/1\0" + H(opening[32:]) + H(request) + H(answer)
    need(hmac.digest(opening[:32], message, "sha256") == leaf[40:72], "the record is of other content")
    need(context := re.fullmatch("(/.+)\n(.+)\n", opening[32:].decode()), "the opening is malformed")
    return {"index": index, "size": size, "method": context[1], "caller": context[2]}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--log-key", type=pathlib.Path)
    folder, log_key = vars(parser.parse_args()).values()
    try:
        data = [(folder / f"{name}.bin").read_bytes() for name in ("request", "answer", "leaf", "opening")]
        texts = [file.read_bytes().decode() for file in (folder / "receipt.tlog-proof", log_key or folder / "log.vkey")]
        print("The receipt holds: record {index} of {size}, {method}, {caller}".format_map(verify(*data, *texts)))
    except (ValueError, OSError, InvalidSignature) as error:
        sys.exit(f"The receipt does not hold: {str(error) or 'the signature is false'}")
