/**
 * An OPC UA server (node-opcua's own) in a process of its own, with items that all change once a second, those of each
 * group at a time of their own; tells how many changes it has sent. Ends with whoever started it.
 */
import process from 'node:process';
import { SimulatedServer } from '../../../mappers/opcua/simulator.ts';

/** OPC UA Part 6, 5.1.2. */
const DOUBLE = 11;

const [groups = 1, perGroup = 1] = process.argv.slice(2).map(Number);
const server = await SimulatedServer.start({
  maxConnectionsPerEndpoint: 100,
  serverCapabilities: { maxSessions: 100, maxMonitoredItemsPerCall: 1_000 } as never,
});

const names = Array.from({ length: groups }, (_, group) =>
  Array.from({ length: perGroup }, (_item, at) => `g${group}i${at}`),
);
for (const name of names.flat()) {
  const node = { namespace: 2, kind: 's', id: name } as const;
  server.add({ node, name, type: DOUBLE, value: 0, writable: false });
}

const ticks = names.map(() => 0);
let moving = true;
for (const [group, items] of names.entries()) {
  const tick = (): void => {
    if (!moving) return;
    ticks[group] = (ticks[group] ?? 0) + 1;
    for (const [at, name] of items.entries()) server.set(name, ticks[group] + at / 1_000);
  };
  setTimeout(() => setInterval(tick, 1_000), (group * 1_000) / groups);
}

process.on('message', (asked) => {
  moving = asked === 'move';
  process.send?.({ sent: sent(), ticks });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ endpoint: server.endpoint });

/** Changes that left in notifications, over all subscriptions. */
function sent(): number {
  const { engine } = server.server;
  let count = 0;
  for (const session of Object.values(
    (engine as unknown as { _sessions: Record<string, unknown> })._sessions,
  )) {
    const { publishEngine } = session as {
      publishEngine: { subscriptions: { subscriptionDiagnostics: Diagnostics }[] };
    };
    for (const { subscriptionDiagnostics } of publishEngine.subscriptions)
      count += subscriptionDiagnostics.dataChangeNotificationsCount;
  }
  return count;
}

interface Diagnostics {
  readonly dataChangeNotificationsCount: number;
}
