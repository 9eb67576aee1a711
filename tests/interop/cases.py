"""gRPC's own interoperability cases against our server core, from grpcio, over mutual TLS.

The cases are those of gRPC's doc/interop-test-descriptions.md that need no service of a cloud; each asserts what is
demanded there. Those of ours say so in their docstrings. `cases.py --help`
"""
from __future__ import annotations

import argparse
import json
import queue
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from service import PROTO, Server, Stub, message

HANG_SECONDS = 20
SIZES_ASKED, SIZES_ANSWERED = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
LARGE_ASKED, LARGE_ANSWERED = 271828, 314159
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")

Empty = message("Empty")
Simple = message("SimpleRequest")
Input = message("StreamingInputCallRequest")
Output = message("StreamingOutputCallRequest")


class Context:
    """What a case works on."""

    def __init__(self, server: Server, channel: grpc.Channel, node_modules: Path):
        self.server, self.node_modules = server, node_modules
        self.stub = Stub(channel, "TestService")
        self.nobody = Stub(channel, "UnimplementedService")


CASES: list[tuple[Callable[[Context], str | None], str]] = []


def case(of: Callable[[Context], str | None]) -> Callable[[Context], str | None]:
    """A case that passes."""
    CASES.append((of, "passed"))
    return of


def not_offered(of: Callable[[Context], str | None]) -> Callable[[Context], str | None]:
    """A case of something that our core does not offer; that it is refused is what is asserted."""
    CASES.append((of, "not offered"))
    return of


class Requests:
    """A stream of requests that is fed while answers are read; without an end it lasts as long as its call."""

    def __init__(self):
        self.queue: queue.Queue = queue.Queue()

    def send(self, request: object) -> None:
        self.queue.put(request)

    def close(self) -> None:
        self.queue.put(None)

    def __iter__(self) -> Iterator[object]:
        return iter(self.queue.get, None)


def zeros(size: int) -> dict:
    return {"body": bytes(size)}


def large(**more: object) -> object:
    return Simple(response_size=LARGE_ANSWERED, payload=zeros(LARGE_ASKED), **more)


def duplex(asked: int, *answers: int) -> object:
    return Output(response_parameters=[{"size": size} for size in answers], payload=zeros(asked))


def equal(found: object, wanted: object) -> None:
    if found != wanted:
        raise AssertionError(f"{found!r:.200} instead of {wanted!r:.200}")


def refused(call: Callable[[], object]) -> grpc.Call:
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was answered")


def is_large(response: object) -> None:
    equal(response.payload.body, bytes(LARGE_ANSWERED))


@case
def empty_unary(c: Context) -> None:
    equal(c.stub.EmptyCall(Empty(), timeout=HANG_SECONDS), Empty())


@case
def large_unary(c: Context) -> None:
    is_large(c.stub.UnaryCall(large(), timeout=HANG_SECONDS))


@case
def client_streaming(c: Context) -> None:
    requests = (Input(payload=zeros(size)) for size in SIZES_ASKED)
    equal(c.stub.StreamingInputCall(requests, timeout=HANG_SECONDS).aggregated_payload_size, 74922)


@case
def server_streaming(c: Context) -> None:
    answers = list(c.stub.StreamingOutputCall(duplex(0, *SIZES_ANSWERED), timeout=HANG_SECONDS))
    equal([answer.payload.body for answer in answers], [bytes(size) for size in SIZES_ANSWERED])


@case
def ping_pong(c: Context) -> None:
    requests = Requests()
    call = c.stub.FullDuplexCall(iter(requests), timeout=HANG_SECONDS)
    for asked, answered in zip(SIZES_ASKED, SIZES_ANSWERED, strict=True):
        requests.send(duplex(asked, answered))
        equal(next(call).payload.body, bytes(answered))
    requests.close()
    equal(list(call), [])
    equal(call.code(), grpc.StatusCode.OK)


@case
def empty_stream(c: Context) -> None:
    call = c.stub.FullDuplexCall(iter(()), timeout=HANG_SECONDS)
    equal(list(call), [])
    equal(call.code(), grpc.StatusCode.OK)


