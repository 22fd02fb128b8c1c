/** A few line icons, 20 × 20, drawn in the colour of the text. */

const PATHS = {
  back: 'M12.5 4.5 7 10l5.5 5.5',
  copy: 'M7 7h9v9H7z M13 7V4H4v9h3',
  check: 'm4.5 10.5 3.5 3.5 7.5-8',
  alert: 'M10 3.5 17.5 16.5h-15z M10 8.5v3.5 M10 14.2v.3',
  info: 'M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z M10 9v5 M10 6.2v.3',
  close: 'm5 5 10 10 M15 5 5 15',
  search: 'M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z m4 9.5 3.5 3.5',
  play: 'M6.5 4.5v11l9-5.5z',
  stop: 'M5.5 5.5h9v9h-9z',
  retry: 'M15.5 8A6 6 0 1 0 16 11.5 M16 4v4h-4',
  empty: 'M3.5 12 6 4.5h8l2.5 7.5v4h-13z M3.5 12h4l1 2h3l1-2h4',
  arrow: 'M4 10h12 M11.5 5.5 16 10l-4.5 4.5',
  user: 'M10 3a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z M3.5 17c.8-3.2 3.3-4.8 6.5-4.8s5.7 1.6 6.5 4.8',
};

const SVG = 'http://www.w3.org/2000/svg';

/** Decoration: what an icon says is also said in words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
