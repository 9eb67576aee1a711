"""A server that does not want to: unwilling.py DEMO_FOLDER PORT_FILE

It answers a lookup whose request_id is `third-time` at the third attempt, one of `malformed` with bytes that are no
answer, and every other never: UNAVAILABLE, with the number of the attempt and when to come again. It serves with the
certificate of a demonstration, at a port that it writes into PORT_FILE, until it gets SIGTERM.
"""
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from lienthong.identity.v1.identity_service_pb2 import GetPersonAnswer, GetPersonRequest, GetPersonResponse


def get_person(request: GetPersonRequest, context: grpc.ServicerContext) -> bytes:
    # gRFC A6: how often the client has tried before.
    attempt = 1 + int(dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts", "0"))
    if request.request_id == "third-time" and attempt == 3:
        return GetPersonResponse(answer=GetPersonAnswer(request_id=request.request_id)).SerializeToString()
    if request.request_id == "malformed":
        return b"\xff"
    info = error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="lienthong.gov.vn", metadata={"attempt": f"{attempt}"})
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="The server is overloaded.")
    for detail in (info, error_details_pb2.RetryInfo(retry_delay=Duration(seconds=7))):
        status.details.append(Any())
        status.details[-1].Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNAVAILABLE, status.message)


def main() -> None:
    pki, port_file = Path(sys.argv[1]) / "pki", Path(sys.argv[2])
    key, certificate, ca = ((pki / name).read_bytes() for name in ("all.key", "all.pem", "ca.pem"))
    handler = grpc.unary_unary_rpc_method_handler(get_person, GetPersonRequest.FromString)
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("lienthong.identity.v1.IdentityService", {"GetPerson": handler})]
    )
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)], ca, True))
    server.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    port_file.with_suffix(".new").write_text(f"{port}")
    port_file.with_suffix(".new").rename(port_file)
    stop.wait()
    server.stop(None)


if __name__ == "__main__":
    main()