@case
def cancel_after_begin(c: Context) -> None:
    requests = Requests()
    call = c.stub.StreamingInputCall.future(iter(requests), timeout=HANG_SECONDS)
    call.cancel()
    equal((call.cancelled(), call.code()), (True, grpc.StatusCode.CANCELLED))
    requests.close()


@case
def cancel_after_first_response(c: Context) -> None:
    requests = Requests()
    call = c.stub.FullDuplexCall(iter(requests), timeout=HANG_SECONDS)
    requests.send(duplex(27182, 31415))
    equal(next(call).payload.body, bytes(31415))
    call.cancel()
    equal(refused(lambda: next(call)).code(), grpc.StatusCode.CANCELLED)
    requests.close()


@case
def timeout_on_sleeping_server(c: Context) -> None:
    requests = Requests()
    call = c.stub.FullDuplexCall(iter(requests), timeout=0.001)
    requests.send(duplex(27182))
    equal(refused(lambda: next(call)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.close()


@case
def interval_us(c: Context) -> str:
    """Of ours: a pause that the server is asked for, which the descriptions demand of servers."""
    wanted = Output(response_parameters=[{"size": 1, "interval_us": 30_000}] * 3)
    begun = time.monotonic()
    equal(len(list(c.stub.StreamingOutputCall(wanted, timeout=HANG_SECONDS))), 3)
    took = time.monotonic() - begun
    if took < 0.09:
        raise AssertionError(f"three pauses of 30 ms took {took:.3f} s")
    return f"three of 30 ms took {took * 1000:.0f} ms"


def has_status(c: Context, message: str) -> None:
    status = {"code": grpc.StatusCode.UNKNOWN.value[0], "message": message}
    unary = refused(lambda: c.stub.UnaryCall(Simple(response_status=status), timeout=HANG_SECONDS))
    equal((unary.code(), unary.details()), (grpc.StatusCode.UNKNOWN, message))
    call = c.stub.FullDuplexCall(iter([Output(response_status=status)]), timeout=HANG_SECONDS)
    streamed = refused(lambda: next(call))
    equal((streamed.code(), streamed.details()), (grpc.StatusCode.UNKNOWN, message))


@case
def status_code_and_message(c: Context) -> None:
    has_status(c, "test status message")


@case
def every_status(c: Context) -> str:
    """Of ours: every code passes untouched behind a stream; of a unary call all but the three that the stack below us
    makes of its own, which the core puts into our words."""
    ours = {"INTERNAL": "INVALID_ARGUMENT", "OUT_OF_RANGE": "RESOURCE_EXHAUSTED", "UNIMPLEMENTED": "UNIMPLEMENTED"}
    message = "bare"
    for code in filter(lambda code: code.value[0], grpc.StatusCode):
        status = {"code": code.value[0], "message": message}
        call = c.stub.FullDuplexCall(iter([Output(response_status=status)]), timeout=HANG_SECONDS)
        streamed = refused(lambda: next(call))
        equal((streamed.code(), streamed.details()), (code, message))
        unary = refused(lambda: c.stub.UnaryCall(Simple(response_status=status), timeout=HANG_SECONDS))
        equal(unary.code().name, ours.get(code.name, code.name))
        equal(unary.details() == message, code.name not in ours)
    return f"{', '.join(ours)} of a unary call are put into our words"


@case
def special_status_message(c: Context) -> None:
    has_status(c, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")


@case
def custom_metadata(c: Context) -> None:
    response, unary = c.stub.UnaryCall.with_call(large(), timeout=HANG_SECONDS, metadata=(INITIAL, TRAILING))
    is_large(response)
    requests = iter([duplex(LARGE_ASKED, LARGE_ANSWERED)])
    streamed = c.stub.FullDuplexCall(requests, timeout=HANG_SECONDS, metadata=(INITIAL, TRAILING))
    (answer,) = streamed
    is_large(answer)
    for call in (unary, streamed):
        equal([value for key, value in call.initial_metadata() if key == INITIAL[0]], [INITIAL[1]])
        equal([value for key, value in call.trailing_metadata() if key == TRAILING[0]], [TRAILING[1]])


@case
def unimplemented_method(c: Context) -> None:
    error = refused(lambda: c.stub.UnimplementedCall(Empty(), timeout=HANG_SECONDS))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)


@case
def unimplemented_service(c: Context) -> None:
    error = refused(lambda: c.nobody.UnimplementedCall(Empty(), timeout=HANG_SECONDS))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)


@not_offered
def client_compressed_unary(c: Context) -> str:
    """The probe is refused as demanded; a compressed message is UNIMPLEMENTED, which is what gRPC demands of a server
    that does not know the compression, and the same message is then answered uncompressed."""
    probe = refused(lambda: c.stub.UnaryCall(large(expect_compressed={"value": True}), timeout=HANG_SECONDS))
    equal(probe.code(), grpc.StatusCode.INVALID_ARGUMENT)
    call = {"timeout": HANG_SECONDS, "compression": grpc.Compression.Gzip}
    error = refused(lambda: c.stub.UnaryCall(large(expect_compressed={"value": True}), **call))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)
    is_large(c.stub.UnaryCall(large(expect_compressed={"value": False}), timeout=HANG_SECONDS))
    return "gzip is refused as UNIMPLEMENTED"


