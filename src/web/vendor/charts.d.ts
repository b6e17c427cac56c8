export * from "../tools/entries/charts.ts";
