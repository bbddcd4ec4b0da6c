/** From what the disk held to what is so now: nothing has been read since the start, and time has passed unseen. */
import { type Clock } from '@limpet/dmi';
import { type PropertyTwin } from '@limpet/dmi/manifest';
import { type Content } from './load.ts';
import { fromDisk } from './twin.ts';
import { type Deadline, Twins } from './twins.ts';
import { type Unsent } from './unsent.ts';

/** Every row counts as changed: the cloud knows nothing of this epoch yet. */
export function restore(content: Content, clock: Clock, unsent: Unsent): Twins {
  const twins = new Twins();
  const lastSeen = new Map(content.devices.map((row) => [row.id, row.lastSeen]));
  for (const { type, id, rev, doc } of content.resources) {
    const entry = { kind: 'resource' as const, type, id, rev, doc, seq: 0 };
    twins.resources[type].set(id, entry);
    unsent.touch(entry);
    if (type !== 'Device' || doc === null) continue;
    const seen = lastSeen.get(id);
    unsent.touch(
      twins.addDevice(id, { state: 'connecting', ...(seen !== undefined && { lastSeen: seen }) }),
    );
  }
  for (const { device, name, twin, deadline, readBack } of content.properties) {
    const held = twins.devices.get(device);
    if (!held) continue;
    const entry = twins.addProperty(held, name);
    twins.setTwin(entry, afterOutage(fromDisk(twin), deadline, clock.now()));
    entry.carried = twin.reported !== undefined;
    // It ran before the restart: nobody who did not may take its place.
    if (entry.carried) held.admitted = Infinity;
    entry.deadline = deadlineAt(deadline, clock);
    entry.readBack = readBack;
    unsent.touch(entry);
  }
  return twins;
}

export function deadlineAt(wall: number | undefined, clock: Clock): Deadline | undefined {
  if (wall === undefined) return undefined;
  return { wall, monotonic: clock.monotonic() + (wall - clock.now()) };
}

/**
 * A clock that stands before the time an order was stored (a board without a clock chip) cannot tell how
 * long the power was off, so an order that runs out is taken as run out: better not executed than too late.
 */
function afterOutage(
  twin: PropertyTwin<number>,
  deadline: number | undefined,
  now: number,
): PropertyTwin<number> {
  const { desired } = twin;
  if (deadline === undefined || desired?.verdict !== 'pending') return twin;
  if (now >= (desired.stages.stored ?? desired.stages.accepted)) return twin;
  return {
    ...twin,
    desired: {
      ...desired,
      verdict: 'expired',
      reason: {
        code: 'CLOCK_WENT_BACK',
        message:
          'the clock of the node stands before the time of the order, so it may be too late: order again',
      },
    },
  };
}
