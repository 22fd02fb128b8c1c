/** Server-sent events (WHATWG HTML, 9.2.6) out of a stream of text. */

/**
 * @param {(event: {type: string, data: string}) => void} onEvent
 * @returns {(text: string) => void} takes the stream, in pieces of any size
 */
export function sseParser(onEvent) {
  let rest = '';
  let type = '';
  let data = [];

  function line(text) {
    if (text === '') {
      if (data.length) onEvent({ type: type || 'message', data: data.join('\n') });
      type = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    if (field === 'data') data.push(value);
  }

  return function push(text) {
    rest += text;
    // A CR at the end may be the first half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}
