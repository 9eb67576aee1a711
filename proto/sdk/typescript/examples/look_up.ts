import { readFileSync } from "node:fs";
import { Client } from "lienthong-sdk";

const read = (file: string) => readFileSync(file, "utf8");
const demo = JSON.parse(read(process.argv[2]!));
const me = demo.callers["social-insurance"];
const who = demo.subjects.find((subject: { kind: string }) => subject.kind === "child");
const { procedure, legal_basis: legalBasis, case_reference: caseReference, acting_unit: actingUnit, officer } = me.basis;

const { ca, server_name: serverName } = demo;
const client = new Client(demo.endpoint, { ca, certificate: me.certificate, key: me.key, serverName });
const answered = await client.getPerson({
  subject: { subject: { case: "personalNumber", value: who.personal_number } },
  claims: { fullName: who.full_name, dateOfBirth: who.date_of_birth },
  basis: { procedure, legalBasis, caseReference, actingUnit, officer },
  items: ["birth_full_name", "date_of_birth", "ethnic_group"],
  requestId: "example-1",
});
client.close();
for (const { item, outcome } of answered.answer.items) console.log(item, outcome.case);
console.log(answered.verify(read(demo.log_key)));
