/** Fills its own folder. */
import { appendFileSync } from 'node:fs';

export function act() {
  let part = 0;
  setInterval(() => appendFileSync(`part-${part++ % 16}`, Buffer.alloc(2_097_152)), 50);
}
