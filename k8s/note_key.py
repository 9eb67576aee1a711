"""Makes a key pair: of an access log `log.key`, which signs, and `log.vkey`, by which receipts are checked; of policy
`policy.key` and `policy.vkey`, by which decisions are.

    python3 k8s/note_key.py log lienthong.test/lienthong-access/2026 FOLDER      (needs the package `cryptography`)
    python3 k8s/note_key.py policy lienthong.test/lienthong-decisions/2026 FOLDER

The format is that of signed notes (C2SP signed-note). The name of a log is `audit.origin` of the configuration, that of policy's
key anything that says whose and which it is.
"""

import base64
import hashlib
import os
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"


def make(whose, name, folder):
    if not name or set(name) & set("+ \t\n"):
        raise SystemExit("the name of a key has no space and no plus")
    secret = Ed25519PrivateKey.generate()
    public = ED25519 + secret.public_key().public_bytes_raw()
    number = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex()
    halves = {
        f"{whose}.key": (f"PRIVATE+KEY+{name}+{number}", ED25519 + secret.private_bytes_raw(), 0o400),
        f"{whose}.vkey": (f"{name}+{number}", public, 0o444),
    }
    for file_name, (head, key, mode) in halves.items():
        # Never over a key that is there: a log that loses its key has to end.
        file = os.open(os.path.join(folder, file_name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(file, "w") as out:
            out.write(f"{head}+{base64.b64encode(key).decode()}\n")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("log", "policy"):
        raise SystemExit(__doc__)
    make(*sys.argv[1:])
