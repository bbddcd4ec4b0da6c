/** The product broken on purpose, one rule at a time, from outside: what the simulation must notice. */
import { CloudSession } from '#cloud/service/hub/session.ts';
import type { CloudStore, Reading, Writing } from '#cloud/service/store/store.ts';
import type { WantedRow } from '#protocol';
import { type SyncedTwins, SyncSession } from '#runtime/sync/session.ts';
import type { TwinStore } from '#runtime/twin/store.ts';
import { REAL, type Variant } from './variant.ts';

/** The store as the session sees it, with some methods of the mutant's. */
function twinsOf(store: TwinStore, changed: Partial<SyncedTwins>): SyncedTwins {
  return {
    epoch: store.epoch,
    rev: () => store.rev(),
    seq: () => store.seq(),
    rowsAfter: (seq, limit) => store.rowsAfter(seq, limit),
    mergeWanted: (rows, to) => store.mergeWanted(rows, to),
    acknowledged: (seq) => store.acknowledged(seq),
    resumeFrom: (seq) => store.resumeFrom(seq),
    ...changed,
  };
}

const withTwins = (change: (store: TwinStore) => Partial<SyncedTwins>): Variant => ({
  ...REAL,
  twins: (store) => twinsOf(store, change(store)),
});

type Parts = Writing & Reading;
type Part = 'mirrors' | 'nodes' | 'desired' | 'stream' | 'wanted';

/** A part of the cloud's store with some methods of the mutant's; the rest is the real one's. */
function withPart<P extends Part>(
  part: P,
  change: (real: Parts[P], all: Parts) => Partial<Parts[P]>,
): Variant {
  const within = <T extends Writing | Reading>(parts: T): T => {
    const all = parts as unknown as Parts;
    const changed = change(all[part], all) as Record<PropertyKey, unknown>;
    const mutant = new Proxy(all[part] as object, {
      get: (target, name) => {
        const own = changed[name] ?? Reflect.get(target, name, target);
        return typeof own === 'function' ? own.bind(target) : own;
      },
    });
    return { ...parts, [part]: mutant };
  };
  return { ...REAL, cloudStore: (store) => storeWithin(store, within) };
}

/** The store, its transactions and readings being what `within` makes of them. */
function storeWithin(
  store: CloudStore,
  within: <T extends Writing | Reading>(parts: T) => T,
): CloudStore {
  const commit: Pick<CloudStore['commit'], 'add' | 'run'> = {
    add: (work, settled) => store.commit.add((tx) => work(within(tx)), settled),
    run: (work) => store.commit.run((tx) => work(within(tx))),
  };
  const read: CloudStore['read'] = (work) => store.read((reading) => work(within(reading)));
  const own: Record<PropertyKey, unknown> = { commit, read };
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name];
      const real = Reflect.get(target, name, target) as unknown;
      return typeof real === 'function' ? real.bind(target) : real;
    },
  });
}

const heldRev = (store: TwinStore, row: WantedRow): number =>
  row.kind === 'desired'
    ? (store.twin(row.device)?.properties.get(row.property)?.desired?.rev ?? 0)
    : 0;

