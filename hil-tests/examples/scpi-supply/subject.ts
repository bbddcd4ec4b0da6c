/** What the example cannot say to `limpet mapper test`. */
export const subject = {
  refused: { ask: 'NO:SUCH?' },
  faults: 2000, // with the usual 1,000 the warming up of a cold process is at times taken for a leak (DMI-602)
};
