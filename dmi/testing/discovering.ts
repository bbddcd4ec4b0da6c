/** DMI-91x: looking for devices. */
import type { Found } from '../discovery.ts';
import { isLabel } from '../manifest/schema.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close, noListeners, nothingLeft } from './connecting.ts';
import { type Outcome, lost, prompt, value } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import type { Pace, Rig } from './rig.ts';
import { parse } from './stage.ts';
import { good } from './values.ts';

/** Nobody wants to choose among more; and what never ends is ended. */
const MAX_FOUND = 1000;
const ABORT_AFTER_MS = 20;
/** By the mapper's clock where that is not real: many addresses may have to be waited for. */
const LOOKING_MS = 600_000;

export const discovering: readonly DmiPromise[] = [
  onRig('DMI-911', 'the device is found, by settings with which it can be opened', async (rig) => {
    const found = value(await discover(rig), 'discover');
    if (found.length === 0) throw new Broken('it was not found');
    for (const { name, settings } of found) {
      if (!isLabel(name)) throw new Broken(`"${name}" cannot be a device's name`);
      const parsed = await parse(rig.mapper.settings, settings, `the settings of "${name}"`);
      const { mapper, context } = rig;
      const opened = await rig.call((signal) => mapper.connect(parsed, context, signal), 'healthy');
      await close(rig, value(opened, `connect to "${name}", which was found,`));
    }
    await nothingLeft(rig, 'discover');
  }),
  onRig('DMI-912', 'what is found of a device are properties that it has', async (rig) => {
    const models = value(await discover(rig), 'discover').flatMap(({ model }) => model ?? []);
    if (models.length === 0) throw new NotApplicable('discover tells no models');
    const connection = await rig.connect();
    for (const { properties } of models) {
      for (const property of properties) {
        const { name, type, access = 'read' } = property;
        const visitor = await parse(rig.mapper.visitor, property.visitor, `visitor of "${name}"`);
        const why = await rig.mapper.fits?.(visitor, { name, type, access });
        if (why !== undefined) throw new Broken(`"${name}" was found, and does not fit: ${why}`);
        const outcome = await rig.call((signal) => connection.read([visitor], signal), 'healthy');
        const [reading] = value(outcome, `read of "${name}"`);
        good(reading, `"${name}", which was found,`);
      }
    }
    await close(rig, connection);
  }),
  onRig(
    'DMI-913',
    'a discovery that is aborted ends within 100 ms and leaves nothing',
    async (rig) => {
      await rig.hurt({ kind: 'silence', after: 0 });
      const outcome = await discover(rig, 'healthy', ABORT_AFTER_MS);
      prompt(outcome, 'an aborted discovery');
      noListeners(outcome, 'an aborted discovery');
      await nothingLeft(rig, 'an aborted discovery');
    },
  ),
  onRig('DMI-914', 'where nobody answers a discovery finds nothing, and ends', async (rig) => {
    await rig.meet('refuses');
    const outcome = await discover(rig, 'fast');
    if (outcome.kind !== 'value') lost(outcome, 'a discovery where nobody is', 'no');
    else if (outcome.value.length > 0) throw new Broken('it found what cannot be reached');
    if (outcome.aborted) throw new Broken('it had to be aborted');
    await nothingLeft(rig, 'a discovery where nobody is');
  }),
];

async function discover(
  rig: Rig,
  pace: Pace = 'quick',
  abortAfterMs: number | undefined = rig.subject.realTime === true ? undefined : LOOKING_MS,
): Promise<Outcome<readonly Found[]>> {
  const { mapper, context } = rig;
  const search = rig.search();
  const look = mapper.discover?.bind(mapper);
  if (look === undefined) throw new NotApplicable('the mapper does not discover');
  const collect = async (signal: AbortSignal): Promise<readonly Found[]> => {
    const found: Found[] = [];
    for await (const each of look(search, context, signal)) {
      found.push(each);
      if (found.length === MAX_FOUND) break;
    }
    return found;
  };
  return rig.call(collect, pace, abortAfterMs);
}
