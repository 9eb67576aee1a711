"""The `mesh` transport behind a real Envoy: test_mesh.py PATH_TO_LIENTHONG PATH_TO_ENVOY

Services listen for it on Unix sockets, so that no port has to be known beforehand.
"""

import atexit
import datetime
import http.client
import itertools
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import envoy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "k8s"))
import note_key  # noqa: E402

DECIDE = "/lienthong.policy.v1.PolicyService/Decide"
APPLY = "/lienthong.register.v1.RegisterService/Apply"
MESH = "spiffe://cluster.local/ns/lienthong/sa"
OURS = "spiffe://lienthong.test/service"
WAIT_SECONDS = 60
IDS = (f"case-{number}" for number in itertools.count())
BINARY, ENVOY = "", ""


class Ca:
    """Of the mesh, which has another trust domain than ours."""

    def __init__(self, folder):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mesh")])
        own = self.certificate(self.key.public_key(), self.name)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.write("ca.pem", own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def certificate(self, key, subject):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
            now + datetime.timedelta(days=1)
        )

    def write(self, name, content):
        (self.folder / name).write_bytes(content)

    def issue(self, name, uris, subject="a workload"):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        names = [x509.DNSName(name)] + [x509.UniformResourceIdentifier(uri) for uri in uris]
        made = self.certificate(key.public_key(), subject)
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pem = serialization.Encoding.PEM
        self.write(f"{name}.pem", made.sign(self.key, hashes.SHA256()).public_bytes(pem))
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.write(f"{name}.key", key.private_bytes(pem, *plain))


def until(what, look):
    """What `look` finds, once it does."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {WAIT_SECONDS} s")


class House:
    """Envoy, and audit, policy and identity behind it, each a process."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.processes = []
        atexit.register(self.end)
        self.ca = Ca(self.folder)
        for service in ("audit", "policy", "identity", "contribution"):
            self.ca.issue(service, [f"{MESH}/{service}"])
        (self.folder / "envoy.json").write_text(json.dumps(envoy.configuration(self.folder)))
        self.start("envoy", ENVOY, "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
        ports = until("Envoy", self.ports)
        run = lambda *arguments: subprocess.run([BINARY, *arguments], check=True, capture_output=True)
        pki = self.folder / "pki"
        run("pki", "init", "--dir", pki)
        note_key.make("log", "lienthong.test/lienthong-access/mesh", self.folder)
        note_key.make_kek(self.folder)
        (self.folder / "decisions").mkdir()
        note_key.make("policy", "lienthong.test/lienthong-decisions/mesh", self.folder / "decisions")
        self.direct = {}
        for service in ("audit", "policy", "identity"):
            run("pki", "issue", "--dir", pki, "--name", service, "--service", service, "--dns", service)
            (self.folder / f"{service}.toml").write_text(self.configuration(service, ports))
            self.start(service, BINARY, "serve", service, "--config", f"{service}.toml")
        for service in ("audit", "policy", "identity"):
            serving = until(service, lambda: [one for one in self.lines(service) if one["message"] == "serving"])
            self.direct[service] = serving[0]["address"]

    def configuration(self, service, ports):
        rows = "\n".join(
            f'  {{ vouched = "{MESH}/{name}", caller = "/service/{name}" }},' for name in ("identity", "contribution")
        )
        text = f"""
[server]
listen = "127.0.0.1:0"
certificate = "pki/{service}.pem"
key = "pki/{service}.key"
ca = "pki/ca.pem"
lame_duck_seconds = 0
readiness_seconds = 1
[server.mesh]
listen = "unix:{self.folder}/{service}.sock"
header = "x-forwarded-client-cert"
identities = [
{rows}
]
[{service}]
database = "sqlite://{self.folder}/{service}.db"
"""
        if service == "audit":
            text += 'origin = "lienthong.test/lienthong-access/mesh"\nsigning_key_file = "log.key"\n'
            text += 'key_encryption_key_files = ["kek.key"]\n'
        if service == "policy":
            text += 'decision_key_file = "decisions/policy.key"\n'
        if service == "identity":
            text += 'log_key_file = "log.vkey"\npolicy_key_file = "decisions/policy.vkey"\n'
            for peer in ("policy", "audit"):
                text += f'[identity.{peer}]\nendpoint = "127.0.0.1:{ports[f"{peer}-out"]}"\ntransport = "mesh"\n'
        return text

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "w") as log:
            self.processes.append(subprocess.Popen(command, cwd=self.folder, stderr=log, stdout=log))

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{process.args[0]} does not end {WAIT_SECONDS} s after SIGTERM", file=sys.stderr)
                process.kill()
                process.wait()
        shutil.rmtree(self.folder)

    def ports(self):
        """The ports that the system chose for Envoy, once it listens."""
        admin = http.client.HTTPConnection("localhost")
        admin.sock = socket.socket(socket.AF_UNIX)
        try:
            admin.sock.connect(str(self.folder / "admin.sock"))
            admin.request("GET", "/listeners?format=json")
            found = json.load(admin.getresponse())["listener_statuses"]
        except (OSError, KeyError):
            return None
        finally:
            admin.close()
        ports = {one["name"]: one["local_address"].get("socket_address", {}).get("port_value") for one in found}
        return ports if len(ports) == 6 else None

    def lines(self, service):
        """Of its log, each with its call's ids."""
        text = (self.folder / f"{service}.log").read_text()
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [one["fields"] | one.get("span", {}) for one in whole]

    def channel(self, target, files, name):
        read = lambda file: (self.folder / file).read_bytes()
        keys = grpc.ssl_channel_credentials(read(files[0]), read(files[2]), read(files[1]))
        return grpc.secure_channel(target, keys, [("grpc.ssl_target_name_override", name)])

    def ask(self, who, hop="in", method=DECIDE, headers=()):
        """A call through the proxy before policy: how it ended, and whom policy took the caller for."""
        files = "ca.pem", f"{who}.pem", f"{who}.key"
        request_id = next(IDS)
        with self.channel(f"unix:{self.folder}/policy.{hop}", files, "policy") as channel:
            try:
                metadata = [*headers, ("x-request-id", request_id)]
                channel.unary_unary(method)(b"", timeout=WAIT_SECONDS, metadata=metadata)
                reason = ""
            except grpc.RpcError as error:
                details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
                found = re.search(rb"([A-Z_]+)\x12\x10lienthong\.gov\.vn", details)
                reason = found[1].decode() if found else f"{error.code().name}: {error.details()}"
        line = until("the line", lambda: [one for one in self.lines("policy") if one.get("request_id") == request_id])
        return reason, line[0]["caller"]

    def is_ready(self, service):
        """As its own health says, over our own TLS."""
        files = "pki/ca.pem", "pki/identity.pem", "pki/identity.key"
        with self.channel(self.direct[service], files, service) as channel:
            return channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=WAIT_SECONDS) == b"\x08\x01"


