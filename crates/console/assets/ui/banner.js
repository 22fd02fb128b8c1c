/** Says that the server is away, when it is asked again, and that it is back. */

import { changes, connection, tryNow } from '../connection.js';
import { h, replace, setText } from '../dom.js';
import { icon } from './icons.js';
import { announce } from './toasts.js';

export function connectionBanner() {
  const banner = document.getElementById('banner');
  const when = h('span', { class: 'num', 'aria-live': 'off' });
  let timer = 0;

  function tick() {
    const seconds = Math.max(0, Math.ceil((connection.nextTryAt - Date.now()) / 1000));
    setText(when, seconds ? `Next try in ${seconds} s.` : 'Trying …');
  }

  changes.subscribe((change) => {
    if (change === 'lost') {
      const now = h('button', { type: 'button', class: 'button button-small button-plain', on: { click: tryNow } }, 'Try now');
      replace(banner, h('div', { class: 'banner' }, icon('alert'), h('span', {}, h('strong', {}, 'The server can’t be reached.'), ' What you see may be old.'), when, now));
      timer = setInterval(tick, 500);
      tick();
    }
    if (change === 'back') {
      clearInterval(timer);
      replace(banner);
      announce('ok', 'The server is back.');
    }
  });
}
