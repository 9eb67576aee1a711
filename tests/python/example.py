"""Looks up a child of a running demonstration: example.py DATA_DIR/demo.json

PYTHONPATH names the folder of the stubs that grpcio-tools generates from proto/.
"""
import grpc, json, sys
from lienthong.identity.v1 import identity_service_pb2 as pb, identity_service_pb2_grpc as rpc

demo = json.load(open(sys.argv[1]))
me, who = demo["callers"]["social-insurance"], next(s for s in demo["subjects"] if s["kind"] == "child")
tls = grpc.ssl_channel_credentials(*(open(f, "rb").read() for f in (demo["ca"], me["key"], me["certificate"])))
channel = grpc.secure_channel(demo["endpoint"], tls, [("grpc.ssl_target_name_override", demo["server_name"])])
born = dict(zip(("year", "month", "day"), who["date_of_birth"]))
basis = {"procedure": "child-health-insurance-card", "legal_basis": "1911-2021-art-2-1",
         "case_reference": "CASE-1", "acting_unit": "Z02.DEMO", "officer": "officer-01"}
request = pb.GetPersonRequest(
    subject={"personal_number": who["personal_number"]}, basis=basis, request_id="example-1",
    claims={"full_name": who["full_name"], "date_of_birth": born}, items=["birth_full_name", "ethnic_group"])
for item in rpc.IdentityServiceStub(channel).GetPerson(request, timeout=5).answer.items:
    print(item.item, getattr(item, item.WhichOneof("outcome")))
