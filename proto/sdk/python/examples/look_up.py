import json, sys
from lienthong.identity.v1.identity_service_pb2 import GetPersonRequest
from lienthong_sdk import Client

demo = json.load(open(sys.argv[1]))
me, who = demo["callers"]["social-insurance"], next(s for s in demo["subjects"] if s["kind"] == "child")
request = GetPersonRequest(
    subject={"personal_number": who["personal_number"]}, basis=me["basis"], request_id="example-1",
    claims={"full_name": who["full_name"], "date_of_birth": who["date_of_birth"]},
    items=["birth_full_name", "date_of_birth", "ethnic_group"])
with Client(demo["endpoint"], server_name=demo["server_name"],
            ca=demo["ca"], certificate=me["certificate"], key=me["key"]) as client:
    answered = client.get_person(request)
print([(item.item, item.WhichOneof("outcome")) for item in answered.answer.items])
print(answered.verify(open(demo["log_key"]).read()))
