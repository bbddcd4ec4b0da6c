/** What an error from a mapper means for its device. */
import { DmiError, Garbled, Misconfigured, Refused } from '@limpet/dmi';

/** `bug`: not a DmiError, so the mapper did not mean it. */
export type Reaction = 'unreachable' | 'refused' | 'garbled' | 'misconfigured' | 'bug';

export function reactionTo(error: unknown): Reaction {
  if (!(error instanceof Error)) return 'bug';
  // A mapper that brings its own copy of the DMI has its own classes: their names count as well.
  if (error instanceof Refused || error.name === 'Refused') return 'refused';
  if (error instanceof Garbled || error.name === 'Garbled') return 'garbled';
  if (error instanceof Misconfigured || error.name === 'Misconfigured') return 'misconfigured';
  return error instanceof DmiError || error.name === 'Unreachable' ? 'unreachable' : 'bug';
}

/** Of an order these are the device's answer, and do not lose it. */
export function isRefusal(error: unknown): boolean {
  const reaction = reactionTo(error);
  return reaction === 'refused' || reaction === 'misconfigured';
}

/** The error as a reason; a bug is the mapper's, whatever it says. */
export function reasonOf(error: unknown): { readonly code: string; readonly message: string } {
  const message = error instanceof Error ? error.message : thrown(error);
  if (reactionTo(error) === 'bug') {
    return { code: 'MAPPER_FAULT', message: `a fault in the mapper, please report it: ${message}` };
  }
  return { code: String((error as DmiError).code), message };
}

/** What was thrown, or stands in the place of an error, and is none. */
export function thrown(what: unknown): string {
  if (what === undefined) return 'neither a value nor an error was given';
  return typeof what === 'string' ? what : `a value of type ${typeof what} that is no error`;
}

/** Whether a wire cut because of another device is at the bottom of this: mappers say it in their own words. */
export function isPeersCut(error: unknown): boolean {
  let at = error;
  for (let depth = 0; depth < 4 && at instanceof Error; depth++, at = at.cause) {
    if ((at as { code?: unknown }).code === 'PORT_CUT') return true;
  }
  return false;
}
