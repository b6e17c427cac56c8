// Made by src/web/tools/generate from latentdb/v1/snapshot.proto.
import { TimestampSchema, message, service } from "../../../wire/messages.js";

export const CreateSnapshotRequestSchema = message("latentdb.v1.CreateSnapshotRequest", "1 name s|2 collections *s|3 keep u");
export const CreateSnapshotProgressSchema = message("latentdb.v1.CreateSnapshotProgress", "1 done U|2 total U|3 snapshot m0|4 removed *s", () => [SnapshotSchema]);
export const SnapshotSchema = message("latentdb.v1.Snapshot", "1 name s|2 created m0|3 latentdb s|4 collections *m1|5 bytes U", () => [TimestampSchema, SnapshotCollectionSchema]);
export const SnapshotCollectionSchema = message("latentdb.v1.SnapshotCollection", "1 name s|2 documents U|3 sequence U|4 bytes U");
export const ListSnapshotsRequestSchema = message("latentdb.v1.ListSnapshotsRequest", "");
export const ListSnapshotsResponseSchema = message("latentdb.v1.ListSnapshotsResponse", "1 snapshots *m0", () => [SnapshotSchema]);
export const RestoreSnapshotRequestSchema = message("latentdb.v1.RestoreSnapshotRequest", "1 name s|2 collections %s");
export const RestoreSnapshotProgressSchema = message("latentdb.v1.RestoreSnapshotProgress", "1 done U|2 total U|3 collections *s");
export const DeleteSnapshotRequestSchema = message("latentdb.v1.DeleteSnapshotRequest", "1 name s");
export const DeleteSnapshotResponseSchema = message("latentdb.v1.DeleteSnapshotResponse", "");
export const SnapshotService = service("latentdb.v1.SnapshotService", "CreateSnapshot* ListSnapshots RestoreSnapshot* DeleteSnapshot", [CreateSnapshotRequestSchema, CreateSnapshotProgressSchema, ListSnapshotsRequestSchema, ListSnapshotsResponseSchema, RestoreSnapshotRequestSchema, RestoreSnapshotProgressSchema, DeleteSnapshotRequestSchema, DeleteSnapshotResponseSchema]);
