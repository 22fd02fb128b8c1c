/** What a state means and what cures it, in words: the runbook at the place where it is needed. */

import { count, duration, plural } from './format.js';

/**
 * Why one projector stands where it stands.
 * @param {object} p one item of `GET /admin/projectors`
 * @returns {{tone: 'ok'|'warn'|'bad', label: string, why: string, cure?: string}}
 */
export function projectorReason(p) {
  const behind = p.lagEvents > 0 ? `${plural(p.lagEvents, 'event')} behind` : 'nothing is missing yet';
  switch (p.state) {
    case 'stopped':
      return {
        tone: 'bad',
        label: 'Stopped',
        why: `Somebody stopped it by hand; ${behind}. It stays stopped, over restarts too, until somebody starts it.`,
        cure: 'Start it: it catches up by itself, and nothing is lost meanwhile.',
      };
    case 'failing':
      return {
        tone: 'bad',
        label: 'Failing',
        why: `Its last try failed with the error below; ${behind}. It tries again by itself, at most 10 seconds apart.`,
        cure: 'Cure what the error says: a table that was renamed, a full disk, a lock. Nothing is lost meanwhile.',
      };
    case 'unheld':
      return {
        tone: 'bad',
        label: 'Nobody runs it',
        why: `It should run, but no process holds it; ${behind}.`,
        cure: 'Start a server or “wallex worker”. Where servers run with PROJECTORS_AUTO_START=false, start it here.',
      };
    default:
      return runningReason(p);
  }
}

/** Below this, lag is what commits of the last moment leave, not a condition. */
const LAG_MS_NOTED = 2000;

function runningReason(p) {
  if (p.lagEvents === 0) {
    return { tone: 'ok', label: 'Running', why: 'It has applied every event there is.' };
  }
  if (p.lagAgeMs < LAG_MS_NOTED) {
    return { tone: 'ok', label: 'Running', why: 'It follows the events as they come.' };
  }
  const eta =
    p.eventsPerSecond > 0
      ? ` At ${count(p.eventsPerSecond)} events a second that takes about ${duration((p.lagEvents / p.eventsPerSecond) * 1000)}, if no more come.`
      : '';
  return {
    tone: 'warn',
    label: 'Catching up',
    why: `${plural(p.lagEvents, 'event')} behind, the oldest waits for ${duration(p.lagAgeMs)}.${eta}`,
    cure: 'When the lag grows for minutes, commands come faster than it can apply them: look at processor and disk, or run “wallex worker” on another machine.',
  };
}

/** What to do about the error of a dead letter. */
const ADVICE = [
  {
    errors: [/unknown event type/i, /schema version/i],
    cause: 'A newer version of Wallex has written this event, or its row was changed.',
    cure: 'Upgrade this server, then replay. Parked wallets are also tried again by themselves every few minutes.',
  },
  {
    errors: [/payload .* not readable/i, /event is gone/i],
    cause: 'The event’s row was changed or deleted in the database.',
    cure: 'Put the row back from a backup or an export, then replay.',
  },
  {
    errors: [/records a balance of/i, /came behind version/i, /has its place in the ledger/i],
    cause: 'A row of the projection was changed, or an event before this one is gone.',
    rebuild: true,
    cure: 'Rebuild this wallet: it puts the projection right and replays. Where a drift check names events that are missing, restore them first.',
  },
];

/** @returns {{cause: string, cure: string, rebuild?: boolean}} `rebuild` where that is the cure */
export function deadLetterAdvice(error) {
  const known = ADVICE.find((advice) => advice.errors.some((pattern) => pattern.test(error)));
  return (
    known ?? {
      cause: 'The projection could not apply this event.',
      cure: 'Cure what the error says, then replay.',
    }
  );
}

/** What a difference's place means, and whether a rebuild puts it right. */
export const PLACES = {
  read_model: { label: 'Read model', rebuilt: true, cure: 'A projection differs from the events: rebuild it.' },
  ledger: { label: 'Ledger', rebuilt: true, cure: 'A projection differs from the events: rebuild it.' },
  write_side: {
    label: 'Write side',
    cure: 'The row that commands decide on was edited. A rebuild does not touch it: find out who, and restore it.',
  },
  events: {
    label: 'Events',
    cure: 'The history itself is damaged. Don’t rebuild what lies behind: restore the events from an export or a backup.',
  },
};
