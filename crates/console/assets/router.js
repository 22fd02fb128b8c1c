/**
 * Views by the fragment: `#/wallets/wallet-1`. Fragments are not sent to any server, so an id in one
 * is in nobody's access log.
 */

/** The fragment of a view: each part is encoded. */
export function link(...parts) {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

/** The parts of a fragment; `null` for one that is not a view's, or is not encoded well. */
export function parts(fragment) {
  if (fragment === '' || fragment === '#') return [];
  if (!fragment.startsWith('#/')) return null;
  try {
    return fragment.slice(2).split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return null;
  }
}

/**
 * The first route that fits, with what its `:name` parts are.
 * @param {Array<{pattern: string}>} routes
 */
export function match(routes, path) {
  for (const route of routes) {
    const pattern = route.pattern.split('/').filter(Boolean);
    if (pattern.length !== path.length) continue;
    const params = {};
    const fits = pattern.every((part, i) => {
      if (!part.startsWith(':')) return part === path[i];
      params[part.slice(1)] = path[i];
      return true;
    });
    if (fits) return { route, params };
  }
  return null;
}
