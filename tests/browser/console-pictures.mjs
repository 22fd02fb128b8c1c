// Takes the pictures of docs/: `just console-pictures`. A quarter of an hour of traffic comes first, so
// that the charts show what they show on a server that has run for a while.

import { Browser, DESKTOP, PHONE } from './browser.mjs';
import { picture } from './pictures.mjs';
import { look, Scene } from './scene.mjs';

const MINUTES = Number(process.env.WALLEX_PICTURES_MINUTES ?? 15);

const [scene, browser] = await Promise.all([Scene.play(), Browser.launch()]);
// The database is asked only while somebody looks.
const watching = await look(browser, scene.stand, 'overview', { viewport: DESKTOP });
await new Promise((resolve) => setTimeout(resolve, MINUTES * 60_000));
for (const [file, view, options] of [
  ['overview', 'overview', { colorScheme: 'light' }],
  ['overview-dark', 'overview', { colorScheme: 'dark' }],
  ['projectors', 'projectors', {}],
  ['dead-letter', 'dead-letter', {}],
  ['wallet', 'wallet', {}],
  ['try-it', 'try-it', {}],
  ['phone', 'wallet', { viewport: PHONE }],
]) {
  const tab = await look(browser, scene.stand, view, { viewport: DESKTOP, scale: 2, ...options });
  await picture(tab.page, file);
  await tab.close();
}
await watching.close();
await browser.close();
await scene.close();
