"""The civil-status database of an example: source and lookup (Decision 1911/QD-TTg, Art. 2(2), 2(3)) over mutual TLS.
It prints where it listens as one line of JSON, and ends with Ctrl-C or SIGTERM."""
import argparse
import asyncio
import json
import os
import signal

# DB-1: grpcio cannot be told a lowest version of TLS. With no suite but one that needs a key shared beforehand, which
# nobody has, TLS 1.2 finds none in common; the suites of TLS 1.3 are not of this list. It is read when gRPC starts.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-PSK-AES128-CBC-SHA"

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from service import CivilStatus
from store import Store
from warrants import Warrants

REFLECTION = "grpc.reflection.v1.ServerReflection"
GRACE_SECONDS = 2
OPTIONS = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),  # DB-9: a larger request is refused by the library
    ("grpc.so_reuseport", 0),  # a port belongs to one server
    # A stream that follows may be silent for hours: its caller may look whether we live, and we look whether it does.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="with port 0 a free one is taken")
    for name, what in {"database": "SQLite file, made when it is not there", "ca": "authority of the callers",
                       "certificate": "of this server", "key": "of the certificate"}.items():
        parser.add_argument(f"--{name}", required=True, metavar="FILE", help=what)
    parser.add_argument("--allow", action="append", default=[], metavar="SPIFFE_ID", help="a caller, repeated")
    parser.add_argument("--warrant-issuer", metavar="SPIFFE_ID", default="spiffe://lienthong.test/service/policy",
                        help="the policy service")
    parser.add_argument("--warrant-keys", metavar="FILE", help="its keys (JWKS); without them nobody is told of a person")
    return parser.parse_args()


def add_reflection(server: grpc.aio.Server, services: list[str]) -> None:
    """DB-15: grpcio has the messages of the protocol under its old name; they are the same under its present one."""
    servicer = reflection.aio.ReflectionServicer([*services, health.SERVICE_NAME, REFLECTION])
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo, reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString)
    handler = grpc.method_handlers_generic_handler(REFLECTION, {"ServerReflectionInfo": method})
    server.add_generic_rpc_handlers((handler,))


async def serve(args: argparse.Namespace) -> None:
    server = grpc.aio.server(options=OPTIONS)
    store, state = Store(args.database), health.aio.HealthServicer()
    warrants = Warrants(args.warrant_issuer, args.warrant_keys, store)
    database = CivilStatus(store, set(args.allow), warrants)
    database.add_to(server)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    for service in database.SERVICES:  # DB-4; the empty name is there from the beginning
        await state.set(service, health_pb2.HealthCheckResponse.SERVING)
    add_reflection(server, database.SERVICES)
    key, certificate, ca = (open(file, "rb").read() for file in (args.key, args.certificate, args.ca))
    tls = grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)  # DB-2
    port = server.add_secure_port(args.listen, tls)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    print(json.dumps({"endpoint": f"{args.listen.rpartition(':')[0]}:{port}"}), flush=True)
    await stop.wait()
    database.stopping = True
    await state.enter_graceful_shutdown()
    await server.stop(GRACE_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
