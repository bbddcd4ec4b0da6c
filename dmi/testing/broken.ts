/** How an assertion ends that does not pass. */

/** The promise that the mapper, or its simulator, broke, as a sentence. */
export class Broken extends Error {}

/** There is nothing to test on this subject, or it cannot be tested there: why. */
export class NotApplicable extends Error {}

/** Something took too long, which a busy machine may be to blame for: tried again before it counts. */
export class Late extends Broken {}
