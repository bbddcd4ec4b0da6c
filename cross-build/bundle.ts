/**
 * Makes `dist/edge`: what a board runs. One minified bundle of the runtime, a chunk per mapper and for
 * serialport (loaded only when needed), the native add-ons for the target, and a launcher that
 * holds the memory flags. The device never runs sources: type stripping alone costs 14 MiB.
 */
import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile, readdir } from 'node:fs/promises';
import { builtinModules, createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build as bundle, type Plugin } from 'esbuild';
import { LAUNCHER } from './launcher.ts';
import { modbusCodec } from './modbus-codec.ts';
import { mqttClient } from './mqtt-client.ts';
import { opcuaParts } from './opcua-parts.ts';
import { bundleYaml, yamlOnLoan } from './yaml-on-loan.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Where the C libraries of a target live in the packages that carry prebuilt add-ons. */
const TARGETS = {
  'linux-x64': {
    sqlite: 'linux-x64',
    serial: 'linux-x64/@serialport+bindings-cpp.glibc.node',
    bluetooth: 'linux-x64/@stoprocent+bluetooth-hci-socket.glibc.node',
  },
  'linux-arm64': {
    sqlite: 'linux-arm64',
    serial: 'linux-arm64/@serialport+bindings-cpp.armv8.glibc.node',
    bluetooth: 'linux-arm64/@stoprocent+bluetooth-hci-socket.armv8.node',
  },
} as const;

export type Target = keyof typeof TARGETS;

export const targets = Object.keys(TARGETS) as readonly Target[];

export interface BundledFile {
  readonly file: string;
  readonly bytes: number;
}

/** Builds into `outdir` (emptied first) and says what was made, largest first. */
export async function bundleEdge(target: Target, outdir: string): Promise<readonly BundledFile[]> {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  await bundle({
    absWorkingDir: root,
    entryPoints: {
      'limpet-edge': 'cross-build/edge-entry.ts',
      'limpet-mapper': 'cross-build/mapper-entry.ts',
      'limpet-install': 'cross-build/install-entry.ts',
      // For mappers of a folder that bring no copy of their own.
      'limpet-dmi': 'dmi/index.ts',
      'limpet-dmi-line': 'dmi/line/index.ts',
      'limpet-dmi-http': 'dmi/http/index.ts',
      'limpet-dmi-frames': 'dmi/frames/index.ts',
      'limpet-dmi-schema': 'dmi/schema.ts',
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    conditions: ['source'],
    // What is imported for its types alone is no import: a mapper's process would load what reads manifests.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
    loader: { '.node': 'copy' },
    alias: {
      'better-sqlite3': `better-sqlite3/${TARGETS[target].sqlite}`,
      // aedes, mqtt and mqtt-packet ship a copy of what Node has: 0.7 MiB less.
      'readable-stream': 'node:stream',
      // Its arguments were an eighth of all garbage of a busy bus, and its output nobody's.
      debug: './cross-build/no-debug.cjs',
    },
    plugins: pluginsFor(target),
    // CommonJS dependencies call require() for Node's own modules.
    banner: {
      js: "const limpetRequire=process.getBuiltinModule('module').createRequire(import.meta.url),require=limpetRequire;",
    },
    logLevel: 'warning',
  });
  await bundleYaml(root, outdir);
  await writeFile(path.join(outdir, 'limpet-edge'), LAUNCHER);
  await chmod(path.join(outdir, 'limpet-edge'), 0o755);
  // Here Node's search for a file's package ends: above it a confined mapper may not look.
  await writeFile(path.join(outdir, 'package.json'), '{ "type": "module", "private": true }\n');
  await copyFile(path.join(root, 'LICENSE'), path.join(outdir, 'LICENSE'));
  return sizes(outdir);
}

/** What the libraries bring and nobody here needs stays out; add-ons are those of the target. */
function pluginsFor(target: Target): Plugin[] {
  return [
    yamlOnLoan(),
    lazyBuiltins(),
    modbusCodec(),
    mqttClient(),
    opcuaParts(),
    prebuiltSerialport(TARGETS[target].serial),
    prebuiltBluetooth(TARGETS[target].bluetooth),
  ];
}

/**
 * Node's own modules, fetched as CommonJS does. An ES import reads every export of a module once, and some
 * are getters that load what the edge never uses: `node:http` alone brings undici. What is imported by name is
 * fetched by name, if it is used: esbuild would wrap every export of a CommonJS module in a getter, again for
 * each file that imports it.
 */
function lazyBuiltins(): Plugin {
  return {
    name: 'lazy-builtins',
    setup(build) {
      const names = new Set(builtinModules);
      build.onResolve({ filter: /^(node:)?[a-z_0-9/]+$/ }, ({ path, kind, importer }) => {
        const name = path.replace(/^node:/, '');
        if (!names.has(name)) return undefined;
        // The whole of it loads for `assert(topic)`: 0.1 MiB.
        if (name === 'assert' && /[\\/]mqemitter[\\/]/.test(importer))
          return { path: SMALL_ASSERT };
        // A chunk of its own would have no named exports.
        if (kind === 'dynamic-import') return { path: `node:${name}`, external: true };
        const namespace = kind === 'import-statement' ? 'imported' : 'required';
        return { path: name, namespace, sideEffects: false };
      });
      build.onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
        contents: WHEN_USED.has(path) ? whenUsed(path) : `module.exports = ${builtin(path)};`,
        loader: 'js',
      }));
      build.onLoad({ filter: /./, namespace: 'imported' }, ({ path }) => ({
        contents: byName(path),
        loader: 'js',
      }));
    },
  };
}

