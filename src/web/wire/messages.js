// Protocol buffers, binary, by the schemas of gen/. The types of messages are those that protoc-gen-es
// declares; its runtime and connect-web's weigh 28 KB of the first load, this and grpc-web.js 4.
//
// A message is an object: scalars have their defaults, 64-bit integers are bigint, fields with presence and
// messages may be undefined, a oneof is `{case, value}`, a map with string keys is an object.

/** @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage */

/** @typedef {import("./types.js").Field} Field */
/** @typedef {import("./types.js").Fields} Fields */
/** @typedef {import("./types.js").Enum} Enum */
/** @typedef {import("./types.js").Schema} Schema */
/** @typedef {import("./types.js").Method} Method */

/**
 * What a schema of gen/ is at run time; its declared type serves the checker alone.
 * @param {DescMessage} desc
 * @returns {Schema}
 */
const schemaOf = (desc) => /** @type {Schema} */ (/** @type {unknown} */ (desc));

/** @param {string} name */
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

/**
 * A schema as gen/ writes it: "1 name s|2 hits *m0|3 score ?f|4 text s@from|5 attributes %m1"; a number
 * behind m or e is a place in `refs`.
 * @param {string} typeName
 * @param {string} source
 * @param {() => unknown[]} [refs]  Asked for late, since messages refer to one another.
 */
export function message(typeName, source, refs = () => []) {
  /** @type {Field[] | undefined} */
  let fields;
  const parse = () => {
    const others = refs();
    return source === "" ? [] : source.split("|").map((line) => {
      const [number = "", json = "", type = ""] = line.split(" ");
      const [, sign = "", kind = "", ref = "", oneof = ""] = /^([*?%]?)([a-zA-Z])(\d*)@?(.*)$/.exec(type) ?? [];
      return {
        number: Number(number), json, name: camel(json), kind, of: /** @type {Schema} */ (others[Number(ref)]), repeated: sign === "*", map: sign === "%",
        presence: sign === "?" || kind === "m" || oneof !== "", oneof: camel(oneof),
      };
    });
  };
  return { typeName, fields: () => fields ??= parse() };
}

/** Where an enumeration keeps what its names begin with in the .proto file. */
export const PREFIX = Symbol("prefix");

/** An enumeration: names to numbers and back. @param {string} source  "RAW=0 P90=1". @param {string} prefix */
export function enumeration(source, prefix) {
  /** @type {Enum} */
  const made = { [PREFIX]: prefix };
  for (const [name = "", number] of source.split(" ").map((pair) => pair.split("="))) {
    made[name] = Number(number);
    made[Number(number)] = name;
  }
  return made;
}

/**
 * A service: "Search Scroll*", a star behind those that answer with a stream.
 * @param {string} typeName
 * @param {string} names
 * @param {Schema[]} schemas  Two a method.
 * @returns {{typeName: string, methods: Method[]}}
 */
export function service(typeName, names, schemas) {
  const methods = names.split(" ").map((name, at) => ({
    name: name.replace("*", ""), streams: name.endsWith("*"),
    input: /** @type {Schema} */ (schemas[2 * at]), output: /** @type {Schema} */ (schemas[2 * at + 1]),
  }));
  return { typeName, methods };
}

/** The default of each kind of scalar. @type {Record<string, unknown>} */
const SCALARS = { s: "", b: false, y: new Uint8Array(), u: 0, i: 0, U: 0n, I: 0n, f: 0, d: 0, e: 0 };
/** Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. @param {string} kind */
const wireType = (kind) => kind === "d" ? 1 : kind === "f" ? 5 : /[sym]/.test(kind) ? 2 : 0;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Bytes that grow. */
class Writer {
  bytes = new Uint8Array(256);
  at = 0;

  /** @param {number} more */
  room(more) {
    if (this.at + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, this.at + more));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** @param {number | bigint} value */
  varint(value) {
    this.room(10);
    if (typeof value === "number" && value >= 0) {
      for (; value > 127; value = Math.floor(value / 128)) this.bytes[this.at++] = value % 128 | 128;
      this.bytes[this.at++] = value;
      return;
    }
    // Negative numbers are ten bytes of two's complement.
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.bytes[this.at++] = Number(rest & 127n) | 128;
    this.bytes[this.at++] = Number(rest);
  }

  /** @param {Uint8Array} bytes */
  raw(bytes) {
    this.varint(bytes.length);
    this.room(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** @param {Field} field @param {any} value */
  value({ kind, of }, value) {
    if (kind === "m") this.raw(write(/** @type {Schema} */ (of), value));
    else if (kind === "s") this.raw(utf8.encode(value));
    else if (kind === "y") this.raw(value);
    else if (kind === "f" || kind === "d") {
      const size = kind === "f" ? 4 : 8;
      this.room(size);
      const view = new DataView(this.bytes.buffer);
      if (kind === "f") view.setFloat32(this.at, value, true);
      else view.setFloat64(this.at, value, true);
      this.at += size;
    } else this.varint(kind === "b" ? Number(value) : value);
  }
}

/**
 * @param {Schema} schema
 * @param {Fields} given
 * @returns {Uint8Array<ArrayBuffer>}
 */
function write(schema, given) {
  const writer = new Writer();
  for (const field of schema.fields()) {
    const { oneof, name, kind, number } = field;
    const value = oneof === "" ? given[name] : given[oneof]?.case === name ? given[oneof].value : undefined;
    if (value === undefined) continue;
    const tag = (/** @type {number} */ type) => writer.varint(8 * number + type);
    if (field.map) {
      for (const [key, item] of Object.entries(value)) {
        const entry = new Writer();
        entry.varint(10);
        entry.raw(utf8.encode(key));
        entry.varint(16 + wireType(kind));
        entry.value(field, item);
        tag(2);
        writer.raw(entry.bytes.subarray(0, entry.at));
      }
    } else if (field.repeated && wireType(kind) !== 2) {
      if (value.length === 0) continue;
      const packed = new Writer();
      for (const item of value) packed.value(field, item);
      tag(2);
      writer.raw(packed.bytes.subarray(0, packed.at));
    } else if (field.repeated) {
      for (const item of value) { tag(2); writer.value(field, item); }
    } else if (field.presence || !(kind === "y" ? value.length === 0 : value === SCALARS[kind])) {
      tag(wireType(kind));
      writer.value(field, value);
    }
  }
  return writer.bytes.slice(0, writer.at);
}

/** Bytes that are read. */
class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  /** @returns {number} */
  byte() {
    if (this.at >= this.bytes.length) throw new Error("a message ends too early");
    return this.bytes[this.at++] ?? 0;
  }

  /** The low and the high 32 bits of a varint. @returns {[number, number]} */
  halves() {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      if (shift < 28) low |= (byte & 127) << shift;
      else if (shift === 28) {
        low |= (byte & 127) << 28;
        high |= (byte & 127) >> 4;
      } else if (shift < 64) high |= (byte & 127) << (shift - 32);
      if (byte < 128) return [low >>> 0, high >>> 0];
    }
    throw new Error("a number of a message is too long");
  }