@not_offered
def server_compressed_unary(c: Context) -> str:
    error = refused(lambda: c.stub.UnaryCall(large(response_compressed={"value": True}), timeout=HANG_SECONDS))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)
    is_large(c.stub.UnaryCall(large(response_compressed={"value": False}), timeout=HANG_SECONDS))
    return "asking for it is refused as UNIMPLEMENTED"


@case
def key_exchange_grpcio(c: Context) -> str:
    """Of ours, as the next two: in which group the keys were made, as the server saw it."""
    _, call = c.stub.EmptyCall.with_call(Empty(), timeout=HANG_SECONDS)
    group = dict(call.initial_metadata())["x-key-exchange"]
    equal(group, "X25519MLKEM768")
    return f"{group} with grpcio {grpc.__version__}"


def node(c: Context, version: int) -> str:
    script = Path(__file__).parent.parent / "node/key_exchange.cjs"
    program = [c.node_modules / f"node{version}/bin/node", script, PROTO]
    environment = {"NODE_PATH": str(c.node_modules)}
    done = subprocess.run(
        program, input=c.server.said, env=environment, capture_output=True, text=True, timeout=2 * HANG_SECONDS
    )
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout.strip()


@case
def key_exchange_node_24(c: Context) -> str:
    equal(group := node(c, 24), "X25519MLKEM768")
    return f"{group} with grpc-js"


@case
def key_exchange_node_20(c: Context) -> str:
    """Whoever cannot do better falls back, and is still served."""
    equal(group := node(c, 20), "X25519")
    return f"{group} with grpc-js"


def documented() -> list[tuple[str, str]]:
    """Case and result of each row of the README."""
    text = (Path(__file__).parent / "README.md").read_text("utf-8")
    return re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", text, re.M)


def run(of: Callable[[Context], str | None], expected: str, context: Context) -> dict:
    begun = time.monotonic()
    try:
        result, note = expected, of(context) or ""
    except Exception as error:  # whatever it is, the other cases are run, too
        result, note = "FAILED", f"{type(error).__name__}: {error}"
    return {"case": of.__name__, "result": result, "ms": round((time.monotonic() - begun) * 1000), "note": note}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="path of interop_server")
    parser.add_argument("node_modules", type=Path, help="folder of the packages of tests/node")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    equal([(of.__name__, expected) for of, expected in CASES], documented())
    with tempfile.TemporaryDirectory() as folder, Server(arguments.server, Path(folder)) as server:
        with server.channel() as channel:
            context = Context(server, channel, arguments.node_modules)
            results = [run(of, expected, context) for of, expected in CASES]
    if arguments.format == "json":
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        for one in results:
            print(f"{one['case']:<28} {one['result']:<12} {one['ms']:>6} ms   {one['note']}".rstrip())
    failed = sum(one["result"] == "FAILED" for one in results)
    if failed:
        sys.exit(f"{failed} of {len(results)} cases failed")


if __name__ == "__main__":
    main()
