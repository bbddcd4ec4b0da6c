/** What can happen to a device's answers on their way to the mapper. */
import type { Clock } from '../mapper.ts';
import type { Random } from './random.ts';

/** What happens to the answers from now on. `after`: bytes that still pass unharmed. */
export type Harm =
  | { readonly kind: 'none' }
  | { readonly kind: 'pieces' }
  | { readonly kind: 'repeat'; readonly times: number }
  | { readonly kind: 'late'; readonly ms: number; readonly clock: Clock }
  | { readonly kind: 'cut' | 'end' | 'silence'; readonly after: number }
  | { readonly kind: 'noise-before' | 'noise-instead' | 'flipped-bits'; readonly random: Random };

/** What becomes of one chunk of an answer, in order. */
export type Step =
  | { readonly kind: 'pass'; readonly bytes: Buffer }
  | { readonly kind: 'wait'; readonly ms: number; readonly clock: Clock }
  | { readonly kind: 'cut' | 'end' };

/** What `harm` does to a chunk before which `passed` bytes came since the harm began. */
export function harmed(harm: Harm, chunk: Buffer, passed: number): Step[] {
  switch (harm.kind) {
    case 'none':
      return [pass(chunk)];
    case 'pieces':
      return Array.from(chunk, (byte) => pass(Buffer.of(byte)));
    case 'repeat':
      // At once: before the next request, which answers without numbers could not be told from.
      return [pass(Buffer.concat(Array.from({ length: harm.times + 1 }, () => chunk)))];
    case 'late':
      return [{ kind: 'wait', ms: harm.ms, clock: harm.clock }, pass(chunk)];
    case 'noise-before':
      return [pass(Buffer.concat([noise(harm.random), chunk]))];
    case 'noise-instead':
      return [pass(noise(harm.random))];
    case 'flipped-bits':
      return [pass(flipped(chunk, harm.random))];
    case 'cut':
    case 'end':
    case 'silence':
      return until(harm.kind, harm.after - passed, chunk);
  }
}

function until(kind: 'cut' | 'end' | 'silence', left: number, chunk: Buffer): Step[] {
  const part = chunk.subarray(0, Math.max(0, left));
  const steps: Step[] = part.length > 0 ? [pass(part)] : [];
  if (part.length < chunk.length && kind !== 'silence') steps.push({ kind });
  return steps;
}

function pass(bytes: Buffer): Step {
  return { kind: 'pass', bytes };
}

function noise(random: Random): Buffer {
  return random.bytes(1 + random.below(64));
}

function flipped(chunk: Buffer, random: Random): Buffer {
  const copy = Buffer.from(chunk);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}
