/** The fleet's process: slaves on ports of their own; tells what they were asked so far. Ends with whoever started it. */
import process from 'node:process';
import type { FleetCounts } from './fleet.ts';
import { PLACES } from './shape.ts';
import { Slave } from './slave.ts';

const ports = process.argv.slice(2).map(Number);
const slaves = await Promise.all(ports.map((port) => Slave.listen(port)));

process.on('message', () => {
  const counts: FleetCounts = {
    requests: sum(slaves.map(({ requests }) => requests)),
    registers: sum(slaves.map(({ registers }) => registers)),
    reads: slaves.map(({ reads }) => PLACES.map(({ address }) => reads[address] ?? 0)),
  };
  process.send?.(counts);
});
process.on('disconnect', () => process.exit(0));
process.send?.('listening');

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
