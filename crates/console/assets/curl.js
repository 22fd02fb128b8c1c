/** A request as a command line that does the same. */

/** One word of a POSIX shell, whatever is in it. */
export function shellQuote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The API key is never part of it: it is named as a variable of the shell.
 * @param {{method: string, url: string, headers: Object<string, string>, body?: string, signedIn: boolean}} request
 */
export function curl({ method, url, headers, body, signedIn }) {
  const lines = [`curl -X ${method} ${shellQuote(url)}`];
  if (signedIn) lines.push('-H "Authorization: Bearer $WALLEX_KEY"');
  for (const [name, value] of Object.entries(headers)) {
    lines.push(`-H ${shellQuote(`${name}: ${value}`)}`);
  }
  if (body !== undefined) lines.push(`-d ${shellQuote(body)}`);
  return lines.join(' \\\n  ');
}
