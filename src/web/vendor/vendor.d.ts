export * from "../tools/entries/vendor.ts";
