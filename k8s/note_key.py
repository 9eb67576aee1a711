"""Makes the key pair of an access log: `log.key`, its secret half, and `log.vkey`, by which receipts are checked.

    python3 k8s/log_key.py lienthong.test/lienthong-access/2026 FOLDER      (needs the package `cryptography`)

The format is that of signed notes (C2SP signed-note); the name is `audit.origin` of the configuration.
"""

import base64
import hashlib
import os
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"


def make(origin, folder):
    if not origin or set(origin) & set("+ \t\n"):
        raise SystemExit("the name of a log has no space and no plus")
    secret = Ed25519PrivateKey.generate()
    public = ED25519 + secret.public_key().public_bytes_raw()
    number = hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4].hex()
    halves = {
        "log.key": (f"PRIVATE+KEY+{origin}+{number}", ED25519 + secret.private_bytes_raw(), 0o400),
        "log.vkey": (f"{origin}+{number}", public, 0o444),
    }
    for name, (head, key, mode) in halves.items():
        # Never over a key that is there: a log that loses its key has to end.
        file = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(file, "w") as out:
            out.write(f"{head}+{base64.b64encode(key).decode()}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    make(*sys.argv[1:])
