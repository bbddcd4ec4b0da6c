/**
 * Of mqtt only its client. The mapper dials by itself and keeps its own time, but the package brings all its ways to
 * dial, timers of browsers' workers, a cache for topic aliases that are never sent, and its own package.json.
 */
import { type Plugin } from 'esbuild';

/** What its client loads, and the mapper never calls. */
const UNUSED: Readonly<Record<string, string>> = {
  'mqtt/build/lib/connect/index.js': 'module.exports = {};',
  'mqtt/build/lib/topic-alias-send.js': 'exports.default = class {};',
  'mqtt/package.json': 'exports.version = "";',
};

/** Leaves out of mqtt what dials and what is for browsers; fails the build when the package is laid out differently. */
export function mqttClient(): Plugin {
  return {
    name: 'mqtt-client',
    setup(build) {
      const left = new Set<string>();
      build.onStart(() => left.clear());
      build.onLoad(
        {
          filter:
            /[/\\]mqtt[/\\](build[/\\]lib[/\\](connect[/\\]index|topic-alias-send)\.js|package\.json)$/,
        },
        ({ path }) => {
          const name = path.replaceAll('\\', '/').replace(/^.*\/node_modules\//, '');
          const contents = UNUSED[name];
          if (contents === undefined) return undefined;
          left.add(name);
          return { contents, loader: 'js' };
        },
      );
      build.onResolve({ filter: /^worker-timers$/ }, ({ path }) => ({
        path,
        namespace: 'browser',
      }));
      build.onLoad({ filter: /./, namespace: 'browser' }, () => ({
        contents: 'module.exports = {};',
        loader: 'js',
      }));
      build.onEnd(() => {
        const gone = Object.keys(UNUSED).filter((name) => !left.has(name));
        if (left.size > 0 && gone.length > 0)
          throw new Error(`mqtt no longer loads ${gone.join(', ')}: look what it does now`);
      });
    },
  };
}
