// What went wrong, in a form that views show.
import { Code, StatusError } from "../wire/grpc-web.js";
import { fromBinary, message } from "../wire/messages.js";

/**
 * @typedef {object} Violation
 * @property {string} field        A path in the request, as "query.filter".
 * @property {string} description  What is wrong with it and what is accepted.
 */

/**
 * @typedef {object} Problem
 * @property {number} code
 * @property {string} title         A few words for the code.
 * @property {string} message       The server's sentence.
 * @property {Violation[]} fields   The fields at fault, if it names any.
 */

/** @type {Record<number, string>} */
const TITLES = {
  [Code.InvalidArgument]: "Not accepted",
  [Code.NotFound]: "Not found",
  [Code.AlreadyExists]: "There already",
  [Code.FailedPrecondition]: "Not possible yet",
  [Code.ResourceExhausted]: "Too much at once",
  [Code.Aborted]: "Changed meanwhile",
  [Code.Unavailable]: "The server does not answer",
  [Code.DeadlineExceeded]: "It took too long",
  [Code.DataLoss]: "A file is damaged",
  [Code.PermissionDenied]: "This key may not",
  [Code.Unauthenticated]: "A key is needed",
  [Code.Unimplemented]: "This server cannot do that",
};

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  const status = StatusError.from(error);
  if (isLost(error)) {
    return { code: Code.Unavailable, title: "The server does not answer", message: "", fields: [] };
  }
  let message = status.message;
  if (status.code === Code.PermissionDenied) {
    message += ". Keys are made with `latentdb key create NAME --role read|write|admin`; another key can be "
      + "given under the key symbol at the top.";
  }
  return { code: status.code, title: TITLES[status.code] ?? "Something went wrong", message, fields: violations(status) };
}

/**
 * Whether a call was given up by the page itself.
 * @param {unknown} error
 */
export function isCancelled(error) {
  return StatusError.from(error).code === Code.Canceled;
}

/**
 * Whether the server could not be reached at all.
 * @param {unknown} error
 */
export function isLost(error) {
  return StatusError.from(error).code === Code.Unavailable;
}

/**
 * The description of the first field at fault whose path fits.
 * @param {Problem | undefined} problem
 * @param {RegExp} field
 */
export function at(problem, field) {
  return problem?.fields.find((violation) => field.test(violation.field))?.description;
}

/** The parts of google.rpc.Status, its details and google.rpc.BadRequest that are read. */
const ViolationSchema = message("google.rpc.BadRequest.FieldViolation", "1 field s|2 description s");
const BadRequestSchema = message("google.rpc.BadRequest", "1 field_violations *m0", () => [ViolationSchema]);
const AnySchema = message("google.protobuf.Any", "1 type_url s|2 value y");
const StatusSchema = message("google.rpc.Status", "3 details *m0", () => [AnySchema]);

/** @param {import("../wire/messages.js").Schema} schema @param {Uint8Array} bytes @returns {any} */
const parsed = (schema, bytes) => fromBinary(/** @type {any} */ (schema), bytes);

/** @param {StatusError} status @returns {Violation[]} */
function violations(status) {
  /** @type {{typeUrl: string, value: Uint8Array}[]} */
  const details = parsed(StatusSchema, status.details).details;
  return details.filter(({ typeUrl }) => typeUrl.endsWith("/google.rpc.BadRequest")).flatMap(({ value }) => parsed(BadRequestSchema, value).fieldViolations);
}
