/** What the example cannot say to `limpet mapper test`. */
export const subject = {
  refused: { ask: 'NO:SUCH?' },
  refusedWrite: { visitor: { ask: 'VOLT?', set: 'VOLT {}' }, value: 99 },
};
