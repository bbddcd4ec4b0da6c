/** Closes its pipes to the core, and runs on. */
import { closeSync } from 'node:fs';

export function act() {
  closeSync(3);
  closeSync(4);
  setInterval(() => undefined, 1_000);
}
