/**
 * The shell script that starts the edge on a board, with the memory settings it is measured with. Figures are
 * private memory of 1,000 properties that change every second, with three clients on the bus and the cloud link up.
 *
 * - `--memory-balancer`: V8 lets the old generation grow by 8 MiB between two collections, however small it is; the
 *   balancer weighs memory against collection time instead. 3 MiB less, for 4 % more of one core.
 * - `--optimize-for-size`: pages that a collection freed go back to the system at once. 4 MiB.
 * - `--bytecode-old-age=2 --flush-baseline-code --max-lazy`: code that two collections did not see run is forgotten, and
 *   compiled again if it does: what only the start needs, mostly. 1 MiB.
 * - `--no-maglev`: the compiler's scratch memory stays with malloc for ever. 6 MiB on Node 24; off already on 22.
 * - `--max-semi-space-size=1`: what is young lives in 2 MiB instead of 32.
 * - `--v8-pool-size=0`: no threads beside the one that works; their stacks and arenas.
 * - `--max-old-space-size`: the ceiling, with room for 10,000 properties; what is used below it is not more by it.
 *   `LIMPET_HEAP_MIB` sets another.
 * - `--disable-sigusr1`: whoever may signal it could open its debugger otherwise.
 * - `MALLOC_*`: one arena, and what is large or at the top goes back to the system when freed.
 *
 * Not taken: `--no-opt --no-sparkplug` (2 MiB less, twice the CPU), `--jitless` (2 MiB less, three times the CPU),
 * `--single-threaded-gc` (nothing), `--heap-growing-percent` and `--initial-old-space-size` (nothing).
 */
export const LAUNCHER = `#!/bin/sh
# Runs the Limpet edge with the memory settings it is measured with. NODE names another node binary,
# LIMPET_HEAP_MIB another ceiling of the JavaScript heap.
here=$(dirname "$(readlink -f "$0")")
export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=16384 MALLOC_MMAP_THRESHOLD_=16384 MALLOC_TOP_PAD_=0
export UV_THREADPOOL_SIZE=1
exec "\${NODE:-node}" --max-semi-space-size=1 --optimize-for-size --v8-pool-size=0 --no-maglev \\
  --memory-balancer --memory-balancer-c-value=3e-9 --bytecode-old-age=2 --flush-baseline-code --max-lazy \\
  --disable-sigusr1 --max-old-space-size="\${LIMPET_HEAP_MIB:-64}" "$here/limpet-edge.mjs" "$@"
`;
