/** DMI-0xx: what a mapper says of itself, before anything is connected. */
import { kindOf } from '../manifest/json.ts';
import { isLabel } from '../manifest/schema.ts';
import type { Mapper } from '../mapper.ts';
import type { PropertyType } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { type DmiPromise, onRig } from './promise.ts';

const GARBAGE: readonly unknown[] = [undefined, null, true, 0, -1, '', 'x', [], [1], Symbol('x')];
const TYPES: readonly PropertyType[] = ['bool', 'int', 'float', 'string', 'bytes', 'json'];

export const declaring: readonly DmiPromise[] = [
  {
    id: 'DMI-001',
    title: 'the protocol is named in lower-case letters, digits and "-"',
    keep({ mapper }) {
      if (!isLabel(mapper.protocol)) throw new Broken(`"${mapper.protocol}" is no such name`);
    },
  },
  onRig('DMI-002', 'the schemas take the settings and visitors of the subject', async (rig) => {
    for (const { visitor, property } of rig.subject.items) {
      const why = await rig.mapper.fits?.(rig.visitor(visitor), property);
      if (why !== undefined) throw new Broken(`"${property.name}" does not fit: ${why}`);
    }
  }),
  {
    id: 'DMI-003',
    title: 'the schemas answer garbage with issues and never throw',
    async keep({ mapper }) {
      for (const garbage of GARBAGE) {
        await refuses(mapper, 'settings', garbage, `a ${typeof garbage}`);
        await refuses(mapper, 'visitor', garbage, `a ${typeof garbage}`);
      }
    },
  },
  {
    id: 'DMI-004',
    title: 'the schemas refuse a field that they do not know',
    async keep({ mapper, subject }) {
      const unknown = { 'no-such-field': 1 };
      await refuses(mapper, 'settings', { ...(subject.settings as object), ...unknown }, 'one');
      for (const { visitor } of subject.items) {
        await refuses(mapper, 'visitor', { ...(visitor as object), ...unknown }, 'one');
      }
    },
  },
  onRig('DMI-005', 'a device has one port, whenever it is asked', async (rig) => {
    const { mapper } = rig;
    const settings = await rig.settings();
    if (mapper.port === undefined) throw new NotApplicable('the mapper names no ports');
    const ports = [await mapper.port(settings), await mapper.port(structuredClone(settings))];
    if (ports[0] !== ports[1]) throw new Broken(`first ${ports[0]}, then ${ports[1]}`);
  }),
  onRig('DMI-006', 'fits says yes or why not to every type, and never throws', async (rig) => {
    const { mapper } = rig;
    if (mapper.fits === undefined) throw new NotApplicable('the mapper takes any visitor');
    for (const item of rig.subject.items) {
      for (const type of TYPES) {
        for (const access of ['read', 'readWrite'] as const) {
          const shape = { name: 'p', type, access };
          const why: unknown = await mapper.fits(rig.visitor(item.visitor), shape);
          if (why === undefined || (typeof why === 'string' && why !== '')) continue;
          throw new Broken(`it must answer undefined or a sentence; it answered ${kindOf(why)}`);
        }
      }
    }
  }),
];

async function refuses(
  mapper: Mapper<unknown, unknown>,
  part: 'settings' | 'visitor',
  input: unknown,
  what: string,
): Promise<void> {
  let issues: unknown;
  try {
    ({ issues } = await mapper[part]['~standard'].validate(input));
  } catch (error) {
    throw new Broken(`the ${part} schema threw at ${what}`, { cause: error });
  }
  if (!Array.isArray(issues) || issues.length === 0) {
    throw new Broken(`the ${part} schema took ${what}`);
  }
}
