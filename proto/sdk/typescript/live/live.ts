// The SDK against a running demonstration: live DEMO_JSON STRANGER_FOLDER UNWILLING_ENDPOINT
//
// STRANGER_FOLDER holds a certificate of another CA: ca.pem, stranger.pem, stranger.key; live/unwilling.py serves at
// UNWILLING_ENDPOINT. Ends with 1 at the first thing that is not as it should be.
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { inspect, isDeepStrictEqual } from "node:util";
import {
  Answered,
  Client,
  type ClientOptions,
  GET_PERSON,
  ReceiptError,
  Refused,
  SUBMIT_CONTRIBUTION,
  verify,
} from "lienthong-sdk";
import { ContributionState } from "lienthong-sdk/lienthong/contribution/v1/contribution_service_pb";
import { ClaimOutcome, LookupOutcome } from "lienthong-sdk/lienthong/identity/v1/identity_service_pb";

interface Subject {
  kind: string;
  personal_number: string;
  full_name: string;
  date_of_birth: { year: number; month: number; day: number };
}

const [demoJson = "", stranger = "", unwilling = ""] = process.argv.slice(2);
const demo = JSON.parse(readFileSync(demoJson, "utf8"));
const logKey = readFileSync(demo.log_key, "utf8");

function client(caller: string, other: Partial<ClientOptions> = {}, endpoint: string = demo.endpoint): Client {
  const { certificate, key } = demo.callers[caller];
  return new Client(endpoint, { ca: demo.ca, certificate, key, serverName: demo.server_name, ...other });
}

function need(holds: boolean, what: unknown): void {
  if (!holds) {
    console.error("typescript live:", what instanceof Error ? what.message : what);
    process.exit(1);
  }
}

async function refused(call: Promise<unknown>): Promise<Refused> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Refused) {
      return error;
    }
    throw error;
  }
  throw new Error("answered what should be refused");
}

function subject(kind: string): Subject {
  return demo.subjects.find((subject: Subject) => subject.kind === kind);
}

function about(person: Subject) {
  return {
    subject: { subject: { case: "personalNumber" as const, value: person.personal_number } },
    claims: { fullName: person.full_name, dateOfBirth: person.date_of_birth },
  };
}

function basis(caller: string) {
  const { procedure, legal_basis, case_reference, acting_unit, officer } = demo.callers[caller].basis;
  return { procedure, legalBasis: legal_basis, caseReference: case_reference, actingUnit: acting_unit, officer };
}

function lookup(requestId: string): MessageInitShape<typeof GET_PERSON.request> {
  const items = ["birth_full_name", "date_of_birth", "ethnic_group"];
  return { ...about(subject("child")), items, basis: basis("social-insurance"), requestId };
}

function birth(entryNumber: string, idempotencyKey: string): MessageInitShape<typeof SUBMIT_CONTRIBUTION.request> {
  const now = new Date(Date.now() + 7 * 60 * 60 * 1000); // of Viet Nam, read as UTC
  const today = { year: now.getUTCFullYear(), month: now.getUTCMonth() + 1, day: now.getUTCDate() };
  const place = { text: "Phường Giả Định, Hà Nội", provinceCode: "01", unitsVersion: "2025" };
  const coded = (codeSystem: string, codeSystemVersion: string, code: string) => ({ codeSystem, codeSystemVersion, code });
  const value = {
    entryNumber,
    registrationDate: today,
    registrationPlaceCode: "990",
    registrationPlace: { ...place, communeCode: "00001" },
    fullName: { fullName: "Nguyễn Giả Định Thử Nghiệm" },
    dateOfBirth: today,
    sex: coded("sex", "1", "1"),
    placeOfBirth: place,
    nativePlace: place,
    ethnicGroup: coded("ethnic-group", "gso-15172", "01"),
    nationality: coded("nationality", "iso-3166-1", "VN"),
  };
  return { idempotencyKey, basis: basis("civil-status"), requestId: "live-2", event: { case: "birth", value } };
}

function refusesEveryChangedByte(answered: Answered<DescMessage, DescMessage>): void {
  const evidence = [answered.request, answered.response, Buffer.from(logKey)] as const;
  evidence.forEach((data, part) => {
    for (let at = 0; at < data.length; at++) {
      const changed = Buffer.from(data);
      changed[at]! ^= 1 << at % 7;
      const [request, response, key] = evidence.map((data, other) => (other === part ? changed : data));
      try {
        verify(request!, response!, Buffer.from(key!).toString("utf8"));
      } catch (error) {
        need(error instanceof ReceiptError, error);
        continue;
      }
      need(false, `a receipt holds with byte ${at} of part ${part} changed`);
    }
  });
}

async function looksUp(): Promise<void> {
  const me = client("social-insurance");
  const got = await me.getPerson(lookup("live-1"));
  me.close();
  need(got.answer.outcome === LookupOutcome.MATCH, "the child is not found");
  const [name, , withheld] = got.answer.items.map((item) => item.outcome);
  const held = name?.case === "value" ? name.value.values[0]?.value?.value : undefined;
  need(held?.case === "name" && held.value.fullName === subject("child").full_name, "another name");
  const article = withheld?.case === "withheld" ? withheld.value.article : "";
  need(article === "Decision 1911/QD-TTg, Art. 2(1)", "withheld without its article");
  const recorded = got.verify(logKey);
  need(recorded.caller === demo.callers["social-insurance"].spiffe_id, "another caller");
  need(recorded.index === got.receipt.index, "another index");
  const kept = new Answered(got.method, got.request, got.response);
  need(isDeepStrictEqual(kept.verify(logKey), recorded), "kept bytes say something else");
  for (const text of [`${got}`, inspect(got), JSON.stringify(got)]) {
    need(text.includes("<answer of") && !text.includes(subject("child").personal_number), "it prints the person");
  }
  refusesEveryChangedByte(got);
}

