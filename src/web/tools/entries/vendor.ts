// Third-party code that every view needs, as one module: vendor/vendor.js.
export { render } from "preact";
export type { ComponentChild, ComponentChildren, JSX, RefObject, VNode } from "preact";
export {
  useCallback, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState,
} from "preact/hooks";
export { signal } from "@preact/signals";
export type { ReadonlySignal, Signal } from "@preact/signals";

import { h } from "preact";
import type { VNode } from "preact";
import htm from "htm";
/** Elements out of a template. */
export const html = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
