import { type ServiceError, status } from "@grpc/grpc-js";
import {
  type Any,
  BadRequest,
  ErrorInfo,
  LocalizedMessage,
  PreconditionFailure,
  RetryInfo,
} from "nice-grpc-error-details";
import { Status } from "nice-grpc-error-details/lib/proto/google/rpc/status.js";

/** The domain of the reasons. */
export const DOMAIN = "lienthong.gov.vn";

/** What is wrong with one field of the request; `reason` is a name of FieldFault without its prefix. */
export interface FieldFault {
  readonly field: string;
  readonly reason: string;
  readonly vi: string;
  readonly description: string;
}

/**
 * Why the register rejected a contribution: `reason` is a name of RejectionReason without its prefix, `subject` the
 * item, or empty where the whole is meant.
 */
export interface Rejection {
  readonly reason: string;
  readonly subject: string;
  readonly description: string;
}

/**
 * A call that was not answered. Programs act on `code` and `reason`, people read `vi` or `en`. It holds nothing of the
 * request.
 */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: status;
  /**
   * A name of ErrorReason without its prefix; empty where the error is none of the service: no connection, a deadline
   * that passed here, a proxy between.
   */
  readonly reason: string;
  readonly vi: string;
  readonly en: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What is wrong with the request, all at once. */
  readonly fields: readonly FieldFault[];
  /** Why the register rejected a contribution. */
  readonly rejections: readonly Rejection[];
  /** When to come again, in milliseconds, where it was said. */
  readonly retryAfterMs: number | undefined;

  constructor(error: Pick<ServiceError, "code" | "details"> & Partial<Pick<ServiceError, "metadata">>) {
    const details = detailsOf(error);
    const first = <D>(kind: Kind<D>): D | undefined => {
      const found = details.find((detail) => detail.typeUrl.endsWith(`/${kind.$type}`));
      try {
        return found && kind.decode(found.value);
      } catch {
        return undefined; // malformed: as if it were not there
      }
    };
    const said = first(ErrorInfo);
    const info = said?.domain === DOMAIN ? said : undefined;
    const localized = first(LocalizedMessage);
    const vi = localized?.locale === "vi-VN" ? localized.message : "";
    const fields = (first(BadRequest)?.fieldViolations ?? []).map(({ field, description }) => {
      // The contract's form of a description, `REASON: vi / en`.
      const [, reason = "", vi = ""] = /^([A-Z0-9_]+): (.*?) \/ /s.exec(description) ?? [];
      return { field, reason, vi, description };
    });
    const rejections = (first(PreconditionFailure)?.violations ?? []).map(({ type, subject, description }) => {
      return { reason: type, subject, description };
    });
    const faults = [
      ...fields.map((fault) => `${fault.field} ${fault.reason}`),
      ...rejections.map((rejection) => `${rejection.subject} ${rejection.reason}`.trimStart()),
    ];
    const head = [status[error.code], info?.reason].filter(Boolean).join(" ");
    const words = [vi, error.details].filter(Boolean).join(" / ");
    super(`${head}: ${words}${faults.length ? ` (${faults.join(", ")})` : ""}`);
    this.code = error.code;
    this.reason = info?.reason ?? "";
    this.vi = vi;
    this.en = error.details;
    this.metadata = info?.metadata ?? {};
    this.fields = fields;
    this.rejections = rejections;
    const delay = first(RetryInfo)?.retryDelay;
    const seconds = number(this.metadata["retry_after_seconds"]);
    if (delay) {
      this.retryAfterMs = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
    } else {
      this.retryAfterMs = seconds === undefined ? undefined : Number(seconds) * 1000;
    }
  }

  /** Where the refusal is recorded in the access log, if it is. */
  get recordIndex(): bigint | undefined {
    return number(this.metadata["record_index"]);
  }

  /** The rule that refused, if one did. */
  get rule(): string | undefined {
    return this.metadata["rule"];
  }

  /** The article that the refusal rests on, as cited, if it rests on one. */
  get article(): string | undefined {
    return this.metadata["article"];
  }
}

interface Kind<D> {
  readonly $type: string;
  decode(data: Uint8Array): D;
}

function detailsOf(error: Partial<Pick<ServiceError, "metadata">>): Any[] {
  const [details] = error.metadata?.get("grpc-status-details-bin") ?? [];
  try {
    return details instanceof Uint8Array ? Status.decode(details).details : [];
  } catch {
    return [];
  }
}

function number(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}
