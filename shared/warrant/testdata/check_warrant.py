"""Recomputes the committed test vector of a warrant with nothing but the standard library: the commitment to the subject, the
thumbprints of certificate and key, and the signature (Ed25519 as RFC 8032, 5.1 writes it)."""
import base64, hashlib, hmac, json, pathlib, sys

v = json.loads((pathlib.Path(__file__).parent / "warrant.json").read_text("utf-8"))
raw = lambda name: bytes.fromhex(v[name])
b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
un64 = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    """Points as (X : Y : Z : T), RFC 8032, 5.1.4."""
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    r, s = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    sum_ = (0, 1, 1, 0)
    while number:
        if number & 1:
            sum_ = add(sum_, point)
        point, number = add(point, point), number >> 1
    return sum_


def point(data):
    y = int.from_bytes(data, "little") & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 != data[31] >> 7 else x
    return x, y, 1, x * y % P


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


def signed(key, message, signature):
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    return s < L and same(times(s, base), add(point(r), times(k, point(key))))


header, payload, signature = v["warrant"].split(".")
jwk = v["jwks"]["keys"][0]
thumbprint = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
subject = hmac.new(raw("opening"), b"lienthong/warrant-subject/1\0" + v["personal_number"].encode(), hashlib.sha256)
claims = json.loads(un64(payload))
for what, holds in {
    "the header": json.loads(un64(header)) == {"alg": "EdDSA", "typ": "lienthong-warrant+jwt", "kid": jwk["kid"]},
    "the key's id": jwk["kid"] == b64(hashlib.sha256(thumbprint.encode()).digest()),
    "the claims": claims == v["claims"],
    "the subject": claims["subject"] == b64(subject.digest()),
    "the holder": claims["cnf"]["x5t#S256"] == b64(hashlib.sha256(raw("certificate")).digest()),
    "the signature": signed(un64(jwk["x"]), f"{header}.{payload}".encode(), un64(signature)),
    "that another message is not signed": not signed(un64(jwk["x"]), f"{header}.{payload}x".encode(), un64(signature)),
}.items():
    if not holds:
        sys.exit(f"{what} differs from the vector")
