// Whether there is room for columns beside the content.
import { signal } from "../vendor/vendor.js";

const query = matchMedia("(min-width: 1000px)");
const wide = signal(query.matches);
query.addEventListener("change", () => { wide.value = query.matches; });

export function useWide() {
  return wide.value;
}
