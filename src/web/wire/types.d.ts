// The types of the codec and of clients, which browsers need not fetch.
import type { DescMessage, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

export interface Field {
  number: number;
  /** The name in the .proto file. */
  json: string;
  /** The property. */
  name: string;
  /** A letter of `SCALARS`, "e" for an enum, "m" for a message. */
  kind: string;
  of: Schema | Enum | undefined;
  repeated: boolean;
  /** Whether a default is told from nothing. */
  presence: boolean;
  map: boolean;
  /** Empty: in none. */
  oneof: string;
}
export type Fields = Record<string, any>;
export type Enum = Record<string | symbol, string | number>;
export interface Schema {
  typeName: string;
  fields: () => Field[];
}
export interface Method {
  name: string;
  /** Answers with a stream. */
  streams: boolean;
  input: Schema;
  output: Schema;
}

export interface Options {
  signal?: AbortSignal;
}
/** The calls of a service, by their names. */
export type Client<S extends DescService> = {
  [P in keyof S["method"]]: S["method"][P] extends { methodKind: "unary"; input: infer I extends DescMessage; output: infer O extends DescMessage }
    ? (request: MessageInitShape<I>, options?: Options) => Promise<MessageShape<O>>
    : S["method"][P] extends { methodKind: "server_streaming"; input: infer I extends DescMessage; output: infer O extends DescMessage }
      ? (request: MessageInitShape<I>, options?: Options) => AsyncIterable<MessageShape<O>>
      : never;
};
