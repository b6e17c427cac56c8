// The collections of the server, and the one that is open.
import { signal } from "../vendor/vendor.js";
import { CollectionService } from "../gen/latentdb/v1/collection_pb.js";
import { epoch } from "./connection.js";
import { useLoad } from "./load.js";
import { client } from "./transport.js";

/** @typedef {import("../gen/latentdb/v1/collection_pb.js").Collection} Collection */

export const collections = client(CollectionService);

/** Counts up when a view created, changed or dropped a collection. */
const changes = signal(0);

/** To call after a collection was created, changed or dropped. */
export function collectionsChanged() {
  changes.value += 1;
  known.clear();
}

/** All collections, by name. */
export function useCollections() {
  return useLoad(async (signal) => (await collections.listCollections({}, { signal })).collections, [changes.value]);
}

/** Records that were read, so that going from view to view asks once. */
/** @type {Map<string, Promise<Collection>>} */
const known = new Map();
epoch.subscribe(() => known.clear());

/**
 * A collection's record, with its attributes.
 * @param {string} name  NAME or NAME:SAE.
 */
export function useCollection(name) {
  // Shared by all that ask, so that none may call it off.
  return useLoad(() => {
    const own = name.split(":", 1)[0] ?? "";
    let record = known.get(own);
    if (record === undefined) {
      record = collections.getCollection({ name: own });
      known.set(own, record);
      record.catch(() => known.delete(own));
    }
    return record;
  }, [name, changes.value]);
}
