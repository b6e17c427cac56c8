// Holds wire/messages.js against protobuf-es: parity.mjs DESCRIPTORS. Random messages of every type that the
// page has, written by each and read by the other.
import { create, createFileRegistry, equals, fromBinary, ScalarType, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readFileSync } from "node:fs";
import * as wire from "../wire/messages.js";

const ROUNDS = 20;
const DEEPEST = 4;
const SEED = 16;

/** Mulberry32. */
let state = SEED;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}
const below = (most) => Math.floor(random() * most);
const oneOf = (list) => list[below(list.length)];

const SCALARS = {
  [ScalarType.STRING]: () => oneOf(["", "late", "北京 📦", "x".repeat(300), "__proto__"]),
  [ScalarType.BOOL]: () => random() < 0.5,
  [ScalarType.BYTES]: () => Uint8Array.from({ length: below(200) }, () => below(256)),
  [ScalarType.UINT32]: () => oneOf([0, 1, 127, 128, 16384, 4294967295]),
  [ScalarType.INT32]: () => oneOf([0, 1, -1, 2147483647, -2147483648]),
  [ScalarType.UINT64]: () => oneOf([0n, 1n, 300n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n]),
  [ScalarType.INT64]: () => oneOf([0n, 1n, -1n, 2n ** 40n, -(2n ** 63n), 2n ** 63n - 1n]),
  [ScalarType.FLOAT]: () => Math.fround(oneOf([0, 0.25, -1.5e-7, 3.4e38, Infinity])),
  [ScalarType.DOUBLE]: () => oneOf([0, 0.1, -1e300, 5e-324]),
};

/** What a field may hold; undefined where it would nest too deep. */
function item({ message, enum: values, scalar }, depth) {
  if (message !== undefined) return depth < DEEPEST ? made(message, depth + 1) : undefined;
  return values === undefined ? SCALARS[scalar]() : oneOf(values.values).number;
}

function made(desc, depth) {
  const given = {};
  for (const field of desc.fields) {
    if (random() < 0.4) continue;
    if (field.fieldKind === "list") {
      given[field.localName] = Array.from({ length: below(4) }, () => item(field, depth)).filter((one) => one !== undefined);
    } else if (field.fieldKind === "map") {
      const entries = Array.from({ length: below(3) }, (_, at) => [`key ${at}`, item(field, depth)]);
      given[field.localName] = Object.fromEntries(entries.filter(([, one]) => one !== undefined));
    } else {
      const value = item(field, depth);
      if (value === undefined) continue;
      if (field.oneof !== undefined && !field.proto.proto3Optional) given[field.oneof.localName] = { case: field.localName, value };
      else given[field.localName] = value;
    }
  }
  return create(desc, given);
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2])));
let messages = 0;
for (const file of registry.files) {
  if (file.name.startsWith("google/")) continue;
  const module = await import(`../gen/${file.name}_pb.js`);
  for (const desc of file.messages) {
    const schema = module[`${desc.name}Schema`];
    for (let round = 0; round < ROUNDS; round += 1) {
      const message = made(desc, 0);
      const read = wire.fromBinary(schema, toBinary(desc, message));
      const back = fromBinary(desc, wire.toBinary(schema, read));
      if (!equals(desc, message, back)) throw new Error(`${desc.typeName} differs, seed ${SEED}, round ${round}: ${JSON.stringify(read, (_, value) => typeof value === "bigint" ? String(value) : value)}`);
      messages += 1;
    }
  }
}
console.log(`${messages} messages are the same to the page and to protobuf-es`);
