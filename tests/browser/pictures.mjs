// Where pictures go, and how they are taken.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './modules.mjs';

const FOLDER = process.env.WALLEX_PICTURES ?? join(root, 'target/browser');
mkdirSync(FOLDER, { recursive: true });

/** A picture of what is seen; with `whole`, of the page from top to bottom. */
export async function picture(page, name, { whole = false } = {}) {
  await page.mouse.move(0, 0);
  if (whole) await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(FOLDER, `${name}.png`), fullPage: whole, animations: 'disabled' });
}