async function verifiesClaims(): Promise<void> {
  const me = client("portal");
  const got = await me.verifyClaims({
    ...about(subject("adult")),
    claimedValues: [
      { item: "date_of_birth", value: { value: { case: "date", value: subject("adult").date_of_birth } } },
      { item: "religion", value: { value: { case: "text", value: "x" } } },
    ],
    basis: basis("portal"),
    requestId: "live-3",
  });
  me.close();
  const outcomes = got.answer.results.map((result) => result.outcome);
  need(isDeepStrictEqual(outcomes, [ClaimOutcome.MATCH, ClaimOutcome.DENIED]), outcomes);
  got.verify(logKey);
}

async function contributes(): Promise<void> {
  const me = client("civil-status");
  const [entry, key] = [randomUUID(), randomUUID()];
  const first = await me.submitContribution(birth(entry, key));
  need(first.answer.state === ContributionState.APPLIED, "not applied");
  need(first.answer.personalNumber.startsWith("990"), "no fictional number was issued");
  first.verify(logKey);
  const again = await me.call(SUBMIT_CONTRIBUTION, first.request);
  need(Buffer.from(again.response).equals(first.response), "sent again, another answer or another receipt");
  const twice = await refused(me.submitContribution(birth(entry, randomUUID())));
  need(twice.code === status.FAILED_PRECONDITION && twice.reason === "CONTRIBUTION_REJECTED", twice);
  need(isDeepStrictEqual(twice.rejections.map(({ reason }) => reason), ["ALREADY_REGISTERED"]), twice);
  const reused = await refused(me.submitContribution(birth(randomUUID(), key)));
  need(reused.code === status.ALREADY_EXISTS && reused.reason === "KEY_REUSED", reused);
  me.close();
  refusesEveryChangedByte(first);
}

async function decodesRefusals(): Promise<void> {
  const former = client("former");
  const ended = await refused(former.getPerson(lookup("live-4")));
  former.close();
  need(ended.code === status.PERMISSION_DENIED && ended.reason === "CONNECTION_NOT_ACTIVE", ended);
  need(ended.article === "Decree 70/2024/ND-CP, Art. 7(2)" && ended.recordIndex !== undefined, "no article, no record");
  need(ended.vi === "Kết nối chưa được mở, đã tạm dừng hoặc đã chấm dứt.", ended.vi);
  need(ended.en === "The connection is absent, suspended or ended.", ended.en);
  const child = subject("child");
  const me = client("social-insurance");
  const faulty = await refused(
    me.getPerson({
      subject: { subject: { case: "personalNumber", value: "99832660362" } },
      claims: { fullName: child.full_name, dateOfBirth: { ...child.date_of_birth, month: 13 } },
    }),
  );
  me.close();
  need(faulty.code === status.INVALID_ARGUMENT && faulty.reason === "INVALID_REQUEST", faulty);
  const named = Object.fromEntries(faulty.fields.map(({ field, reason }) => [field, reason]));
  const missing = { items: "MISSING", basis: "MISSING", request_id: "MISSING" };
  const malformed = { "subject.personal_number": "MALFORMED", "claims.date_of_birth": "MALFORMED" };
  need(isDeepStrictEqual(named, { ...named, ...missing, ...malformed }) && faulty.fields.length === 5, named);
  need(faulty.fields.every(({ vi, description }) => vi !== "" && description !== ""), faulty.fields);
  need(!inspect(faulty).includes("99832660362"), "an error repeats a value");
}

async function knowsNoStranger(): Promise<void> {
  const theirs = { certificate: `${stranger}/stranger.pem`, key: `${stranger}/stranger.key` };
  for (const other of [theirs, { ca: `${stranger}/ca.pem` }]) {
    const me = client("social-insurance", other);
    const error = await refused(me.getPerson(lookup("live-5")));
    me.close();
    need(error.code === status.UNAVAILABLE && error.reason === "", error);
  }
}

async function keepsDeadlines(): Promise<void> {
  const me = client("social-insurance");
  need((await refused(me.getPerson(lookup("live-6"), { timeoutMs: 1 }))).code === status.DEADLINE_EXCEEDED, "1 ms");
  me.close();
  const hasty = client("social-insurance", { timeoutMs: 1 });
  need((await refused(hasty.getPerson(lookup("live-6")))).code === status.DEADLINE_EXCEEDED, "1 ms by default");
  hasty.close();
}

async function triesAgain(): Promise<void> {
  const me = client("social-insurance", {}, unwilling);
  need((await me.getPerson(lookup("third-time"))).answer.requestId === "third-time", "no third time");
  const never = await refused(me.getPerson(lookup("never")));
  const malformed = await refused(me.getPerson(lookup("malformed")));
  me.close();
  need(never.code === status.UNAVAILABLE && never.reason === "OVERLOADED", never);
  need(never.metadata["attempt"] === "5" && never.retryAfterMs === 7000, `${never.metadata["attempt"]} attempts`);
  need(malformed.code === status.INTERNAL && malformed.reason === "", malformed);
}

for (const part of [looksUp, verifiesClaims, contributes, decodesRefusals, knowsNoStranger, keepsDeadlines, triesAgain]) {
  await part();
  console.log(`typescript live: ${part.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`);
}
