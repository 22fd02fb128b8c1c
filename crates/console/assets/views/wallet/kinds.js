/** What an event did to a balance, in words and as a sign. */

export const KINDS = {
  opening: { one: 'Opening', plural: 'Opening balance', sign: 1 },
  credit: { one: 'Credit', plural: 'Credits', sign: 1 },
  transfer_in: { one: 'Transfer in', plural: 'Transfers in', sign: 1 },
  debit: { one: 'Debit', plural: 'Debits', sign: -1 },
  transfer_out: { one: 'Transfer out', plural: 'Transfers out', sign: -1 },
};

/** A line's amount with the sign of what it did. */
export function signed({ type, amount }) {
  return BigInt(amount) * BigInt(KINDS[type].sign);
}
