// A request as JSON with the names of the .proto files, as grpcurl takes it.
import { PREFIX, fromBinary, timestampDate, toBinary } from "./messages.js";

/** @typedef {import("./messages.js").Schema} Schema */
/** @typedef {import("./messages.js").Field} Field */
/** @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage */

/**
 * Fields at their default are left out.
 * @template {DescMessage} D
 * @param {D} schema
 * @param {import("@bufbuild/protobuf").MessageInitShape<D>} given
 */
export function toJson(schema, given) {
  return messageJson(/** @type {Schema} */ (/** @type {unknown} */ (schema)), /** @type {Record<string, any>} */ (fromBinary(schema, toBinary(schema, given))));
}

/** @param {Schema} schema @param {Record<string, any>} message @returns {unknown} */
function messageJson(schema, message) {
  if (schema.typeName === "google.protobuf.Timestamp") return timestampDate(/** @type {any} */ (message)).toISOString();
  /** @type {Record<string, unknown>} */
  const made = {};
  for (const field of schema.fields()) {
    const { json, name, oneof, map, repeated, presence } = field;
    const value = oneof === "" ? message[name] : message[oneof].case === name ? message[oneof].value : undefined;
    if (value === undefined) continue;
    if (map) {
      const entries = Object.entries(value);
      if (entries.length > 0) made[json] = Object.fromEntries(entries.map(([key, item]) => [key, valueJson(field, item)]));
    } else if (repeated) {
      if (value.length > 0) made[json] = value.map((/** @type {unknown} */ item) => valueJson(field, item));
    } else if (presence || (value !== "" && value !== false && Number(value) !== 0)) {
      made[json] = valueJson(field, value);
    }
  }
  return made;
}

/** @param {Field} field @param {any} value @returns {unknown} */
function valueJson({ kind, of }, value) {
  switch (kind) {
    case "m": return messageJson(/** @type {Schema} */ (of), value);
    case "e": {
      const values = /** @type {import("./messages.js").Enum} */ (of);
      return values[value] === undefined ? value : `${String(values[PREFIX])}${values[value]}`;
    }
    case "U": case "I": return value.toString();
    // Seven digits say which 32-bit float it is, and read as they were typed.
    case "f": return Number(value.toPrecision(7));
    case "y": return btoa(String.fromCharCode(...value));
    default: return value;
  }
}