export const MUTANTS: Readonly<Record<string, Variant>> = {
  'the edge keeps its epoch over a restart': withTwins(() => ({ epoch: 'always' })),
  'the edge ignores where the cloud resumes': withTwins(() => ({ resumeFrom: () => undefined })),
  'the edge forgets all rows at any ack': withTwins((store) => ({
    acknowledged: () => store.acknowledged(store.seq()),
  })),
  'the edge lets the last order win, whatever its rev': withTwins((store) => ({
    mergeWanted: (rows, to) => {
      const last = rows.map((row) => ({ ...row, rev: Math.max(row.rev, heldRev(store, row) + 1) }));
      store.mergeWanted(last, to);
    },
  })),
  'the edge does not store withdrawn orders': withTwins((store) => ({
    mergeWanted: (rows, to) =>
      store.mergeWanted(
        rows.filter((row) => row.kind !== 'desired' || row.value !== null),
        to,
      ),
  })),
  'the edge does not store deletions': withTwins((store) => ({
    mergeWanted: (rows, to) =>
      store.mergeWanted(
        rows.filter((row) => row.kind !== 'resource' || row.doc !== null),
        to,
      ),
  })),
  'the edge keeps its own orders to itself': withTwins((store) => ({
    rowsAfter: (seq, limit) =>
      store.rowsAfter(seq, limit).map((row) => {
        if (row.kind !== 'property' || (row.desired?.rev ?? 0) % 2 === 0) return row;
        const { desired: _, ...rest } = row;
        return rest;
      }),
  })),
  'the edge says stored before it has stored': {
    ...REAL,
    edgeSession: (options) => {
      const { twins } = options;
      let waiting: (() => void) | undefined;
      const later = twinsLater(twins, (work) => void (waiting = work));
      const session = new SyncSession({ ...options, twins: later });
      const before = (): void => {
        waiting?.();
        waiting = undefined;
      };
      return {
        opened: (facts) => session.opened(facts),
        closed: () => session.closed(),
        changed: () => session.changed(),
        received: (message) => {
          before();
          session.received(message);
        },
      };
    },
  },
  'the edge never sends a second page': {
    ...REAL,
    edgeSession: (options) => {
      const session = new SyncSession(options);
      return {
        opened: (facts) => session.opened(facts),
        closed: () => session.closed(),
        changed: () => session.changed(),
        received: (message) => {
          if (message.type !== 'ack') session.received(message);
        },
      };
    },
  },
  'the cloud says ack before it is on disk': {
    ...REAL,
    cloudSession: (options) => {
      const { send } = options;
      const session = new CloudSession({
        ...options,
        send: (message) => {
          if (message.type !== 'ack') send(message);
        },
      });
      return {
        received: (message) => {
          if (message.type === 'report' && session.live()) send({ type: 'ack', seq: message.to });
          session.received(message);
        },
        wantedChanged: () => session.wantedChanged(),
        fence: () => session.fence(),
        closed: () => session.closed(),
      };
    },
  },
  'the cloud fences nobody': {
    ...REAL,
    cloudSession: (options) => {
      const session = new CloudSession(options);
      return {
        received: (message) => session.received(message),
        wantedChanged: () => session.wantedChanged(),
        fence: () => undefined,
        closed: () => session.closed(),
      };
    },
  },
  'the cloud never looks at what is new after the first page': {
    ...REAL,
    cloudSession: (options) => {
      let told = false;
      const session = new CloudSession({
        ...options,
        send: (message) => {
          if (message.type === 'desire' && told) return;
          told ||= message.type === 'desire';
          options.send(message);
        },
      });
      return session;
    },
  },
  'the cloud lets a carried row replace a newer mirror': {
    ...REAL,
    cloudSession: (options) => {
      const session = new CloudSession(options);
      return {
        received: (message) => {
          if (message.type !== 'report') return session.received(message);
          const rows = message.rows.map((row) => {
            if (row.kind !== 'property') return row;
            const { carried: _, ...rest } = row;
            return rest;
          });
          session.received({ ...message, rows });
        },
        wantedChanged: () => session.wantedChanged(),
        fence: () => session.fence(),
        closed: () => session.closed(),
      };
    },
  },
  'the cloud lets a verdict go back to pending': withPart('mirrors', (real) => ({
    many: async (spots) => {
      const known = [...(await real.many(spots))];
      return new Map(known.map(([key, { reported }]) => [key, reported ? { reported } : {}]));
    },
  })),
  'the cloud believes whatever order an edge holds': withPart('desired', (real) => ({
    many: async (keys) => (await real.many(keys)).map((order) => ({ ...order, rev: -1 })),
  })),
  'the cloud withdraws orders that are newer than the deletion': withPart(
    'wanted',
    (real, { desired, now }) => ({
      remove: async (object, rev) => {
        const version = await real.remove(object, rev);
        const newest = Math.max(0, ...(await desired.of(object.id)).map((order) => order.rev));
        await desired.withdraw(object.id, newest, now());
        return version;
      },
    }),
  ),
  'the cloud keeps its place over a new epoch': {
    ...REAL,
    cloudSession: (options) => {
      let epoch = '';
      const store = withPart('nodes', (real) => ({
        get: async (name) => {
          const known = await real.get(name);
          return known && { ...known, epoch };
        },
      })).cloudStore(options.store);
      const session = new CloudSession({ ...options, store });
      return {
        received: (message) => {
          if (message.type === 'hello') epoch = message.epoch;
          session.received(message);
        },
        wantedChanged: () => session.wantedChanged(),
        fence: () => session.fence(),
        closed: () => session.closed(),
      };
    },
  },
  'the cloud sends no tombstones': withPart('stream', (real) => ({
    rows: async (item, now) => (item.what === 'gone' ? [] : real.rows(item, now)),
  })),
  'the cloud forgets a tombstone once it is sent': {
    ...REAL,
    cloudSession: (options) => {
      const { store, send } = options;
      let node = '';
      const session = new CloudSession({
        ...options,
        send: (message) => {
          send(message);
          if (message.type !== 'desire') return;
          store.commit.add(
            ({ tombstones }) => tombstones.passed(node, message.to),
            () => undefined,
          );
        },
      });
      return {
        received: (message) => {
          if (message.type === 'hello') node = message.node;
          session.received(message);
        },
        wantedChanged: () => session.wantedChanged(),
        fence: () => session.fence(),
        closed: () => session.closed(),
      };
    },
  },
  'the cloud sends a device without its orders': withPart('stream', (real) => ({
    rows: async (item, now) =>
      (await real.rows(item, now)).filter(
        (row) => item.what !== 'Device' || row.kind !== 'desired',
      ),
  })),
};

/** Merges when the next message comes, and tells the session that it is done. */
function twinsLater(twins: SyncedTwins, later: (work: () => void) => void): SyncedTwins {
  return {
    epoch: twins.epoch,
    rev: () => twins.rev(),
    seq: () => twins.seq(),
    rowsAfter: (seq, limit) => twins.rowsAfter(seq, limit),
    mergeWanted: (rows, to) => later(() => twins.mergeWanted(rows, to)),
    acknowledged: (seq) => twins.acknowledged(seq),
    resumeFrom: (seq) => twins.resumeFrom(seq),
  };
}
