// Files that the page offers.

/**
 * @param {string} name
 * @param {string} content
 * @param {string} type  As "text/html".
 */
export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {(string | number)[][]} rows  The first names the columns. */
export function csv(rows) {
  const cell = (/** @type {string | number} */ value) => /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
