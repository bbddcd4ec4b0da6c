/** What the bootstrap decides and does; as plain as limpet.mjs, for the same reason. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

/** Whether `version` satisfies a range of the forms that our `engines` uses: `^1.2.3 || >=4.5.6`. */
export function engineFits(version, range) {
  const actual = numbers(version);
  return range.split('||').some((part) => {
    const wanted = numbers(part);
    if (compare(actual, wanted) < 0) return false;
    return part.trim().startsWith('>=') || actual[0] === wanted[0];
  });
}

/** The Node that `npm ci` put beside the project, if this machine has one. */
export function carriedNode(root) {
  const folder = `node-${process.platform}-${process.arch}`;
  const file = path.join(root, 'node_modules', folder, 'bin', 'node');
  return fs.existsSync(file) ? file : undefined;
}

/**
 * Why node_modules does not fit package-lock.json, as a sentence; undefined when it does. Compares with the
 * lock file that npm leaves inside node_modules, which costs milliseconds where `npm ls` costs seconds.
 */
export function installFault(root) {
  const wanted = packagesOf(path.join(root, 'package-lock.json'));
  const present = packagesOf(path.join(root, 'node_modules', '.package-lock.json'));
  if (!wanted) return undefined; // an installed package has no lock file: npm saw to the rest
  if (!present) return 'nothing is installed yet (no node_modules)';
  for (const key of Object.keys(wanted)) {
    if (key === '' || !belongsHere(wanted[key])) continue;
    const is = present[key];
    if (!is || !fs.existsSync(path.join(root, key))) return `${key} is missing`;
    if (is.version !== wanted[key].version || is.integrity !== wanted[key].integrity) {
      return `${key} is ${is.version}, the lock file says ${wanted[key].version}`;
    }
  }
  // A leftover nested copy would shadow the right one; a leftover at the top harms nobody.
  const shadow = Object.keys(present).find(
    (key) => /node_modules.*node_modules/.test(key) && !wanted[key],
  );
  return shadow ? `${shadow} is left over from another version` : undefined;
}

/** Runs `npm ci` with one line of progress; its own words are shown only when it fails. */
export function install(root, fault) {
  const started = Date.now();
  const say = (text) => process.stderr.write(text);
  say(`Installing dependencies with npm ci (${fault}); about a minute ...`);
  const [command, first] = process.env.npm_execpath
    ? [process.execPath, [process.env.npm_execpath]]
    : ['npm', []];
  // Dots also where there is no terminal: silence for a minute looks like a hang.
  const dots = setInterval(() => say('.'), 5000);
  return new Promise((resolve) => {
    const words = [];
    const child = spawn(command, [...first, 'ci', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const end = (code, extra) => {
      clearInterval(dots);
      const seconds = Math.round((Date.now() - started) / 1000);
      say(
        code === 0
          ? ` done in ${seconds} s.\n`
          : ` failed.\n${words.join('').slice(-4000)}${extra}\n`,
      );
      resolve(code);
    };
    child.stdout.on('data', (chunk) => words.push(chunk));
    child.stderr.on('data', (chunk) => words.push(chunk));
    child.on('error', (error) => end(1, `limpet: cannot run npm: ${error.message}`));
    child.on('close', (code) =>
      end(
        code === null ? 1 : code,
        `limpet: npm ci failed in ${root}; mend what it says above and run again.`,
      ),
    );
  });
}

/**
 * Runs limpet again under another Node and resolves with its exit code. The child has a session of its own
 * and gets each signal from here, so Ctrl-C reaches it once; by the channel it notices when we are killed.
 */
export function runWith(node, script, args) {
  const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(node, [...flags, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`limpet: cannot run ${node}: ${error.message}. Install Node 24 LTS.\n`);
      resolve(78);
    });
    child.on('exit', (code, signal) => {
      resolve(signal ? 128 + (os.constants.signals[signal] || 0) : code);
    });
  });
}

/**
 * Optional packages for other machines, and what only those need, are in the lock file and rightly absent;
 * only an optional one that names this very machine must be there.
 */
function belongsHere(entry) {
  if (!entry.optional && !entry.peer) return true;
  const names = (list, mine) => Boolean(list) && list.includes(mine);
  return names(entry.os, process.platform) && names(entry.cpu, process.arch) && !entry.libc;
}

function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error instanceof SyntaxError)
      return undefined;
    throw error;
  }
}

function numbers(text) {
  return text
    .replace(/^[^0-9]*/, '')
    .split('.')
    .map((part) => parseInt(part, 10));
}

function compare(a, b) {
  const at = [0, 1, 2].find((index) => a[index] !== b[index]);
  return at === undefined ? 0 : a[at] - b[at];
}
