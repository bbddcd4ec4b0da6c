/**
 * The YAML parser, read when something is to be parsed and forgotten after: it is needed at the start and when a
 * manifest changes. An ES module stays for good, a CommonJS file that nobody holds does not: 0.5 MiB less.
 */
import path from 'node:path';
import { build, type Plugin } from 'esbuild';

const FILE = 'yaml.cjs';

/** Writes the parser into `outdir`, for what {@link yamlOnLoan} makes of its imports. */
export async function bundleYaml(root: string, outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ['yaml'],
    outfile: path.join(outdir, FILE),
    bundle: true,
    minify: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    logLevel: 'warning',
  });
}

/** Turns each import from `yaml` into a call that fetches the parser, if it is not there just now. */
export function yamlOnLoan(): Plugin {
  return {
    name: 'yaml-on-loan',
    setup(bundle) {
      bundle.onResolve({ filter: /^yaml$/ }, () => ({
        path: FILE,
        namespace: 'on-loan',
        sideEffects: false,
      }));
      bundle.onLoad({ filter: /./, namespace: 'on-loan' }, async () => {
        const names = Object.keys(await import('yaml')).filter(
          (name) => /^[A-Za-z]\w+$/.test(name) && name !== 'default',
        );
        return { contents: [FETCH, ...names.map(borrowed)].join('\n'), loader: 'js' };
      });
    },
  };
}

const FETCH = `
let kept;
function yaml() {
  let here = kept?.deref();
  if (here === undefined) {
    const load = limpetRequire('node:module').createRequire(import.meta.url);
    here = load('./${FILE}');
    delete load.cache[load.resolve('./${FILE}')];
    kept = new WeakRef(here);
  }
  return here;
}`;

/** Of functions and classes alike; what differs between two copies of the parser, it compares by global symbols. */
function borrowed(name: string): string {
  return `export function ${name}(...given) {
  return new.target ? new (yaml().${name})(...given) : yaml().${name}(...given);
}`;
}