  raw() {
    const [length] = this.halves();
    if (this.at + length > this.bytes.length) throw new Error("a message ends too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** @param {number} type  The wire type. */
  skip(type) {
    if (type === 0) this.halves();
    else if (type === 2) this.raw();
    else if (type === 1 || type === 5) this.at += type === 1 ? 8 : 4;
    else throw new Error(`a message has a field of wire type ${type}`);
  }

  /** @param {Field} field @returns {unknown} */
  value({ kind, of }) {
    switch (kind) {
      case "m": return read(/** @type {Schema} */ (of), this.raw());
      case "s": return text.decode(this.raw());
      case "y": return this.raw().slice();
      case "f": this.at += 4; return this.view.getFloat32(this.at - 4, true);
      case "d": this.at += 8; return this.view.getFloat64(this.at - 8, true);
    }
    const [low, high] = this.halves();
    switch (kind) {
      case "b": return low !== 0 || high !== 0;
      case "U": return (BigInt(high) << 32n) | BigInt(low);
      case "I": return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
      case "i": case "e": return low | 0;
      default: return low;
    }
  }
}

/** A message with its defaults. @param {Schema} schema @returns {Fields} */
function empty(schema) {
  /** @type {Fields} */
  const made = { $typeName: schema.typeName };
  for (const { name, kind, repeated, map, presence, oneof } of schema.fields()) {
    if (oneof !== "") made[oneof] = { case: undefined };
    else if (repeated) made[name] = [];
    else if (map) made[name] = {};
    else if (!presence) made[name] = SCALARS[kind];
  }
  return made;
}

/** @param {Schema} schema @param {Uint8Array} bytes @returns {Fields} */
function read(schema, bytes) {
  const made = empty(schema);
  const reader = new Reader(bytes);
  const fields = new Map(schema.fields().map((field) => [field.number, field]));
  while (reader.at < bytes.length) {
    const [tag] = reader.halves();
    const field = fields.get(tag >>> 3);
    const type = tag & 7;
    if (field === undefined) {
      // Of a newer server.
      reader.skip(type);
    } else if (field.map) {
      const entry = new Reader(reader.raw());
      let key = "";
      let value = field.kind === "m" ? empty(/** @type {Schema} */ (field.of)) : SCALARS[field.kind];
      while (entry.at < entry.bytes.length) {
        const [part] = entry.halves();
        if (part >>> 3 === 1) key = text.decode(entry.raw());
        else value = entry.value(field);
      }
      // A key such as __proto__ is a key like others.
      Object.defineProperty(made[field.name], key, { value, enumerable: true, configurable: true, writable: true });
    } else if (field.repeated && type === 2 && wireType(field.kind) !== 2) {
      const packed = new Reader(reader.raw());
      while (packed.at < packed.bytes.length) made[field.name].push(packed.value(field));
    } else {
      const value = reader.value(field);
      if (field.repeated) made[field.name].push(value);
      else if (field.oneof === "") made[field.name] = value;
      else made[field.oneof] = { case: field.name, value };
    }
  }
  return made;
}

/**
 * @template {DescMessage} D
 * @param {D} schema
 * @param {import("@bufbuild/protobuf").MessageInitShape<D>} given
 */
export function toBinary(schema, given) {
  return write(schemaOf(schema), /** @type {Fields} */ (given));
}

/**
 * @template {DescMessage} D
 * @param {D} schema
 * @param {Uint8Array} bytes
 * @returns {import("@bufbuild/protobuf").MessageShape<D>}
 */
export function fromBinary(schema, bytes) {
  return /** @type {import("@bufbuild/protobuf").MessageShape<D>} */ (/** @type {unknown} */ (read(schemaOf(schema), bytes)));
}

/**
 * A message out of what is given of it.
 * @template {DescMessage} D
 * @param {D} schema
 * @param {import("@bufbuild/protobuf").MessageInitShape<D>} [given]
 */
export function create(schema, given) {
  return fromBinary(schema, given === undefined ? new Uint8Array() : toBinary(schema, given));
}

/** @param {import("@bufbuild/protobuf/wkt").Timestamp} timestamp */
export function timestampDate({ seconds, nanos }) {
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
}

export const TimestampSchema = /** @type {typeof import("@bufbuild/protobuf/wkt").TimestampSchema} */ (/** @type {unknown} */ (
  message("google.protobuf.Timestamp", "1 seconds I|2 nanos i")));
