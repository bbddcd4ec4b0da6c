/** Tells devices what a rollout desires, and takes it back. Runs inside a transaction. */
import type { Json } from '@limpet/dmi';
import { checkOrder, type Device, type DeviceModel, type Reason } from '@limpet/dmi/manifest';
import { isNewOrder } from '../orders.ts';
import type { Held, Placed, RolloutDevice, Terms, Was } from '../store/rollouts.ts';
import type { Writing } from '../store/store.ts';
import { changed, gone, type Known } from './judge.ts';
import { knownOf } from './situation.ts';

/** Tells each of these devices, or says why not. */
export async function tell(
  tx: Writing,
  { terms }: Held,
  { devices, batch }: { readonly devices: readonly RolloutDevice[]; readonly batch: number },
): Promise<readonly RolloutDevice[]> {
  const known = await knownOf(tx, devices, Object.keys(terms.set));
  const models = new Map<string, DeviceModel | undefined>();
  const told: RolloutDevice[] = [];
  for (const device of devices) {
    const standing = known.get(device.device);
    const doc = standing && (await tx.objects.get('Device', device.device))?.doc;
    const answer =
      doc?.kind === 'Device'
        ? (refusalOf(await modelOf(tx, doc, models), { device, terms, standing }) ??
          (await place(tx, { device, doc, terms, standing })))
        : ({ state: 'skipped', ...gone() } as const);
    told.push({ ...device, batch, ...answer });
  }
  return told;
}

type Answer = Partial<RolloutDevice> & Pick<RolloutDevice, 'state'>;

function refusalOf(
  model: DeviceModel | undefined,
  asked: {
    readonly device: RolloutDevice;
    readonly terms: Terms;
    readonly standing: ReadonlyMap<string, Known> | undefined;
  },
): Answer | undefined {
  const { device, terms, standing } = asked;
  const refused = refusalBy(model, device.device, terms.set);
  if (refused) return { state: 'rejected', ...refused };
  const moved = Object.keys(terms.set).filter((name) => {
    return standing?.get(name)?.order?.rev !== device.was[name]?.rev;
  });
  return moved.length === 0 ? undefined : { state: 'skipped', ...changed(moved).reason };
}

/** Why the model does not let these be desired. */
export function refusalBy(
  model: DeviceModel | undefined,
  device: string,
  set: Terms['set'],
): Reason | undefined {
  if (model === undefined) {
    const message = `the model of "${device}" is not known here: apply it first`;
    return { code: 'MODEL_UNKNOWN', message };
  }
  for (const [property, value] of Object.entries(set)) {
    const checked = checkOrder(model, property, value);
    if (!checked.ok) return { code: checked.code, message: checked.message };
  }
  return undefined;
}

export async function modelOf(
  { objects }: Pick<Writing, 'objects'>,
  { metadata: { namespace = 'default' }, spec }: Device,
  known: Map<string, DeviceModel | undefined>,
): Promise<DeviceModel | undefined> {
  const id = `${namespace}/${spec.model}`;
  if (!known.has(id)) {
    const doc = (await objects.get('DeviceModel', id))?.doc;
    known.set(id, doc?.kind === 'DeviceModel' ? doc : undefined);
  }
  return known.get(id);
}

async function place(
  { wanted, now: clock }: Writing,
  asked: {
    readonly device: RolloutDevice;
    readonly doc: Device;
    readonly terms: Terms;
    readonly standing: ReadonlyMap<string, Known> | undefined;
  },
): Promise<Answer> {
  const { device, doc, terms, standing } = asked;
  const now = clock();
  const expires = terms.expiresMs === undefined ? undefined : now + terms.expiresMs;
  const orders = new Map<string, Placed>();
  for (const [property, value] of Object.entries(terms.set)) {
    const { order, mirror } = standing?.get(property) ?? { order: undefined, mirror: undefined };
    if (isNewOrder(value, expires !== undefined, { order, mirror, now })) {
      const { node } = doc.spec;
      const placed = { device: device.device, property, node, value, accepted: now, expires };
      orders.set(property, { rev: await wanted.order(placed), own: true });
    } else if (order) orders.set(property, { rev: order.rev, own: false });
  }
  return { state: 'sent', sent: now, orders: Object.fromEntries(orders) };
}

/** What was desired before is desired again, but where somebody else has changed it since: those properties it answers. */
export async function takeBack(tx: Writing, device: RolloutDevice): Promise<readonly string[]> {
  const { orders = {}, was } = device;
  const known = (await knownOf(tx, [device], Object.keys(orders))).get(device.device);
  const node = await tx.objects.nodeOf(device.device);
  const left: string[] = [];
  for (const [property, { rev, own }] of Object.entries(orders)) {
    if (known?.get(property)?.order?.rev !== rev || node === undefined) {
      left.push(property);
      continue;
    }
    if (!own) continue;
    const { value, expires } = before(was[property]);
    const order = { device: device.device, property, node, value, expires };
    await tx.wanted.order({ ...order, accepted: tx.now() });
  }
  return left;
}

function before(was: Was | undefined): { value: Json; expires: number | undefined } {
  return { value: was?.value ?? null, expires: was?.expires };
}
