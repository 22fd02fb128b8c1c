/** The four commands: what each is asked for, and the request that it makes. */

import { money } from '../../format.js';

const WALLET_ID = {
  // A browser takes `.` and `..` out of a path.
  pattern: /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$/,
  wrong: '1 to 128 letters, digits, and . _ : -; no dots alone',
  mono: true,
};

const wallet = (name, label, hint) => ({ name, label, hint, kind: 'text', required: true, wallet: true, ...WALLET_ID });
const amount = { name: 'amount', label: 'Amount', kind: 'amount', required: true };
const description = { name: 'description', label: 'Description', kind: 'text', hint: 'Optional, up to 500 characters.', max: 500 };
const reference = { name: 'reference', label: 'Reference', kind: 'text', hint: 'Optional: your own, up to 128 characters.', max: 128 };

function movement(id, label, sentence) {
  return {
    id,
    label,
    scope: 'wallets:write',
    fields: [wallet('walletId', 'Wallet'), amount, description, reference],
    money: 'amount',
    path: (values) => ['wallets', values.walletId, id],
    body: ({ amount, description, reference }) => ({ amount, description, reference }),
    question: (values, currency) => `${sentence} ${values.walletId}: ${inWords(values.amount, currency)}?`,
  };
}

function inWords(minor, currency) {
  return currency ? money(minor, currency) : `${minor} in minor units`;
}

export const FORMS = [
  {
    id: 'create',
    label: 'Create',
    scope: 'wallets:write',
    fields: [
      { name: 'ownerId', label: 'Owner', kind: 'text', required: true, max: 128, hint: 'Whose wallet it is.' },
      { ...wallet('walletId', 'Wallet id', 'Left empty, the server makes one.'), required: false },
      {
        name: 'currency',
        label: 'Currency',
        kind: 'text',
        required: true,
        initial: 'USD',
        pattern: /^[A-Z][A-Z0-9]{2,11}$/,
        hint: 'Of ISO 4217, or an own one: POINTS.',
        wrong: '3 to 12 capital letters and digits: USD, JPY, POINTS',
        mono: true,
      },
      { ...amount, name: 'initialBalance', label: 'Opening balance', required: false, zero: true },
    ],
    money: 'initialBalance',
    path: () => ['wallets'],
    body: ({ walletId, ownerId, currency, initialBalance }) => ({ walletId, ownerId, currency, initialBalance }),
    question: (values) => `Open a wallet for ${values.ownerId} with ${inWords(values.initialBalance ?? 0, values.currency)}?`,
  },
  movement('credit', 'Credit', 'Credit'),
  movement('debit', 'Debit', 'Debit'),
  {
    id: 'transfer',
    label: 'Transfer',
    scope: 'transfers:write',
    fields: [wallet('walletId', 'From wallet'), wallet('toWalletId', 'To wallet'), amount, description, reference],
    money: 'amount',
    path: (values) => ['wallets', values.walletId, 'transfer'],
    body: ({ toWalletId, amount, description, reference }) => ({ toWalletId, amount, description, reference }),
    question: (values, currency) => `Transfer ${inWords(values.amount, currency)} from ${values.walletId} to ${values.toWalletId}?`,
  },
];
