"""Envoy's external authorization by policy, with a real Envoy: test_authz.py PATH_TO_LIENTHONG PATH_TO_ENVOY

A database that is not ours stands behind a proxy that makes the mutual TLS and asks policy about each call.
"""

import atexit
import http.client
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent import futures

import grpc

import envoy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "k8s"))
import note_key  # noqa: E402

WAIT_SECONDS = 60
BINARY, ENVOY = "", ""
METHOD = "/vn.example.LandRegister/GetPlot"
# As tests/testdata/registry.toml has them.
CALLERS = {
    "insurance": ("--agency", "Z24.TEST", "--system", "health-insurance"),
    "suspended": ("--agency", "Z99.TEST", "--system", "suspended"),
    "unconnected": ("--agency", "Z99.TEST", "--system", "nobody"),
    "officer": ("--operator", "7"),
    "exchange": ("--service", "exchange"),
    "contribution": ("--service", "contribution"),
}
GROUND = {"x-lienthong-procedure": "child-health-insurance-card", "x-lienthong-legal-basis": "1911-2021-art-2-1"}


def until(what, look):
    """What `look` finds, once it does."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {WAIT_SECONDS} s")


class Database(grpc.GenericRpcHandler):
    """Answers every call with the decision that it was handed over under."""

    def __init__(self):
        self.asked = 0

    def service(self, details):
        def answer(_request, context):
            self.asked += 1
            said = [value for name, value in context.invocation_metadata() if name == "x-lienthong-decision"]
            return ",".join(said).encode()

        return grpc.unary_unary_rpc_method_handler(answer)


class House:
    """Envoy before a database, and policy."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.processes = {}
        atexit.register(self.end)
        pki = self.folder / "pki"
        run = lambda *arguments: subprocess.run([BINARY, *arguments], check=True, capture_output=True)
        run("pki", "init", "--dir", pki)
        run("pki", "issue", "--dir", pki, "--name", "policy", "--service", "policy", "--dns", "policy")
        run("pki", "issue", "--dir", pki, "--name", "proxy", "--service", "proxy", "--dns", "database")
        for name, identity in CALLERS.items():
            run("pki", "issue", "--dir", pki, "--name", name, *identity)
        self.database = Database()
        self.server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[self.database])
        self.server.add_insecure_port(f"unix:{self.folder}/database.sock")
        self.server.start()
        self.port = self.free_port()
        note_key.make("policy", "lienthong.test/lienthong-decisions/mesh", self.folder)
        (self.folder / "policy.toml").write_text(f"""
[server]
listen = "127.0.0.1:{self.port}"
certificate = "pki/policy.pem"
key = "pki/policy.key"
ca = "pki/ca.pem"
lame_duck_seconds = 0
[policy]
decision_key_file = "policy.key"
database = "sqlite://{self.folder}/policy.db"
registry_file = "{ROOT}/tests/testdata/registry.toml"
authz_paths = ["/vn.example."]
authz_services = ["exchange"]
""")
        self.start_policy()
        (self.folder / "envoy.json").write_text(json.dumps(self.configuration()))
        self.start("envoy", ENVOY, "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
        self.proxy = until("Envoy", self.listening)

    @staticmethod
    def free_port():
        """Below those that the system gives away, because a restart must find it free."""
        low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        for port in range(low - 1, 1024, -1):
            with socket.socket() as tried:
                try:
                    tried.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise AssertionError("no port is free")

    def configuration(self):
        pki = self.folder / "pki"
        policy = envoy.cluster("policy", "", envoy.tls("Upstream", "proxy", pki, sni="policy"))
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        policy["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        authz = {
            "@type": f"{envoy.TYPE}filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "policy"}, "timeout": "5s"},
            "failure_mode_allow": False,
            # What cannot be decided is an outage: without this it would look like a denial.
            "status_on_error": {"code": "ServiceUnavailable"},
        }
        router = {"@type": f"{envoy.TYPE}filters.http.router.v3.Router"}
        filters = [{"name": "authz", "typed_config": authz}, {"name": "router", "typed_config": router}]
        free = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        secured = envoy.tls("Downstream", "proxy", pki, require_client_certificate=True)
        listener = envoy.listener("database", free, "database", secured, http_filters=filters)
        clusters = [policy, envoy.cluster("database", f"{self.folder}/database.sock")]
        return {
            "admin": {"address": envoy.pipe(f"{self.folder}/admin.sock")},
            "static_resources": {"listeners": [listener], "clusters": clusters},
        }

    def start_policy(self):
        self.start("policy", BINARY, "serve", "policy", "--config", "policy.toml")
        until("policy", lambda: '"serving"' in (self.folder / "policy.log").read_text())

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "w") as log:
            self.processes[name] = subprocess.Popen(command, cwd=self.folder, stderr=log, stdout=log)

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        process.wait(WAIT_SECONDS)

    def end(self):
        for name in list(self.processes):
            self.stop(name)
        self.server.stop(None)
        shutil.rmtree(self.folder)

    def admin(self, path):
        admin = http.client.HTTPConnection("localhost")
        admin.sock = socket.socket(socket.AF_UNIX)
        try:
            admin.sock.connect(str(self.folder / "admin.sock"))
            admin.request("GET", path)
            return json.load(admin.getresponse())
        except OSError:
            return {}
        finally:
            admin.close()

    def listening(self):
        found = self.admin("/listeners?format=json").get("listener_statuses")
        return found and found[0]["local_address"]["socket_address"]["port_value"]

    def counted(self):
        """What Envoy has counted of its questions."""
        found = self.admin("/stats?format=json&filter=ext_authz")["stats"]
        return {one["name"].rpartition(".")[2]: one["value"] for one in found if "value" in one}

    def ask(self, who, method=METHOD, **headers):
        """How a call ended: its code, the reason of a denial, the decision under which it passed."""
        read = lambda file: (self.folder / "pki" / file).read_bytes()
        keys = grpc.ssl_channel_credentials(read("ca.pem"), read(f"{who}.key"), read(f"{who}.pem"))
        options = [("grpc.ssl_target_name_override", "database")]
        metadata = [(name.replace("_", "-"), value) for name, value in headers.items()]
        with grpc.secure_channel(f"127.0.0.1:{self.proxy}", keys, options) as channel:
            try:
                answer = channel.unary_unary(method)(b"", timeout=WAIT_SECONDS, metadata=metadata)
                return "OK", "", answer.decode()
            except grpc.RpcError as error:
                trailers = dict(error.trailing_metadata() or ()) | dict(error.initial_metadata() or ())
                details = trailers.get("grpc-status-details-bin", b"")
                reason = trailers.get("x-lienthong-reason", "")
                # The same stands in the details, where gRPC's own clients look.
                same = not reason or reason.encode() in details and b"lienthong.gov.vn" in details
                return error.code().name, reason if same else f"other details than {reason}", ""


