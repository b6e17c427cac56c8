// Modules that are fetched when they are first needed.
import { useEffect, useState } from "../vendor/vendor.js";
import { loadStyle } from "../app/views.js";

/**
 * The module once it is there and wanted.
 * @template {object} M
 * @param {() => Promise<M>} load
 * @param {boolean} wanted
 * @returns {M | undefined}
 */
export function useLazy(load, wanted) {
  const [module, setModule] = useState(/** @type {M | undefined} */ (undefined));
  useEffect(() => {
    if (wanted && module === undefined) load().then((found) => setModule(() => found), () => undefined);
  }, [wanted]);
  return wanted ? module : undefined;
}

/**
 * A module with its style sheet of style/.
 * @template M
 * @param {Promise<M>} module
 * @param {string} style
 */
export async function styled(module, style) {
  const [found] = await Promise.all([module, loadStyle(style)]);
  return found;
}
