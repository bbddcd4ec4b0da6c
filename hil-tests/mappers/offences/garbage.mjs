/** Writes nonsense to the pipe it is told: the management plane is 3, the data plane 4. */
import { writeSync } from 'node:fs';

export function act(pipe) {
  writeSync(Number(pipe), Buffer.alloc(64, 0xa5));
}
