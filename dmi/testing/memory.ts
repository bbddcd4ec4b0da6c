/** How much memory is in use once nothing that could be collected is left. */
import { setImmediate } from 'node:timers/promises';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Where V8 keeps what it makes of functions: bytecode, and what its compilers add when a function is called often. */
const CODE = /^(?:code|trusted)_/;

/**
 * Bytes of objects and of buffers beside them, after a full collection. Compiled code is not among them: it grows for the
 * first thousand rounds or so, by more than a small leak, and then no more.
 */
export async function bytesHeld(): Promise<number> {
  const collect = collector();
  // What a collection frees may own what only the next one can.
  for (let round = 0; round < 2; round++) {
    await setImmediate();
    collect();
  }
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !CODE.test(name));
  const objects = spaces.reduce((sum, { space_used_size: used }) => sum + used, 0);
  return objects + process.memoryUsage().external;
}

/** V8's, which exists only while its flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