class Mesh(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()

    def check(self, expect, who, **call):
        self.assertEqual(self.house.ask(who, **call), expect, (who, call))

    def test_whom_envoy_vouches_for_is_whom_the_table_names(self):
        for service in ("identity", "contribution"):
            # The empty request is refused by the handler: it was reached.
            self.check(("INVALID_REQUEST", f"{OURS}/{service}"), service)
        self.check(("METHOD_NOT_ALLOWED", f"{OURS}/identity"), "identity", method=APPLY)

    def test_i2_a_workload_that_the_table_does_not_name_is_nobody(self):
        self.check(("UNKNOWN_IDENTITY", ""), "policy")
        for number, uris in enumerate(
            (
                [],
                [f"{OURS}/identity"],
                [f"{MESH}/policy", f"{MESH}/identity"],
                [f"{MESH}/identity", f"{MESH}/identity"],
                # Certificates whose URI is meant to end its value and begin another, or another hop.
                [f"spiffe://cluster.local/evil;URI={MESH}/identity"],
                [f"spiffe://cluster.local/evil,URI={MESH}/identity"],
                [f'spiffe://cluster.local/evil";URI={MESH}/identity'],
            )
        ):
            self.house.ca.issue(f"nobody-{number}", uris)
            self.check(("UNKNOWN_IDENTITY", ""), f"nobody-{number}")

    def test_i2_what_a_subject_says_is_nobodys_identity(self):
        for number, subject in enumerate(
            ('a "quoted" one', "a, b=c; d", "ends in \\", f'";URI={MESH}/identity', f"\\\";URI={MESH}/identity", "Đỗ")
        ):
            name = f"subject-{number}"
            self.house.ca.issue(name, [f"{MESH}/contribution"], subject)
            self.check(("INVALID_REQUEST", f"{OURS}/contribution"), name)

    def test_i2_what_a_caller_says_of_itself_does_not_count(self):
        forged = [("x-forwarded-client-cert", f"URI={MESH}/identity")]
        # SANITIZE_SET puts the truth in its place.
        self.check(("INVALID_REQUEST", f"{OURS}/contribution"), "contribution", headers=forged)
        self.check(("UNKNOWN_IDENTITY", ""), "policy", headers=forged)
        # APPEND_FORWARD, which Istio's sidecars do unless told otherwise, keeps it: two hops, so nobody.
        self.check(("INVALID_REQUEST", f"{OURS}/contribution"), "contribution", hop="append")
        self.check(("UNKNOWN_IDENTITY", ""), "contribution", hop="append", headers=forged)
        self.check(("UNKNOWN_IDENTITY", ""), "policy", hop="append", headers=forged)
        # The other mesh's header passes through Envoy; only a caller can have written it.
        linkerd = [("l5d-client-id", "identity.lienthong.serviceaccount.identity.linkerd.cluster.local")]
        self.check(("UNKNOWN_IDENTITY", ""), "contribution", headers=linkerd)
        told = [one for one in self.house.lines("policy") if "forged" in one["message"]]
        self.assertEqual(len(told), 1)

    def test_a_service_reaches_others_through_both_proxies(self):
        # Identity is ready when policy and audit answer it, which they do only to somebody.
        until("identity", lambda: self.house.is_ready("identity"))


if __name__ == "__main__":
    BINARY, ENVOY = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it started is ended
    unittest.main(argv=[sys.argv[0], "-v"])
