/**
 * Of modbus-serial only the codec of its PDUs. The mapper brings streams, framing, timing and turns of its own, but the
 * package loads all its ports, its servers and serialport as soon as it is imported: 3.1 MB of private memory; so 0.2.
 */
import { type Plugin } from 'esbuild';

/** What `index.js` hangs on its client class or its exports, and the mapper never calls. */
const UNUSED =
  /modbus-serial[/\\](ports[/\\]|servers[/\\]|worker[/\\]|apis[/\\](connection|worker)\.js$)/;

/** The package's folders and files that must still be there, else {@link UNUSED} needs another look. */
const KNOWN = ['ports/tcpport', 'servers/servertcp', 'apis/connection', 'apis/worker'];

/** Leaves out of modbus-serial what opens ports; fails the build when the package is laid out differently. */
export function modbusCodec(): Plugin {
  return {
    name: 'modbus-codec',
    setup(build) {
      const left = new Set<string>();
      build.onStart(() => left.clear());
      build.onLoad({ filter: UNUSED }, ({ path }) => {
        left.add(path.replaceAll('\\', '/'));
        return { contents: 'module.exports = () => undefined;', loader: 'js' };
      });
      build.onResolve({ filter: /^serialport$/ }, ({ path, importer }) =>
        /modbus-serial[/\\]index\.js$/.test(importer) ? { path, namespace: 'unused' } : undefined,
      );
      build.onLoad({ filter: /./, namespace: 'unused' }, () => ({
        contents: 'module.exports = {};',
        loader: 'js',
      }));
      build.onEnd(() => {
        const gone = KNOWN.filter((name) => ![...left].some((path) => path.includes(name)));
        if (left.size > 0 && gone.length > 0)
          throw new Error(
            `modbus-serial no longer loads ${gone.join(', ')}: look what it does now`,
          );
      });
    },
  };
}
