/** Tries to start, read, signal and load what is not its own, and says what it could. */
import { readFileSync } from 'node:fs';

const WAYS = {
  'a child': async () => (await import('node:child_process')).execFileSync('true'),
  'a child by builtin': () => process.getBuiltinModule('child_process').execFileSync('true'),
  'a thread': async () => new (await import('node:worker_threads')).Worker('1', { eval: true }),
  shadow: () => readFileSync('/etc/shadow'),
  'the token': (folder) => readFileSync(`${folder}/token`),
  'the configuration': (folder) => readFileSync(`${folder}/limpet.yaml`),
  'the twins': (folder) => readFileSync(`${folder}/edge/twins.db`),
  'the environment of the edge': () => readFileSync(`/proc/${process.ppid}/environ`),
  'the memory of the edge': () => readFileSync(`/proc/${process.ppid}/maps`),
  'a signal to the edge': () => process.kill(process.ppid, 'SIGCONT'),
  'a raw signal to the edge': () => {
    if (process._kill(process.ppid, 18) !== 0) throw new Error('refused');
  },
  'the debugger of the edge': () => process._debugProcess(process.ppid),
  'the priority of the edge': async () => (await import('node:os')).setPriority(process.ppid, 0),
  'a debugger': async () => (await import('node:inspector')).open(0),
  'an add-on': () => process.dlopen({ exports: {} }, '/usr/lib/nothing.node'),
};

export async function act(folder) {
  const done = [];
  for (const [name, way] of Object.entries(WAYS)) {
    try {
      await way(folder);
      done.push(name);
    } catch (error) {
      console.error(`${name}: ${error.code ?? error.message}`);
    }
  }
  return `could: ${done.join(', ')}`;
}
