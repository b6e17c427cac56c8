// Numbers and dates as the page writes them.
import { timestampDate } from "../wire/messages.js";

/** @typedef {import("../gen/latentdb/v1/types_pb.js").Value} Value */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 12,345. @param {number | bigint} value */
export function count(value) {
  return whole.format(value);
}

/** "1 document", "2 documents". @param {number | bigint} number @param {string} one @param {string} [many] */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${Number(number) === 1 ? one : many}`;
}

/**
 * With so many digits behind the point, never "-0.00".
 * @param {number} value
 * @param {number} [digits]
 */
export function fixed(value, digits = 2) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** With its sign: +0.12, −0.12. @param {number} value @param {number} [digits] */
export function signed(value, digits = 2) {
  const text = fixed(value, digits);
  return Number(value.toFixed(digits)) > 0 ? `+${text}` : text;
}

/** About three digits that count: 0.0123, 1.23, 123. @param {number} value */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 5 || size < -4) return value.toExponential(1).replace("-", "−");
  return size >= 3 ? count(value) : fixed(value, Math.max(0, Math.min(4, 2 - size)));
}

/** 12.3%. @param {number} share @param {number} [digits] */
export function percent(share, digits = 1) {
  const of100 = share * 100;
  const enough = of100 !== 0 && Math.abs(of100) < 0.1 ? 3 : digits;
  return `${fixed(of100, enough)}%`;
}

/** p < 1e-300, p = .012. @param {number} p */
export function pValue(p) {
  if (p < 1e-300) return "<1e−300";
  if (p < 0.001) return p.toExponential(1).replace("-", "−");
  return fixed(p, 3);
}

/** 12.3 MiB. @param {number | bigint} bytes */
export function bytes(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : fixed(value, 1)} ${units[unit]}`;
}

/** 2026-11-29, or with the minute where it has one. @param {Date} date */
export function date(date) {
  const text = date.toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : `${text.slice(0, 16).replace("T", " ")} UTC`;
}

/** Digits of an attribute's float that are shown. */
const DIGITS = 4;

/**
 * An attribute's value as it is read; `valueLiteral` keeps all its digits.
 * @param {Value | undefined} value
 * @returns {string}
 */
export function valueText(value) {
  const kind = value?.kind;
  switch (kind?.case) {
    case "string": return kind.value;
    case "integer": return kind.value.toString();
    case "float": return String(Number(kind.value.toPrecision(DIGITS))).replace("-", "−");
    case "boolean": return String(kind.value);
    case "timestamp": return date(timestampDate(kind.value));
    case "list": return kind.value.values.map(valueText).join(", ");
    default: return "";
  }
}

/**
 * An attribute's value as the filter language writes it.
 * @param {Value | undefined} value
 * @returns {string}
 */
export function valueLiteral(value) {
  const kind = value?.kind;
  switch (kind?.case) {
    case "string": return quoted(kind.value);
    case "float": return String(kind.value);
    case "timestamp": return `timestamp("${timestampDate(kind.value).toISOString()}")`;
    case "list": return kind.value.values.map(valueLiteral).join(", ");
    default: return valueText(value);
  }
}

/** A string of the filter language. @param {string} text */
export function quoted(text) {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** Words of the filter language, which as names stand in backticks. */
const WORDS = new Set(("and or not latent family set sae text text_any phrase text_prefix text_fuzzy in exists like "
  + "ilike id true false timestamp").split(" "));

/** An attribute's name in the filter language. @param {string} name */
export function nameLiteral(name) {
  return WORDS.has(name.toLowerCase()) || !/^[\p{L}_][\p{L}\p{N}_.-]*$/u.test(name) ? `\`${name}\`` : name;
}
