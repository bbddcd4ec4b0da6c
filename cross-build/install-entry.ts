/**
 * The bundle's third entry, for a board, which has no `limpet` command: `node limpet-install.mjs FILE [--edge PLACE]`, and
 * `node limpet-install.mjs --remove NAME [--edge PLACE]`; PLACE is limpet.yaml, the folder that holds it, or the mapperFolder.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { usage } from '../cli/cli-error.ts';
import { runInstall, runRemove } from '../cli/mapper/install/run.ts';
import { report } from '../cli/output.ts';

const USAGE = 'node limpet-install.mjs FILE [--edge PLACE] [--json], or --remove PROTOCOL';

async function main(): Promise<number> {
  const { values, positionals } = asked();
  const { edge, remove, json, help } = values;
  if (help) {
    process.stdout.write(`${USAGE}\nPLACE: limpet.yaml, its folder, or the mapperFolder\n`);
    return 0;
  }
  const [file] = positionals;
  const options = { edge, ...(json && { json: true as const }) };
  if (remove !== undefined && positionals.length === 0) return runRemove(remove, options);
  if (file === undefined || positionals.length > 1 || remove !== undefined) {
    throw usage(USAGE);
  }
  return runInstall(file, options);
}

/** @throws CliError USAGE */
function asked() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        edge: { type: 'string', default: '.' },
        remove: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw usage((error as Error).message);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = report(error, process.argv.includes('--json'));
}