/** An ES module whose every export is left out unless somebody imports it. */
function byName(name: string): string {
  const keys = Object.keys(process.getBuiltinModule(name) as object).filter(
    (key) => key !== 'default',
  );
  const lazily = (what: string): string => `/* @__PURE__ */ (() => ${what})()`;
  const lines = keys.map((key) => `const its_${key} = ${lazily(`${builtin(name)}.${key}`)};`);
  const names = keys.map((key) => `its_${key} as ${key}`).join(', ');
  return `${lines.join('\n')}\nexport { ${names} };\nexport default ${lazily(builtin(name))};\n`;
}

const SMALL_ASSERT = path.join(root, 'cross-build/small-assert.cjs');

/** Named at the top by ws, and used only for wss:// or compression: 1.3 MiB together. */
const WHEN_USED: ReadonlySet<string> = new Set(['https', 'tls', 'zlib']);

/** By name of this chunk, not `process.getBuiltinModule`: in a mapper's process that is closed to whoever calls it. */
const builtin = (name: string): string => `limpetRequire(${JSON.stringify(`node:${name}`)})`;

const whenUsed = (name: string): string =>
  `module.exports = new Proxy({}, { get: (_, key) => ${builtin(name)}[key] });`;

/** What serialport brings beside its stream: other systems, and a list of ports for which it starts udevadm (and loads node:child_process). */
const OTHER_SERIAL = /bindings-cpp[/\\]dist[/\\](darwin|win32|linux-list)\.js$/;

/**
 * serialport finds its add-on by walking the file system at run time; a bundle names it. Of the rest only what opens a line is
 * taken, without the parsers: 0.5 MiB less in the process of a mapper.
 */
function prebuiltSerialport(prebuild: string): Plugin {
  return {
    name: 'prebuilt-serialport',
    setup(build) {
      build.onLoad({ filter: /serialport[/\\]dist[/\\]index\.js$/ }, () => ({
        contents: "exports.SerialPort = require('./serialport').SerialPort;",
        loader: 'js',
      }));
      build.onLoad({ filter: OTHER_SERIAL }, () => ({ contents: '', loader: 'js' }));
      build.onLoad(
        { filter: /bindings-cpp[/\\]dist[/\\]serialport-bindings\.js$/ },
        async ({ path }) => {
          const source = await readFile(path, 'utf8');
          if (!source.includes('node-gyp-build'))
            throw new Error(`${path} no longer loads its add-on through node-gyp-build`);
          const addon = createRequire(path).resolve(`../prebuilds/${prebuild}`);
          return { contents: `exports.binding = require(${JSON.stringify(addon)});`, loader: 'js' };
        },
      );
    },
  };
}

/** A statement, with parentheses one level deep. */
const DEBUG_CALL = /^ *debug\((?:[^()]|\([^()]*\))*\);$/gm;

/**
 * The raw HCI socket of the two nobles, whose add-on is found at run time as well. Their drivers for lines and USB sticks stay
 * out: the mapper gives noble a socket of its own, and loads this one only for an adapter of the kernel.
 */
function prebuiltBluetooth(prebuild: string): Plugin {
  return {
    name: 'prebuilt-bluetooth',
    setup(build) {
      // Its messages for debugging, most of every packet in hexadecimal, are made even where nobody reads them.
      build.onLoad({ filter: /noble[/\\]lib[/\\]hci-socket[/\\]hci\.js$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = source.replaceAll(DEBUG_CALL, '');
        if (contents === source) throw new Error(`${path} no longer calls debug()`);
        return { contents, loader: 'js' };
      });
      build.onLoad({ filter: /bluetooth-hci-socket[/\\]index\.js$/ }, () => ({
        contents: 'module.exports = class {}; module.exports.loadDriver = () => module.exports;',
        loader: 'js',
      }));
      build.onLoad({ filter: /bluetooth-hci-socket[/\\]lib[/\\]native\.js$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const addon = createRequire(path).resolve(`../prebuilds/${prebuild}`);
        const found = source.replace('resolve(__dirname,', "resolve('.',");
        const contents = found.replace(
          "require('node-gyp-build')(dir)",
          `require(${JSON.stringify(addon)})`,
        );
        if (contents === found || found === source)
          throw new Error(`${path} no longer loads its add-on through node-gyp-build`);
        return { contents, loader: 'js' };
      });
    },
  };
}

async function sizes(outdir: string): Promise<readonly BundledFile[]> {
  const files = await readdir(outdir);
  const rows = await Promise.all(
    files.map(async (file) => ({ file, bytes: (await stat(path.join(outdir, file))).size })),
  );
  return rows.toSorted((a, b) => b.bytes - a.bytes);
}

export function isTarget(name: string): name is Target {
  return (targets as readonly string[]).includes(name);
}

if (import.meta.main) {
  const target = process.argv[2] ?? `linux-${process.arch}`;
  if (!isTarget(target)) {
    process.stderr.write(`unknown target "${target}"; expected one of ${targets.join(', ')}\n`);
    process.exit(2);
  }
  // Whoever reads along may have seen enough (`| head`); the build goes on.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const outdir = path.join(root, 'dist/edge');
  for (const { file, bytes } of await bundleEdge(target, outdir))
    process.stdout.write(`${String(Math.ceil(bytes / 1024)).padStart(7)} KiB  ${file}\n`);
  process.stdout.write(
    `dist/edge is ready for ${target}: dist/edge/limpet-edge --config limpet.yaml\n`,
  );
}
