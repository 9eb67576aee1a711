// The check of receipts, offline, as lienthong/audit/v1/receipt.proto, RFC 6962 and the C2SP formats say.
import { type DescMessage, ScalarType, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { createHash, createHmac, createPublicKey, timingSafeEqual, verify as verifySignature } from "node:crypto";
import { ReceiptSchema, SealedResponseSchema } from "./gen/lienthong/audit/v1/receipt_pb.js";

const LEAF_BYTES = 104;
const KEY_BYTES = 32;
const HASH_BYTES = 32;
const LEAF_PREFIX = Buffer.from("lienthong/leaf/1");
const KEY = /^([^\s+]+)\+([0-9a-f]{8})\+(\S{44})\n?$/;
const CHECKPOINT = /^(([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n)\n((?:— \S+ \S+\n)+)$/;
const CONTEXT = /^(\/[^\n]+)\n([^\n]+)\n$/;
// SubjectPublicKeyInfo of an Ed25519 key, up to the key (RFC 8410).
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** The receipt does not prove this answer to this request. */
export class ReceiptError extends Error {
  override readonly name = "ReceiptError";

  constructor(reason: string) {
    super(`the receipt does not hold: ${reason}`);
  }
}

/** What a receipt that holds proves was recorded. */
export interface Recorded {
  /** The full method. */
  readonly method: string;
  /** The SPIFFE id of who asked. */
  readonly caller: string;
  readonly time: Date;
  /** Of the record in the log. */
  readonly index: bigint;
  /** Of the log when the receipt was made. */
  readonly size: bigint;
}

/**
 * Checks the exact bytes of a request and of its response against the key of the log, which comes from a source that
 * you trust, not with the response. Throws ReceiptError.
 */
export function verify(request: Uint8Array, response: Uint8Array, logKey: string): Recorded {
  const { answer, receipt } = opened(response);
  const { size, root } = checkpoint(receipt.checkpoint, logKey);
  const leaf = Buffer.from(receipt.leaf);
  need(leaf.length === LEAF_BYTES && leaf.subarray(0, 16).equals(LEAF_PREFIX), "the leaf is malformed");
  need(included(leaf, receipt.index, size, receipt.proof).equals(root), "the proof does not lead to the root");
  need(receipt.opening.length > KEY_BYTES, "the opening is malformed");
  const [outerKey, context] = [receipt.opening.subarray(0, KEY_BYTES), receipt.opening.subarray(KEY_BYTES)];
  const outer = outerCommitment(outerKey, context, request, answer);
  need(timingSafeEqual(outer, leaf.subarray(40, 72)), "the record is of other content");
  const [, method, caller] = CONTEXT.exec(utf8(context)) ?? [];
  if (method === undefined || caller === undefined) {
    throw new ReceiptError("the opening is malformed");
  }
  return { method, caller, time: new Date(Number(leaf.readBigUInt64BE(16))), index: receipt.index, size };
}

/** The parts of a response. Both are left as bytes first: only they can be checked. */
export function opened(response: Uint8Array) {
  try {
    const sealed = fromBinary(SealedResponseSchema, inItsForm(SealedResponseSchema, response));
    return { answer: sealed.answer, receipt: fromBinary(ReceiptSchema, inItsForm(ReceiptSchema, sealed.receipt)) };
  } catch {
    throw new ReceiptError("the response is malformed");
  }
}

// fromBinary reads a field whatever its wire type, takes what is no UTF-8, and leaves out a byte order mark; a proof
// has one form.
function inItsForm(schema: DescMessage, message: Uint8Array): Uint8Array {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = schema.fields.find((field) => field.number === number);
    if (field) {
      const expected = field.scalar === ScalarType.UINT64 ? WireType.Varint : WireType.LengthDelimited;
      need(type === expected, "the response is malformed");
    }
    if (field?.scalar === ScalarType.STRING) {
      need(!utf8(reader.bytes()).startsWith("\uFEFF"), "the response is malformed");
    } else {
      reader.skip(type, number);
    }
  }
  return message;
}

/** RFC 6962, 2.1. */
export function leafHash(leaf: Uint8Array): Buffer {
  return hash(Uint8Array.of(0), leaf);
}

/** What the leaf holds from offset 40, as receipt.proto defines it. */
export function outerCommitment(
  outerKey: Uint8Array,
  context: Uint8Array,
  request: Uint8Array,
  answer: Uint8Array,
): Buffer {
  const mac = createHmac("sha256", outerKey).update("lienthong/outer/1\0");
  return mac.update(hash(context)).update(hash(request)).update(hash(answer)).digest();
}

/** The root that a proof leads to (RFC 9162, 2.1.3.2, on the tree of RFC 6962). */
function included(leaf: Uint8Array, index: bigint, size: bigint, proof: readonly Uint8Array[]): Buffer {
  need(index < size, "the checkpoint is older than the record");
  let [node, at, last] = [leafHash(leaf), index, size - 1n];
  for (const sibling of proof) {
    need(last > 0n && sibling.length === HASH_BYTES, "the proof is malformed");
    const right = at % 2n === 1n || at === last;
    node = right ? hash(Uint8Array.of(1), sibling, node) : hash(Uint8Array.of(1), node, sibling);
    while (at === last && at % 2n === 0n) {
      [at, last] = [at / 2n, last / 2n];
    }
    [at, last] = [at / 2n, last / 2n];
  }
  need(last === 0n, "the proof is malformed");
  return node;
}

/** Size and root of a checkpoint that the log's key signed (C2SP tlog-checkpoint, signed-note). */
function checkpoint(note: string, logKey: string): { size: bigint; root: Buffer } {
  const [, name, keyId, encoded] = KEY.exec(logKey) ?? [];
  if (name === undefined || keyId === undefined || encoded === undefined) {
    throw new ReceiptError("the log's key is malformed");
  }
  const [, body, origin, size, root, signatures] = CHECKPOINT.exec(note) ?? [];
  if (!body || !origin || !size || !root || !signatures) {
    throw new ReceiptError("the checkpoint is malformed");
  }
  const key = unbase64(encoded);
  const id = hash(Buffer.from(`${name}\n`), key).subarray(0, 4);
  need(key.length === 33 && key[0] === 1 && id.toString("hex") === keyId, "the log's key is not of its id");
  let signed = false;
  for (const line of signatures.trimEnd().split("\n")) {
    const [, signer, signature] = line.split(" ");
    if (signer !== name || signature === undefined) {
      continue;
    }
    const bytes = unbase64(signature);
    if (!bytes.subarray(0, 4).equals(id)) {
      continue; // of another key: it does not count
    }
    need(signedBy(key.subarray(1), Buffer.from(body), bytes.subarray(4)), "the signature is false");
    signed = true;
  }
  need(signed && origin === name, "the checkpoint is not signed by the log's key");
  return { size: BigInt(size), root: unbase64(root) };
}

function signedBy(key: Buffer, body: Buffer, signature: Buffer): boolean {
  try {
    const decoded = createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" });
    return verifySignature(null, body, decoded, signature);
  } catch {
    return false;
  }
}

function hash(...parts: Uint8Array[]): Buffer {
  const sha256 = createHash("sha256");
  parts.forEach((part) => sha256.update(part));
  return sha256.digest();
}

function need(holds: boolean, reason: string): void {
  if (!holds) {
    throw new ReceiptError(reason);
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ReceiptError("a text is malformed");
  }
}

function unbase64(text: string): Buffer {
  const data = Buffer.from(text, "base64");
  need(data.toString("base64") === text, "base64 is not in its one form");
  return data;
}
