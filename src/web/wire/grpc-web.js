// gRPC-Web in its binary form: one request, then frames of answers and one of trailers.
import { fromBinary, toBinary } from "./messages.js";

/** @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage */
/** @typedef {import("./types.js").Options} Options */
/**
 * @template {import("@bufbuild/protobuf").DescService} S
 * @typedef {import("./types.js").Client<S>} Client
 */

/** The canonical codes. @enum {number} */
export const Code = {
  Ok: 0, Canceled: 1, Unknown: 2, InvalidArgument: 3, DeadlineExceeded: 4, NotFound: 5, AlreadyExists: 6, PermissionDenied: 7, ResourceExhausted: 8,
  FailedPrecondition: 9, Aborted: 10, OutOfRange: 11, Unimplemented: 12, Internal: 13, Unavailable: 14, DataLoss: 15, Unauthenticated: 16,
};

/** A call that did not go well. */
export class StatusError extends Error {
  /**
   * @param {number} code
   * @param {string} message
   * @param {Uint8Array} [details]  A google.rpc.Status.
   */
  constructor(code, message, details = new Uint8Array()) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** Any error as one of these. @param {unknown} error */
  static from(error) {
    if (error instanceof StatusError) return error;
    if (error instanceof DOMException && error.name === "AbortError") return new StatusError(Code.Canceled, "it was called off");
    // So says fetch where the server cannot be reached.
    if (error instanceof TypeError) return new StatusError(Code.Unavailable, error.message);
    return new StatusError(Code.Unknown, error instanceof Error ? error.message : String(error));
  }
}

/** A frame begins with a byte of flags and four of its length; this flag says that it has trailers. */
const TRAILERS = 0x80;

/**
 * The answers to a call as they come.
 * @param {string} path  /SERVICE/METHOD
 * @param {Uint8Array} request
 * @param {Record<string, string>} headers
 * @param {AbortSignal | undefined} signal
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* answers(path, request, headers, signal) {
  const body = new Uint8Array(5 + request.length);
  new DataView(body.buffer).setUint32(1, request.length);
  body.set(request, 5);
  const response = await fetch(path, {
    method: "POST", body, signal: signal ?? null, cache: "no-store",
    headers: { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", ...headers },
  });
  const early = response.headers.get("grpc-status");
  if (early !== null && early !== "0") throw statusOf((name) => response.headers.get(name) ?? "");
  if (!response.ok || response.body === null) {
    throw new StatusError(response.status >= 500 ? Code.Unavailable : Code.Unknown, await response.text() || `HTTP ${response.status}`);
  }
  let ended = early === "0";
  for await (const { flags, bytes } of frames(response.body)) {
    if ((flags & TRAILERS) === 0) {
      yield bytes;
      continue;
    }
    ended = true;
    const trailers = new Map(new TextDecoder().decode(bytes).split("\r\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
    }));
    if (trailers.get("grpc-status") !== "0") throw statusOf((name) => trailers.get(name) ?? "");
  }
  // Every answer that is whole ends with its status.
  if (!ended) throw new StatusError(Code.Unavailable, "the answer broke off");
}

/** @param {ReadableStream<Uint8Array>} stream @returns {AsyncGenerator<{flags: number, bytes: Uint8Array}>} */
async function* frames(stream) {
  const reader = stream.getReader();
  /** @type {Uint8Array} */
  let there = new Uint8Array();
  try {
    for (;;) {
      const length = there.length < 5 ? Infinity : new DataView(there.buffer, there.byteOffset).getUint32(1);
      if (there.length >= 5 + length) {
        yield { flags: there[0] ?? 0, bytes: there.subarray(5, 5 + length) };
        there = there.subarray(5 + length);
        continue;
      }
      // A large frame comes in many pieces, which are put together once.
      const pieces = [there];
      let size = there.length;
      do {
        const { done, value } = await reader.read();
        if (done) return;
        pieces.push(value);
        size += value.length;
      } while (size < 5 + (length === Infinity ? 0 : length));
      const whole = new Uint8Array(size);
      pieces.reduce((at, piece) => { whole.set(piece, at); return at + piece.length; }, 0);
      there = whole;
    }
  } finally {
    // Whoever stops listening calls the work off.
    reader.cancel().catch(() => undefined);
  }
}

/** @param {(name: string) => string} value  Of a header or trailer. */
function statusOf(value) {
  let message = value("grpc-message");
  try {
    message = decodeURIComponent(message);
  } catch {
    // It stands as it came.
  }
  const encoded = value("grpc-status-details-bin");
  const details = encoded === "" ? undefined : Uint8Array.from(atob(encoded.replace(/=+$/, "")), (letter) => letter.charCodeAt(0));
  return new StatusError(Number(value("grpc-status")) || Code.Unknown, message, details);
}

/**
 * @param {import("@bufbuild/protobuf").DescService} service
 * @param {() => Record<string, string>} headers
 */
export function calls(service, headers) {
  const { typeName, methods } = /** @type {ReturnType<typeof import("./messages.js").service>} */ (/** @type {unknown} */ (service));
  return methods.map(({ name, streams, input, output }) => {
    const schemas = /** @type {[DescMessage, DescMessage]} */ (/** @type {unknown} */ ([input, output]));
    /** @param {any} request @param {Options} [options] */
    async function* stream(request, { signal } = {}) {
      for await (const bytes of answers(`/${typeName}/${name}`, toBinary(schemas[0], request), headers(), signal)) yield fromBinary(schemas[1], bytes);
    }
    /** @param {any} request @param {Options} [options] */
    async function unary(request, options) {
      let answer;
      for await (const one of stream(request, options)) answer = one;
      if (answer === undefined) throw new StatusError(Code.Internal, "the server answered nothing");
      return answer;
    }
    return { name: `${name.charAt(0).toLowerCase()}${name.slice(1)}`, streams, call: streams ? stream : unary };
  });
}
