/**
 * An OPC UA server as a process of its own, to be killed without mercy. `Count` goes up by one every {@link STEP_MS}, by the
 * clock, so that it is the same after a restart; `Setpoint` can be written. Arguments: port, folder of its certificate.
 */
import process from 'node:process';
import { parseNodeId } from '../../mappers/opcua/node-id.ts';
import { SimulatedServer } from '../../mappers/opcua/simulator.ts';

export const STEP_MS = 500;
const [INT32, FLOAT] = [6, 10] as const;

if (import.meta.main) {
  const [, , port = '0', folder] = process.argv;
  const server = await SimulatedServer.start({ port: Number(port) }, folder);
  const add = (name: string, type: number, value: number): void => {
    const node = parseNodeId(`ns=2;s=${name}`);
    if (node !== undefined) server.add({ node, name, type, value, writable: true });
  };
  add('Count', INT32, 0);
  add('Setpoint', FLOAT, 20);
  const step = (): void => {
    const now = Date.now();
    server.set('Count', Math.floor(now / STEP_MS) % 1_000_000);
    setTimeout(step, STEP_MS - (now % STEP_MS));
  };
  step();
  process.stdout.write('serving\n');
}
