// The check of receipts against committed vectors, and that no changed bit of them holds.
import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { GET_PERSON, ReceiptError, verify } from "lienthong-sdk";
import { ReceiptSchema, SealedResponseSchema } from "lienthong-sdk/lienthong/audit/v1/receipt_pb";
import { serviceConfig } from "#internal/gen/service_config";
import { leafHash, outerCommitment } from "#internal/receipt";

// From .check/test/.
const root = new URL("../../../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root));
const sampled = (name: string) => read(`services/lienthong/testdata/receipt/${name}`);

/** Request, response and key of the committed receipt. */
function sample(): [Buffer, Buffer, Buffer] {
  // A C2SP tlog-proof: its name, the index, the hashes, an empty line, the checkpoint.
  const text = sampled("receipt.tlog-proof").toString("utf8");
  const end = text.indexOf("\n\n");
  const [, index = "", ...hashes] = text.slice(0, end).split("\n");
  const receipt = create(ReceiptSchema, {
    leaf: sampled("leaf.bin"),
    index: BigInt(index.replace("index ", "")),
    proof: hashes.map((hash) => Buffer.from(hash, "base64")),
    checkpoint: text.slice(end + 2),
    opening: sampled("opening.bin"),
  });
  const sealed = { answer: sampled("answer.bin"), receipt: toBinary(ReceiptSchema, receipt) };
  const response = Buffer.from(toBinary(SealedResponseSchema, create(SealedResponseSchema, sealed)));
  return [sampled("request.bin"), response, sampled("log.vkey")];
}

test("leaf and outer commitment", () => {
  const vector = JSON.parse(read("shared/tlog/testdata/leaf.json").toString("utf8"));
  const hex = (name: string) => Buffer.from(vector[name], "hex");
  assert.deepEqual(leafHash(hex("leaf")), hex("leaf_hash"));
  const outer = outerCommitment(hex("outer_key"), Buffer.from(vector.context), hex("request"), hex("answer"));
  assert.deepEqual(outer, Buffer.from(hex("leaf").subarray(40, 72)));
});

test("a committed receipt holds", () => {
  const [request, response, key] = sample();
  const { method, caller, index, size } = verify(request, response, key.toString("utf8"));
  assert.deepEqual([method, index, size], [GET_PERSON.path, 1n, 3n]);
  assert.equal(caller, "spiffe://lienthong.test/agency/SAMPLE/system/sample");
});

test("no changed bit holds", () => {
  const evidence = sample();
  evidence.forEach((data, part) => {
    for (let at = 0; at < data.length * 8; at++) {
      const other: [Buffer, Buffer, Buffer] = [...evidence];
      const changed = Buffer.from(data);
      changed[at >> 3]! ^= 1 << at % 8;
      other[part] = changed;
      assert.throws(() => verify(other[0], other[1], other[2].toString("utf8")), ReceiptError, `part ${part}, bit ${at}`);
    }
  });
});

test("nothing and less do not hold", () => {
  const [request, response, key] = sample();
  const twice = Buffer.concat([response, Buffer.of(0x12, 0)]); // a second, empty receipt
  for (const other of [Buffer.of(), response.subarray(0, -1), twice, Buffer.alloc(9, 0xff)]) {
    assert.throws(() => verify(request, other, key.toString("utf8")), ReceiptError);
  }
});

test("the service config is the published one", () => {
  assert.deepEqual(JSON.parse(serviceConfig), JSON.parse(read("proto/service_config.json").toString("utf8")));
});
