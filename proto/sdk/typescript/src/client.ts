import {
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { Client as GrpcClient, Metadata, credentials, status } from "@grpc/grpc-js";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { inspect } from "node:util";
import { Refused } from "./errors.js";
import type { Receipt } from "./gen/lienthong/audit/v1/receipt_pb.js";
import { ContributionReceiptSchema, ContributionService } from "./gen/lienthong/contribution/v1/contribution_service_pb.js";
import {
  GetPersonAnswerSchema,
  IdentityService,
  VerifyClaimsAnswerSchema,
} from "./gen/lienthong/identity/v1/identity_service_pb.js";
import { serviceConfig } from "./gen/service_config.js";
import { ReceiptError, type Recorded, opened, verify } from "./receipt.js";

/** A method whose response is `{ answer = 1; receipt = 2 }`. */
export interface Method<Request extends DescMessage, Answer extends DescMessage> {
  /** The full method, as a receipt names it. */
  readonly path: string;
  readonly request: Request;
  readonly answer: Answer;
}

function method<Request extends DescMessage, Answer extends DescMessage>(
  generated: DescMethodUnary<Request>,
  answer: Answer,
): Method<Request, Answer> {
  return { path: `/${generated.parent.typeName}/${generated.name}`, request: generated.input, answer };
}

export const GET_PERSON = method(IdentityService.method.getPerson, GetPersonAnswerSchema);
export const VERIFY_CLAIMS = method(IdentityService.method.verifyClaims, VerifyClaimsAnswerSchema);
export const SUBMIT_CONTRIBUTION = method(ContributionService.method.submitContribution, ContributionReceiptSchema);

/**
 * A call that was answered. Keep `request` and `response`: they are the exact bytes that the receipt proves, and the
 * same messages serialised again may be others. They hold personal data.
 */
export class Answered<Request extends DescMessage, Answer extends DescMessage> {
  readonly answer: MessageShape<Answer>;
  readonly receipt: Receipt;

  /** Of a call, or of bytes that were kept. */
  constructor(
    readonly method: Method<Request, Answer>,
    readonly request: Uint8Array,
    readonly response: Uint8Array,
  ) {
    const { answer, receipt } = opened(response);
    this.answer = fromBinary(method.answer, answer);
    this.receipt = receipt;
  }

  /** Checks the receipt offline, against the key of the log. Throws ReceiptError. */
  verify(logKey: string): Recorded {
    const recorded = verify(this.request, this.response, logKey);
    if (recorded.method !== this.method.path) {
      throw new ReceiptError("the record is of another method");
    }
    return recorded;
  }

  /** Says nothing of the person; so does what console.log and JSON.stringify make of it. */
  toString(): string {
    return `<answer of ${this.method.path}, record ${this.receipt.index}>`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Whom to connect to and as whom; files are PEM. */
export interface ClientOptions {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** The name in the server's certificate, where it is not that of the endpoint. */
  readonly serverName?: string;
  /** The deadline of a call that names none, with all attempts; 30 seconds when it is not said. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
}

/** A connection to the published services as one caller. Calls reject with Refused. Close it. */
export class Client {
  /** For whatever has no receipt. */
  readonly grpc: GrpcClient;
  readonly #timeoutMs: number;

  constructor(endpoint: string, options: ClientOptions) {
    const [ca, cert, key] = [options.ca, options.certificate, options.key].map((file) => readFileSync(file));
    const tls = createSecureContext({ ca, cert, key, minVersion: "TLSv1.3" });
    this.grpc = new GrpcClient(endpoint, credentials.createFromSecureContext(tls), {
      "grpc.service_config": serviceConfig,
      ...(options.serverName !== undefined && { "grpc.ssl_target_name_override": options.serverName }),
    });
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** Looks a person up. */
  getPerson(request: MessageInitShape<typeof GET_PERSON.request>, options?: CallOptions) {
    return this.#send(GET_PERSON, request, options);
  }

  /** Holds claimed values against the register. */
  verifyClaims(request: MessageInitShape<typeof VERIFY_CLAIMS.request>, options?: CallOptions) {
    return this.#send(VERIFY_CLAIMS, request, options);
  }

  /** Submits one event. To be able to repeat it, keep what `toBinary` makes of it and use `call`. */
  submitContribution(request: MessageInitShape<typeof SUBMIT_CONTRIBUTION.request>, options?: CallOptions) {
    return this.#send(SUBMIT_CONTRIBUTION, request, options);
  }

  #send<Request extends DescMessage, Answer extends DescMessage>(
    method: Method<Request, Answer>,
    request: MessageInitShape<Request>,
    options?: CallOptions,
  ): Promise<Answered<Request, Answer>> {
    return this.call(method, toBinary(method.request, create(method.request, request)), options);
  }

  /** Sends exactly these bytes. */
  call<Request extends DescMessage, Answer extends DescMessage>(
    method: Method<Request, Answer>,
    request: Uint8Array,
    options?: CallOptions,
  ): Promise<Answered<Request, Answer>> {
    const deadline = Date.now() + (options?.timeoutMs ?? this.#timeoutMs);
    return new Promise((resolve, reject) => {
      const asTheyAre = (bytes: Buffer): Buffer => bytes;
      const bytes = Buffer.from(request);
      this.grpc.makeUnaryRequest(method.path, asTheyAre, asTheyAre, bytes, new Metadata(), { deadline }, (error, response) => {
        if (error) {
          reject(new Refused(error));
          return;
        }
        try {
          resolve(new Answered(method, request, response ?? new Uint8Array()));
        } catch {
          reject(new Refused({ code: status.INTERNAL, details: "the response is malformed" }));
        }
      });
    });
  }

  close(): void {
    this.grpc.close();
  }
}
