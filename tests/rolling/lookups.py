"""Looks a person up over and over with the published service config, from grpcio: lookups.py

The first line of stdin says whom and where. To every further line the answer is what happened so far; when stdin ends,
the calls under way are waited for and it is said once more. PYTHONPATH names the folder of the stubs.
"""
from __future__ import annotations

import base64
import json
import sys
import threading
import time
from pathlib import Path

import grpc

from lienthong.identity.v1 import identity_service_pb2 as pb, identity_service_pb2_grpc as rpc


class Lookups:
    def __init__(self, settings: dict):
        files = (Path(settings[name]).read_bytes() for name in ("ca", "key", "certificate"))
        options = [
            ("grpc.ssl_target_name_override", settings["server_name"]),
            ("grpc.service_config", settings["service_config"]),
        ]
        self.channel = grpc.secure_channel(settings["target"], grpc.ssl_channel_credentials(*files), options)
        self.stub = rpc.IdentityServiceStub(self.channel)
        self.request = pb.GetPersonRequest.FromString(base64.b64decode(settings["request"]))
        self.timeout, self.over, self.lock = settings["timeout_seconds"], threading.Event(), threading.Lock()
        self.calls, self.errors, self.broken_off, self.slowest_ms = 0, [], [], 0
        self.workers = [threading.Thread(target=self.work) for _ in range(settings["workers"])]
        for worker in self.workers:
            worker.start()

    def work(self) -> None:
        while not self.over.is_set():
            error, broken_off, begun = None, False, time.monotonic()
            try:
                answer = self.stub.GetPerson(
                    self.request, timeout=self.timeout, metadata=[("x-request-id", "python")]
                ).answer
                if [item.item for item in answer.items] != list(self.request.items):
                    error = "the answer has other items"
            except grpc.RpcError as refused:
                # What breaks off when its headers are here already is not attempted again (gRFC A6).
                broken_off = bool(refused.initial_metadata())
                error = f"{refused.code().name}: {refused.details()}"
            took = round((time.monotonic() - begun) * 1000)
            with self.lock:
                self.calls += 1
                self.slowest_ms = max(self.slowest_ms, took)
                if error:
                    (self.broken_off if broken_off else self.errors).append(error)

    def say(self) -> None:
        with self.lock:
            names = ("calls", "errors", "broken_off", "slowest_ms")
            print(json.dumps({name: getattr(self, name) for name in names}), flush=True)

    def end(self) -> None:
        self.over.set()
        for worker in self.workers:
            worker.join()
        self.channel.close()


lookups = Lookups(json.loads(sys.stdin.readline()))
try:
    for _ in sys.stdin:
        lookups.say()
finally:
    lookups.end()
lookups.say()
