"""Makes a key pair: of an access log `log.key`, which signs, and `log.vkey`, by which receipts are checked; of policy
`policy.key` and `policy.vkey`, by which decisions are. Or a key alone, `kek.key`, which wraps the keys of the log's records.

    python3 k8s/note_key.py log lienthong.test/lienthong-access/2026 FOLDER      (needs the package `cryptography`)
    python3 k8s/note_key.py policy lienthong.test/lienthong-decisions/2026 FOLDER
    python3 k8s/note_key.py kek FOLDER

The format of a pair is that of signed notes (C2SP signed-note). The name of a log is `audit.origin` of the configuration, that of policy's
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
        write(folder, file_name, f"{head}+{base64.b64encode(key).decode()}\n", mode)


def make_kek(folder):
    write(folder, "kek.key", f"lienthong-kek:v1:{base64.b64encode(os.urandom(32)).decode()}\n", 0o400)


def write(folder, file_name, text, mode):
    # Never over a key that is there: a log that loses its key has to end.
    file = os.open(os.path.join(folder, file_name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "w") as out:
        out.write(text)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["kek", folder]:
            make_kek(folder)
        case ["log" | "policy" as whose, name, folder]:
            make(whose, name, folder)
        case _:
            raise SystemExit(__doc__)
