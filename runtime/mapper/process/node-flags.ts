/**
 * How Node runs on a board: the edge (cross-build/launcher.ts) and each mapper's process. Figures are private memory
 * of an edge with 1,000 properties that change every second, three clients on the bus and the cloud link up.
 *
 * - `--max-semi-space-size=1`: what is young lives in 2 MiB instead of 32.
 * - `--memory-balancer`: V8 lets the old generation grow by 8 MiB between two collections, however small it is; the
 *   balancer weighs memory against collection time instead. 3 MiB less, for 4 % more of one core.
 * - `--optimize-for-size`: pages that a collection freed go back to the system at once. 4 MiB.
 * - `--bytecode-old-age=2 --max-lazy --no-compilation-cache`: code that two collections did not see run is forgotten,
 *   and compiled again if it does: what only the start needs, mostly. 1.4 MiB.
 * - `--no-sparkplug --no-maglev`: no machine code but of the hottest functions. 1 MiB on Node 22, 6 more on 24, whose
 *   maglev leaves the scratch memory of the compiler with malloc for ever.
 * - `--invocation-count-for-turbofan=20000 --max-inlined-bytecode-size-cumulative=0 --max-optimized-bytecode-size=300`:
 *   and those are fewer and smaller. 0.8 MiB, at much the same load of the processor: compiling took what the code saved.
 * - `--v8-pool-size=0`: no threads beside the one that works; their stacks and arenas.
 * - `--disable-sigusr1`: whoever may signal it could open its debugger otherwise.
 *
 * Not taken: `--no-opt` (0.5 MiB less and much of Node's code never touched, 1.6 times the processor: the launcher's
 * `LIMPET_INTERPRET`), `--jitless` (three times), `--single-threaded-gc`,
 * `--heap-growing-percent`, `--initial-old-space-size` (nothing), `--minor-ms` (2 MiB more), `--compact-on-every-full-gc`
 * (0.6 MiB less, but 5 more for a moment, for which a tight memory group throws Node's own code out).
 */
export const NODE_FLAGS = [
  '--max-semi-space-size=1',
  '--memory-balancer',
  '--memory-balancer-c-value=3e-9',
  '--optimize-for-size',
  '--bytecode-old-age=2',
  '--max-lazy',
  '--no-compilation-cache',
  '--no-sparkplug',
  '--no-maglev',
  '--invocation-count-for-turbofan=20000',
  '--max-inlined-bytecode-size-cumulative=0',
  '--max-optimized-bytecode-size=300',
  '--v8-pool-size=0',
  '--disable-sigusr1',
] as const;

/** One arena of malloc, and what is large or at the top goes back to the system when freed. */
export const NODE_ENVIRONMENT = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '16384',
  MALLOC_MMAP_THRESHOLD_: '16384',
  MALLOC_TOP_PAD_: '0',
  UV_THREADPOOL_SIZE: '1',
} as const;
