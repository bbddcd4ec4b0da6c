/** What the example cannot say to `limpet mapper test`. */
export const subject = {
  refused: { ask: 'NO:SUCH?' },
};
