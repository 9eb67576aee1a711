"""Looks up a child of a running demonstration: example.py DATA_DIR/demo.json

PYTHONPATH names the folder of the stubs that grpcio-tools generates from proto/.
"""
import grpc, json, sys
from lienthong.identity.v1 import identity_service_pb2 as pb, identity_service_pb2_grpc as rpc

demo = json.load(open(sys.argv[1]))
me, who = demo["callers"]["social-insurance"], next(s for s in demo["subjects"] if s["kind"] == "child")
tls = grpc.ssl_channel_credentials(*(open(f, "rb").read() for f in (demo["ca"], me["key"], me["certificate"])))
channel = grpc.secure_channel(demo["endpoint"], tls, [("grpc.ssl_target_name_override", demo["server_name"])])
request = pb.GetPersonRequest(
    subject={"personal_number": who["personal_number"]}, basis=me["basis"], request_id="example-1",
    claims={"full_name": who["full_name"], "date_of_birth": who["date_of_birth"]},
    items=["birth_full_name", "date_of_birth", "ethnic_group"])
for item in rpc.IdentityServiceStub(channel).GetPerson(request, timeout=5).answer.items:
    print(item.item, getattr(item, item.WhichOneof("outcome")))
