/**
 * A client of the published services of lienthong: mutual TLS, deadlines, the published retries, refusals as values,
 * and receipts that can be checked.
 */
export { Answered, Client, GET_PERSON, SUBMIT_CONTRIBUTION, VERIFY_CLAIMS } from "./client.js";
export type { CallOptions, ClientOptions, Method } from "./client.js";
export { DOMAIN, Refused } from "./errors.js";
export type { FieldFault, Rejection } from "./errors.js";
export { ReceiptError, verify } from "./receipt.js";
export type { Recorded } from "./receipt.js";
