/** What the example cannot say to `limpet mapper test`. */
export const subject = { checksummed: true, talks: true, faults: 300 };