class Authz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()

    def refused(self, reason, who, **call):
        before = self.house.database.asked
        self.assertEqual(self.house.ask(who, **call), ("PERMISSION_DENIED", reason, ""), (who, call))
        self.assertEqual(self.house.database.asked, before, "the database was asked all the same")

    def test_a_connected_system_passes_and_the_database_is_told_the_decision(self):
        code, _, decision = self.house.ask("insurance", x_lienthong_decision="forged")
        self.assertEqual((code, len(decision)), ("OK", 32))
        code, _, again = self.house.ask("insurance", **GROUND)
        self.assertEqual(code, "OK")
        self.assertNotEqual(decision, again)
        self.assertEqual(self.house.ask("exchange")[0], "OK")

    def test_i2_whoever_else_is_refused_with_a_reason(self):
        self.refused("CONNECTION_NOT_ACTIVE", "suspended")
        self.refused("CONNECTION_NOT_ACTIVE", "unconnected")
        for who in ("officer", "contribution"):
            self.refused("METHOD_NOT_ALLOWED", who)
        for method in ("/vn.other.LandRegister/GetPlot", "/lienthong.database.v1.LookupService/GetRecord", "/vn.example.x"):
            self.refused("METHOD_NOT_ALLOWED", "insurance", method=method)

    def test_i2_a_ground_must_be_granted(self):
        self.assertEqual(self.house.ask("insurance", **GROUND, x_lienthong_items="sex,date_of_birth")[0], "OK")
        self.refused("NO_AGREEMENT", "insurance", **GROUND | {"x-lienthong-procedure": "birth-registration"})
        self.refused("BASIS_NOT_IN_FORCE", "insurance", **GROUND | {"x-lienthong-legal-basis": "law-of-nowhere"})
        self.refused("NOTHING_ALLOWED", "insurance", **GROUND, x_lienthong_items="shoe_size")
        self.refused("INVALID_REQUEST", "insurance", x_lienthong_procedure="child-health-insurance-card")
        self.refused("INVALID_REQUEST", "insurance", **GROUND, x_lienthong_items="sex,sex")

    def test_i9_an_outage_is_no_denial(self):
        before = self.house.counted()
        self.house.stop("policy")
        asked = self.house.database.asked
        for who in ("insurance", "suspended"):
            self.assertEqual(self.house.ask(who), ("UNAVAILABLE", "", ""))
        after = self.house.counted()
        self.assertGreaterEqual(after["error"], before.get("error", 0) + 2)
        self.assertEqual(after.get("denied", 0), before.get("denied", 0))
        self.assertEqual(self.house.database.asked, asked, "the database was asked all the same")
        self.house.start_policy()
        until("policy again", lambda: self.house.ask("insurance")[0] == "OK")
        self.refused("CONNECTION_NOT_ACTIVE", "suspended")


if __name__ == "__main__":
    BINARY, ENVOY = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it started is ended
    unittest.main(argv=[sys.argv[0], "-v"])
