/** DMI-9xx: methods. */
import { Refused } from '../errors.ts';
import type { Connection } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close, noListeners, nothingLeft } from './connecting.ts';
import { lost, type Outcome, prompt, say, value } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { baseline, expect } from './reading.ts';
import type { Pace, Rig } from './rig.ts';
import type { SubjectMethod } from './subject.ts';
import { same, show } from './values.ts';

const ABORT_AFTER_MS = 1;

export const calling: readonly DmiPromise[] = [
  onRig('DMI-901', 'a method that the subject declares is served', async (rig) => {
    for (const { visitor, method } of methods(rig)) {
      const why = await rig.mapper.serves?.(rig.visitor(visitor), method);
      if (why !== undefined) throw new Broken(`"${method.name}" is not served: ${why}`);
    }
  }),
  onRig('DMI-902', 'a call runs once, and answers what the device answered', async (rig) => {
    const served = methods(rig);
    const connection = await rig.connect();
    for (const each of served) {
      const before = rig.calls(each.method.name);
      const output = value(await call(rig, connection, each), `a call of "${each.method.name}"`);
      const right =
        output.length === each.output.length &&
        output.every((found, index) => same(found, each.output[index] ?? null));
      if (!right) throw new Broken(`it must answer ${list(each.output)}; it gave ${list(output)}`);
      const times = rig.calls(each.method.name) - before;
      if (times !== 1) throw new Broken(`the device ran "${each.method.name}" ${times} times`);
    }
  }),
  onRig(
    'DMI-903',
    'a call that the device refuses is Refused, and the connection stays',
    async (rig) => {
      const each = methods(rig).find(({ refused }) => refused !== undefined);
      if (each === undefined) throw new NotApplicable('the subject names no input to refuse');
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      const outcome = await call(rig, connection, { ...each, input: each.refused ?? [] });
      if (outcome.kind !== 'error' || !(outcome.error instanceof Refused)) {
        throw new Broken(`a refused call must reject with Refused; it ${say(outcome)}`);
      }
      expect(known, rig.subject.items, await rig.read(connection, rig.subject.items));
    },
  ),
  onRig('DMI-904', 'a call whose answer is lost is lost, and never repeated', async (rig) => {
    for (const each of methods(rig)) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      const before = rig.calls(each.method.name);
      await rig.hurt({ kind: 'cut', after: 0 });
      const outcome = await call(rig, connection, each, 'fast');
      lost(outcome, 'a call whose wire is cut', 'garbled-too');
      await rig.hurt({ kind: 'none' });
      await rig.until(() => false, QUIET_MS);
      await close(rig, connection);
      const times = rig.calls(each.method.name) - before;
      if (times > 1) throw new Broken(`the device ran "${each.method.name}" ${times} times`);
      await nothingLeft(rig, 'close after a lost call');
    }
  }),
  onRig('DMI-905', 'a call that is aborted ends within 100 ms', async (rig) => {
    const [each] = methods(rig);
    const connection = await rig.connect();
    await rig.hurt({ kind: 'silence', after: 0 });
    const outcome = await call(rig, connection, each, 'healthy', ABORT_AFTER_MS);
    lost(outcome, 'an aborted call', 'garbled-too');
    prompt(outcome, 'an aborted call');
    noListeners(outcome, 'an aborted call');
    await close(rig, connection);
  }),
];

/** Long enough for a second try to arrive. */
const QUIET_MS = 50;

function methods(rig: Rig): readonly [SubjectMethod, ...SubjectMethod[]] {
  const [first, ...more] = rig.subject.methods ?? [];
  if (first === undefined) throw new NotApplicable('the subject has no methods');
  return [first, ...more];
}

function call(
  rig: Rig,
  connection: Connection<unknown>,
  { visitor, input }: SubjectMethod,
  ...[pace = 'healthy', abortAfterMs]: [pace?: Pace, abortAfterMs?: number]
): Promise<Outcome<readonly Value[]>> {
  const run = connection.call?.bind(connection);
  if (run === undefined) throw new Broken('the subject has methods and the connection no call()');
  return rig.call((signal) => run(rig.visitor(visitor), input, signal), pace, abortAfterMs);
}

function list(values: readonly Value[]): string {
  return `[${values.map((each) => show(each)).join(', ')}]`;
}
