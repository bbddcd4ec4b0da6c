/** A hundred Modbus slaves in a process of their own, each at an address of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { freePort } from '../../rig/free-port.ts';

/** What the slaves were asked since their start. */
export interface FleetCounts {
  readonly requests: number;
  readonly registers: number;
  /** By slave, by measurement in the order of `PLACES`: how often it was read. */
  readonly reads: readonly (readonly number[])[];
}

export class Fleet {
  readonly ports: readonly number[];
  readonly #child: ChildProcess;

  private constructor(ports: readonly number[], child: ChildProcess) {
    this.ports = ports;
    this.#child = child;
  }

  static async start(slaves: number): Promise<Fleet> {
    const ports: number[] = [];
    // One after the other: two asked at a time may be told the same.
    while (ports.length < slaves) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const file = path.join(import.meta.dirname, 'slaves-process.ts');
    const child = fork(file, ports.map(String), { execArgv: ['--conditions=source'] });
    const [said] = (await Promise.race([once(child, 'message'), ended(child)])) as [unknown];
    if (said !== 'listening') throw new Error(`the slaves did not start: ${String(said)}`);
    return new Fleet(ports, child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async counts(): Promise<FleetCounts> {
    const answer = once(this.#child, 'message');
    this.#child.send('counts');
    const [counts] = (await answer) as [FleetCounts];
    return counts;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }
}

async function ended(child: ChildProcess): Promise<unknown[]> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return [`exit code ${code}`];
}
