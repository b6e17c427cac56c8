// The types of the search view, which browsers need not fetch.
import type { Problem } from "../../app/errors.js";
import type { Collection } from "../../app/collections.js";
import type { SearchResponse } from "../../gen/latentdb/v1/search_pb.js";

export type Kind = "nearest" | "words" | "hybrid" | "property" | "own" | "latents" | "like" | "examples" | "matching";
/** What sliders do. */
export type Method = "boost" | "add" | "scale" | "set";
/** Amounts by latent. */
export type Edits = ReadonlyMap<number, number>;

/** One ranking of the query. */
export interface Part {
  kind: Kind;
  /** A text, a document's id, or weighted latents as "9=1 812=-0.5". */
  text: string;
  /** In a fusion; empty: 1. */
  weight: string;
  /** How words, latents or a property are taken, or what documents are ordered by; empty: as usual. */
  mode: string;
}

/** A search as the address says it. */
export interface SearchState {
  /** At least one. */
  parts: Part[];
  filter: string;
  /** A fusion method; of several parts. */
  fusion: string;
  /** Text whose nearest documents are taken away; empty: none. */
  except: string;
  exceptTop: number;
  /** An attribute; empty: not grouped. */
  group: string;
  /** Least score; empty: none. */
  min: string;
  exact: boolean;
  limit: number;
  /** From 1. */
  page: number;
  how: Method;
  /** Sliders that were moved or added. */
  edits: Edits;
  presets: { name: string; strength: number }[];
}

/** What a search was answered with. */
export interface Run {
  /** The steered answer where there is steering. */
  shown: SearchResponse | undefined;
  /** The answer without steering. */
  base: SearchResponse | undefined;
  /** Whether `shown` is steered. */
  steered: boolean;
  /** Unsteered ranks by id, of the first `DEEP`. */
  ranks: Map<string, number> | undefined;
  problem: Problem | undefined;
  /** The thrown error, of which a FormError names the row. */
  failure: unknown;
  loading: boolean;
  /** A newer answer is on its way, if only of a slider. */
  busy: boolean;
  reload: () => void;
}

/** One slider. */
export interface Slider {
  latent: number;
  /** Empty: not known here. */
  label: string;
  /** Where it stands. */
  amount: number;
  /** Activation in the query, or the weight the server chose. */
  before: number | undefined;
  /** Activation in the steered query. */
  after: number | undefined;
  moved: boolean;
}

/** What the parts of this view are given. */
export interface Shared {
  collection: string;
  record: Collection | undefined;
  state: SearchState;
  run: Run;
  change: (changes: Partial<SearchState>) => void;
  moveSliders: (edits: Edits) => void;
}
