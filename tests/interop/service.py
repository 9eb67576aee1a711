"""grpc.testing of proto/ as grpcio calls it, and the interop server as a process.

The generated modules would be called `grpc.testing`, inside the package of grpcio itself; so messages and methods are
made of the descriptors.
"""
from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent / "proto"
START_SECONDS, STOP_SECONDS = 60, 30


def _pool() -> descriptor_pool.DescriptorPool:
    with tempfile.NamedTemporaryFile() as out:
        arguments = [f"-I{PROTO}", f"--descriptor_set_out={out.name}", "--include_imports", "grpc/testing/test.proto"]
        if protoc.main(["protoc", *arguments]):
            raise SystemExit("the protos of the cases cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return pool


POOL = _pool()


def message(name: str) -> type:
    """A message of grpc.testing, as a class."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"grpc.testing.{name}"))


class Stub:
    """The methods of a service of grpc.testing, by their names."""

    def __init__(self, channel: grpc.Channel, service: str):
        for method in POOL.FindServiceByName(f"grpc.testing.{service}").methods:
            kind = {True: "stream", False: "unary"}
            call = getattr(channel, f"{kind[method.client_streaming]}_{kind[method.server_streaming]}")
            path = f"/grpc.testing.{service}/{method.name}"
            request = message_factory.GetMessageClass(method.input_type)
            response = message_factory.GetMessageClass(method.output_type)
            setattr(self, method.name, call(path, request.SerializeToString, response.FromString))


class Server:
    """The interop server, in a folder, for as long as the `with` lasts."""

    def __init__(self, binary: str, folder: Path):
        self.command = [binary, str(folder)]

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        # The reading ends when the process does.
        hang = threading.Timer(START_SECONDS, self.process.kill)
        hang.start()
        self.said = self.process.stdout.readline()
        hang.cancel()
        if not self.said:
            status = self.process.wait(STOP_SECONDS)
            why = f"said nothing for {START_SECONDS} s and was killed" if status == -9 else f"ended with {status}"
            raise SystemExit(f"the interop server does not start; it {why}")
        self.json = json.loads(self.said)
        return self

    def channel(self) -> grpc.Channel:
        files = (Path(self.json[name]).read_bytes() for name in ("ca", "key", "certificate"))
        options = [("grpc.ssl_target_name_override", self.json["server_name"])]
        return grpc.secure_channel(self.json["endpoint"], grpc.ssl_channel_credentials(*files), options)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the interop server does not end {STOP_SECONDS} s after SIGTERM") from None
        finally:
            self.process.stdout.close()
        if status:
            raise AssertionError(f"the interop server ended with {status}")
