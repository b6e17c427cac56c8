// Calls made while something moves: one is under way, of those that came meanwhile the newest is next.

/** @typedef {(signal: AbortSignal) => Promise<void>} Job */

export function newest() {
  /** @type {AbortController | undefined} */
  let underWay;
  /** @type {Job | undefined} */
  let next;
  /** @param {Job} job */
  async function run(job) {
    underWay = new AbortController();
    try {
      await job(underWay.signal);
    } finally {
      underWay = undefined;
      const following = next;
      next = undefined;
      if (following !== undefined) void run(following);
    }
  }
  return {
    /** @param {Job} job  Handles its own errors. */
    submit(job) {
      if (underWay === undefined) void run(job);
      else next = job;
    },
    /** Gives up what is under way and what waits. */
    cancel() {
      next = undefined;
      underWay?.abort();
    },
  };
}
