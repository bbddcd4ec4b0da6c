/** How much memory is in use once nothing that could be collected is left. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of heap and of buffers beside it, after a full collection. */
export async function bytesHeld(): Promise<number> {
  const collect = collector();
  // What a collection frees may own what only the next one can.
  for (let round = 0; round < 2; round++) {
    await setImmediate();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** V8's, which exists only while its flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
