// Writes the schemas of proto/ as modules: schemas.mjs DESCRIPTORS FOLDER. Their types are protoc-gen-es's.
import { createFileRegistry, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [descriptors, folder] = process.argv.slice(2);
const LETTERS = new Map([
  [ScalarType.STRING, "s"], [ScalarType.BOOL, "b"], [ScalarType.BYTES, "y"], [ScalarType.UINT32, "u"], [ScalarType.INT32, "i"],
  [ScalarType.UINT64, "U"], [ScalarType.INT64, "I"], [ScalarType.FLOAT, "f"], [ScalarType.DOUBLE, "d"],
]);

/** The name of a message or an enumeration in its module. */
const exported = (desc) => desc.kind === "message" ? `${desc.name}Schema` : desc.name;

/** The letter of what a field holds, with the place of its message or enumeration. */
function held({ message, enum: enumeration, scalar }, refs) {
  const other = message ?? enumeration;
  if (other === undefined) {
    const letter = LETTERS.get(scalar);
    if (letter === undefined) throw new Error(`the page's messages know no scalar of type ${ScalarType[scalar]}`);
    return letter;
  }
  if (!refs.includes(other)) refs.push(other);
  return `${message === undefined ? "e" : "m"}${refs.indexOf(other)}`;
}

/** A field as `message` of wire/messages.js reads it. */
function written(field, refs) {
  if (field.fieldKind === "map" && field.mapKey !== ScalarType.STRING) throw new Error(`${field}: the page's maps have strings as keys`);
  const optional = field.fieldKind !== "message" && field.proto.proto3Optional;
  const sign = field.fieldKind === "list" ? "*" : field.fieldKind === "map" ? "%" : optional ? "?" : "";
  const oneof = field.oneof === undefined ? "" : `@${field.oneof.name}`;
  return `${field.number} ${field.name} ${sign}${held(field, refs)}${oneof}`;
}

function moduleOf(file) {
  const wanted = new Map();
  const runtime = new Set();
  const use = (desc) => {
    if (desc.file !== file) wanted.set(desc.file, new Set([...(wanted.get(desc.file) ?? []), exported(desc)]));
    return exported(desc);
  };
  const lines = [];
  for (const desc of file.enums) {
    runtime.add("enumeration");
    const values = desc.values.map((value) => `${value.localName}=${value.number}`).join(" ");
    lines.push(`export const ${desc.name} = enumeration("${values}", "${desc.sharedPrefix.toUpperCase()}");`);
  }
  for (const desc of file.messages) {
    if (desc.nestedMessages.some((nested) => !nested.proto.options?.mapEntry) || desc.nestedEnums.length > 0) throw new Error(`${desc}: messages inside messages are not known here`);
    runtime.add("message");
    const refs = [];
    const fields = desc.fields.map((field) => written(field, refs)).join("|");
    const others = refs.length === 0 ? "" : `, () => [${refs.map(use).join(", ")}]`;
    lines.push(`export const ${desc.name}Schema = message("${desc.typeName}", "${fields}"${others});`);
  }
  for (const desc of file.services) {
    runtime.add("service");
    // Browsers send no streams.
    const methods = desc.methods.filter(({ methodKind }) => methodKind === "unary" || methodKind === "server_streaming");
    const names = methods.map(({ name, methodKind }) => `${name}${methodKind === "unary" ? "" : "*"}`).join(" ");
    const schemas = methods.flatMap(({ input, output }) => [use(input), use(output)]);
    lines.push(`export const ${desc.name} = service("${desc.typeName}", "${names}", [${schemas.join(", ")}]);`);
  }
  const timestamp = [...wanted.keys()].find((other) => other.name === "google/protobuf/timestamp");
  if (timestamp !== undefined) { wanted.delete(timestamp); runtime.add("TimestampSchema"); }
  const imports = [`import { ${[...runtime].sort().join(", ")} } from "../../../wire/messages.js";`];
  for (const [other, names] of wanted) imports.push(`import { ${[...names].sort().join(", ")} } from "./${other.name.split("/").at(-1)}_pb.js";`);
  return `// Made by src/web/tools/generate from ${file.name}.proto.\n${imports.join("\n")}\n\n${lines.join("\n")}\n`;
}

const set = fromBinary(FileDescriptorSetSchema, readFileSync(descriptors));
for (const file of createFileRegistry(set).files) {
  if (file.name.startsWith("google/")) continue;
  writeFileSync(join(folder, `${file.name}_pb.js`), moduleOf(file));
}
