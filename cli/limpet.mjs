#!/usr/bin/env node
/**
 * The bootstrap of the one command: plain JavaScript that Node 14 can still parse, because its work is to
 * notice that the Node on PATH is too old. A fitting Node goes on in this process; else the Node that the
 * project carries is started with the same arguments. What comes through `npm start` and `npm test` first
 * installs what is missing.
 */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { carriedNode, engineFits, install, installFault, runWith } from './bootstrap.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);

main(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  (error) => {
    process.stderr.write(`limpet: ${error && error.stack ? error.stack : error}\n`);
    process.exitCode = 1;
  },
);

async function main(args) {
  diesWithParent();
  const installs = args[0] === 'demo' || args[0] === 'dev';
  const fault = installFault(root);
  if (fault && installs && process.env.npm_lifecycle_event) {
    const code = await install(root, fault);
    if (code !== 0) return code;
  } else if (fault && (installs || !fs.existsSync(path.join(root, 'node_modules')))) {
    process.stderr.write(`limpet: ${fault}. Run this first: (cd ${root} && npm ci)\n`);
    return 78;
  }
  const range = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node;
  if (!engineFits(process.versions.node, range)) {
    const carried = carriedNode(root);
    if (!carried) return tooOld(range);
    return runWith(carried, fileURLToPath(import.meta.url), args);
  }
  await resolveSources();
  const { run } = await import(pathToFileURL(path.join(here, 'main.ts')).href);
  return run(args);
}

/** Makes `@limpet/*` resolve to sources, here and in forked children, as `--conditions=source` would. */
async function resolveSources() {
  hushExperiments();
  const given = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS || ''}`;
  if (/(--conditions|-C)[= ]source/.test(given)) return;
  const { registerHooks } = await import('node:module');
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, 'source'] }),
  });
  process.execArgv.push('--conditions=source');
}

/** Node 22 warns that it strips types; that is no news to whoever runs `limpet`. */
function hushExperiments() {
  const emit = process.emitWarning;
  process.emitWarning = function (warning, type, ...rest) {
    const name = type && typeof type === 'object' ? type.type : type;
    if (name !== 'ExperimentalWarning') emit.call(process, warning, type, ...rest);
  };
}

/** A parent that opened a channel to us is gone when the channel closes, even after kill -9. */
function diesWithParent() {
  if (!process.connected) return;
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel.unref();
}

function tooOld(range) {
  process.stderr.write(
    `limpet: needs Node ${range}, and this is ${process.version} (${process.execPath}).\n` +
      `  The project carries a fitting Node for 64-bit Linux: (cd ${root} && npm ci) installs it.\n` +
      `  On other machines install Node 24 LTS and put it first on PATH.\n`,
  );
  return 78;
}
