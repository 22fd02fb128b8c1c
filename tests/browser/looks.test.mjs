// Every view in every dress: axe finds nothing that matters, nothing is cut off, and there is a picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, DESKTOP, PHONE, WIDE } from './browser.mjs';
import { picture } from './pictures.mjs';
import { look, Scene, VIEWS } from './scene.mjs';

const DRESSES = {
  light: { viewport: DESKTOP, colorScheme: 'light' },
  dark: { viewport: DESKTOP, colorScheme: 'dark' },
  'phone-dark': { viewport: PHONE, colorScheme: 'dark' },
  phone: { viewport: PHONE, colorScheme: 'light' },
  wide: { viewport: WIDE, colorScheme: 'light' },
};

let scene;
let browser;
before(async () => {
  [scene, browser] = await Promise.all([Scene.play(), Browser.launch()]);
});
after(() => Promise.all([scene?.close(), browser?.close()]));

for (const name of Object.keys(VIEWS)) {
  test(name, async () => {
    const tab = await look(browser, scene.stand, name);
    const { page } = tab;
    for (const [dress, { viewport, colorScheme }] of Object.entries(DRESSES)) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      const minor = await tab.axe(`${name}, ${dress}`);
      for (const { id, nodes } of minor) console.log(`axe, not serious: ${name}, ${dress}: ${id}: ${nodes[0]}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= viewport.width, `${dress}: the page is ${width} wide`);
      await picture(page, `${name}-${dress}`, { whole: name !== 'confirm' });
    }
    await tab.close();
  });
}
