// What others have made. `just test-browser` installs it below `target/`, where nothing of the
// repository is, and where a module is not found by its name alone.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';

export const root = join(import.meta.dirname, '../..');
const require = createRequire(join(process.env.WALLEX_BROWSER_MODULES ?? join(root, 'target/browser-tests'), 'package.json'));

export const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
