/** From `NAME=VALUE` words to the input of a method. */
import type { Json } from '@limpet/dmi';
import type { Method } from '@limpet/dmi/manifest';
import { usage } from '../cli-error.ts';
import { parseAs } from '../set/value.ts';

/**
 * Each value as its type says. Whether all are there and fit is judged where the call goes, by the same rules for
 * everybody; so what is not declared is sent as it looks.
 */
export function parseInput(
  method: Method | undefined,
  words: readonly string[],
): { readonly [name: string]: Json } {
  const input = new Map<string, Json>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, at);
    if (at <= 0) throw usage(`"${word}" is not NAME=VALUE: write it like speed=1450.`);
    if (input.has(name)) throw usage(`"${name}" is given twice: give it once.`);
    const type = method?.input?.find((each) => each.name === name)?.type;
    input.set(name, parseAs(type, word.slice(at + 1)));
  }
  return Object.fromEntries(input);
}
