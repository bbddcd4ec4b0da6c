/** The shell script that starts the edge on a board, with the memory settings it is measured with. */
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#runtime/mapper/process/node-flags.ts';

const environment = Object.entries(NODE_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);

/**
 * `LIMPET_HEAP_MIB`: room for 10,000 properties; what is used below it is not more by it. `LIMPET_INTERPRET`: without V8's
 * compiler less of Node's code is ever touched, so that 30 MB hold it; for 1.6 times the time of the processor.
 */
export const LAUNCHER = `#!/bin/sh
# Runs the Limpet edge with the memory settings it is measured with. NODE names another node binary,
# LIMPET_HEAP_MIB another ceiling of the JavaScript heap. LIMPET_INTERPRET=1 is for a memory limit below 40 MB:
# it takes less of Node's code, and 1.6 times the time of the processor.
here=$(dirname "$(readlink -f "$0")")
found=$("\${NODE:-node}" --version 2>/dev/null)
case "$found" in
v2[2-9].* | v[3-9][0-9].*) ;;
*)
  echo "limpet-edge: Node 22 or later is needed, found \${found:-none}: put it on the PATH, or name its binary in NODE" >&2
  exit 78
  ;;
esac
export ${environment.join(' ')}
exec "\${NODE:-node}" ${NODE_FLAGS.join(' ')} \\
  \${LIMPET_INTERPRET:+--no-opt} --max-old-space-size="\${LIMPET_HEAP_MIB:-64}" "$here/limpet-edge.mjs" "$@"
`;
