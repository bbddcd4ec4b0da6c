/** Asks V8 for a full garbage collection that gives pages back: without being asked it keeps what it may need again. */
import v8 from 'node:v8';
import vm from 'node:vm';
import type { Sheddable } from './shortage.ts';

type Collect = (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

/** The process's garbage, counted in bytes of heap. One collection takes some 10 ms for a heap of 20 MB. */
export function garbage(): Sheddable {
  let collect: Collect | undefined;
  return {
    name: 'garbageBytes',
    shed() {
      collect ??= exposed();
      const before = v8.getHeapStatistics().total_heap_size;
      collect({ type: 'major', flavor: 'last-resort' });
      return Math.max(0, before - v8.getHeapStatistics().total_heap_size);
    },
  };
}

/** The flag can be set while running; a new context then has the function. */
function exposed(): Collect {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as Collect;
  v8.setFlagsFromString('--no-expose-gc');
  return collect;
}

/** How full V8's heap is of what it may ever be: at 1 the process ends. */
export function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = v8.getHeapStatistics();
  return used / limit;
}
