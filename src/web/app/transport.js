// Calls to the server this page came from: gRPC-Web, with the key, and with word to the banner when
// the server does not answer.
import { Code, StatusError, calls } from "../wire/grpc-web.js";
import { askForKey, key } from "./access.js";
import { noteLost } from "./connection.js";
import { isCancelled, isLost } from "./errors.js";

/** @returns {Record<string, string>} */
const headers = () => key.value === "" ? {} : { authorization: `Bearer ${key.value}` };

/**
 * A client of a service. Its calls ask for a key where one is needed and are made again with it.
 * @template {import("@bufbuild/protobuf").DescService} S
 * @param {S} service
 * @returns {import("../wire/grpc-web.js").Client<S>}
 */
export function client(service) {
  const made = calls(service, headers).map(({ name, streams, call }) => {
    const keyed = /** @type {(call: () => any) => unknown} */ (streams ? keyedStream : keyedCall);
    return [name, (/** @type {unknown} */ request, /** @type {import("../wire/grpc-web.js").Options} */ options) => keyed(() => call(request, options))];
  });
  return Object.fromEntries(made);
}

/**
 * @param {() => Promise<unknown>} call
 */
async function keyedCall(call) {
  for (;;) {
    const used = key.value;
    try {
      return await call();
    } catch (error) {
      await resolved(error, used);
    }
  }
}

/**
 * A stream is begun again only while nothing has come of it.
 * @param {() => AsyncIterable<unknown>} call
 */
async function* keyedStream(call) {
  for (;;) {
    const used = key.value;
    let begun = false;
    try {
      for await (const message of call()) {
        begun = true;
        yield message;
      }
      return;
    } catch (error) {
      if (begun) {
        if (isLost(error) && !isCancelled(error)) noteLost();
        throw error;
      }
      await resolved(error, used);
    }
  }
}

/**
 * Returns where a call may be made again, else throws what it failed with.
 * @param {unknown} error
 * @param {string} used  The key it was made with.
 */
async function resolved(error, used) {
  if (isCancelled(error)) throw error;
  if (isLost(error)) {
    noteLost();
    throw error;
  }
  const status = StatusError.from(error);
  if (status.code !== Code.Unauthenticated) throw error;
  // Another call may have been given a key meanwhile.
  if (key.value !== used) return;
  if ((await askForKey(used === "" ? "" : status.message)) === undefined) throw error;
}
