/** A word of a POSIX shell. @param {string} text */
export function quotedForShell(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
