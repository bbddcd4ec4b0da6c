/** For tests: a Backend in memory that keeps the promises of backend.ts, and a front served on loopback. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Log } from '@limpet/dmi';
import type { Device, Kind, Resource } from '@limpet/dmi/manifest';
import type {
  Backend,
  Changes,
  Document,
  Edit,
  Key,
  Listed,
  Page,
  Query,
  Reach,
} from './backend.ts';
import {
  keyOf,
  type RemoveOptions,
  type Sight,
  type Target,
  type WriteOptions,
} from './backend.ts';
import { creation, merging, replacement } from './edits.ts';
import { ApiFront, type FrontOptions } from './http.ts';
import { SERVER_OPTIONS } from './limits.ts';
import { selects } from './selector.ts';
import { conflict, notFound } from './status.ts';

export class MemoryBackend implements Backend {
  readonly writes = 'all';
  readonly #sights = new Map<string, Sight>();
  readonly #listeners = new Set<() => void>();
  /** What each write came with, for tests to look at. */
  readonly written: WriteOptions[] = [];
  /** Sights given. */
  sights = 0;
  #version = 100;
  #horizon = 0;

  version(): number {
    return this.#version;
  }

  /** Forgets deletions, as a real store does in time. */
  forgetDeletions(): void {
    for (const [id, { state }] of this.#sights) if (state === 'deleted') this.#sights.delete(id);
    this.#horizon = this.#version;
  }

  listeners(): number {
    return this.#listeners.size;
  }

  list(query: Query, { limit, after = '' }: Page): Listed {
    const matching = [...this.#sights.values()]
      .filter(({ state, resource }) => state === 'present' && within(query, resource))
      .map(({ resource }) => resource)
      .filter((resource) => keyOf(resource.metadata) > after && selects(query.selection, resource))
      .toSorted((a, b) => (keyOf(a.metadata) < keyOf(b.metadata) ? -1 : 1));
    const items = matching.slice(0, limit);
    const last = items.at(-1);
    const more = matching.length > items.length && last !== undefined;
    return { items, version: this.#version, ...(more && { next: keyOf(last.metadata) }) };
  }

  get(target: Target): Resource {
    return this.#present(target).resource;
  }

  create(target: Target, doc: Document): Resource {
    return this.write(target, creation(target, doc), {});
  }

  replace(target: Target, doc: Document): Resource {
    return this.write(target, replacement(target, doc), {});
  }

  patch(target: Target, patch: Document): Resource {
    return this.write(target, merging(target, patch), {});
  }

  write(target: Target, edit: Edit, options: WriteOptions): Resource {
    this.written.push(options);
    const now = this.look(target.kind, keyOf(target));
    const present = now?.state === 'present' ? now.resource : undefined;
    const doc = edit(present);
    const given = (doc['metadata'] as Document | undefined)?.['resourceVersion'];
    if (present && given !== undefined && given !== present.metadata.resourceVersion) {
      throw conflict(target, 'it has moved; get it again');
    }
    return this.#put(target, doc);
  }

  remove(target: Target, options: RemoveOptions): Resource {
    const sight = this.#present(target);
    if (options.uid !== undefined && options.uid !== sight.resource.metadata.uid) {
      throw conflict(target, 'it is another one by now');
    }
    this.#show(target, { ...sight, state: 'deleted' });
    return sight.resource;
  }

  look(kind: Kind, key: Key): Sight | undefined {
    return this.#sights.get(`${kind} ${key}`);
  }

  changes(reach: Reach, since: number, limit: number): Promise<Changes> {
    const found = [...this.#sights.values()]
      .filter(({ resource }) => within(reach, resource) && versionOf(resource) > since)
      .toSorted((a, b) => versionOf(a.resource) - versionOf(b.resource));
    const sights = found.slice(0, limit);
    this.sights += sights.length;
    const more = found.length > sights.length;
    return Promise.resolve({ sights, more, version: this.#version, forgotten: this.#horizon });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #present(target: Target): Sight {
    const sight = this.#sights.get(`${target.kind} ${keyOf(target)}`);
    if (sight?.state !== 'present') throw notFound(target);
    return sight;
  }

  #put(target: Target, doc: Document): Resource {
    const old = this.#sights.get(`${target.kind} ${keyOf(target)}`);
    const next = this.#version + 1;
    const present = old?.state === 'present' ? old : undefined;
    const uid = present?.resource.metadata.uid ?? `uid-${next}`;
    const resource = {
      ...doc,
      metadata: { ...(doc['metadata'] as object), uid },
    } as unknown as Resource;
    const same =
      present !== undefined && configuration(resource) === configuration(present.resource);
    this.#show(target, {
      state: 'present',
      resource,
      created: present?.created ?? next,
      configured: same ? present.configured : next,
    });
    return this.get(target);
  }

  #show(target: Target, sight: Sight): void {
    this.#version += 1;
    const metadata = { ...sight.resource.metadata, resourceVersion: String(this.#version) };
    const resource = { ...sight.resource, metadata } as Resource;
    this.#sights.set(`${target.kind} ${keyOf(target)}`, { ...sight, resource });
    for (const listener of this.#listeners) listener();
  }
}

export function device(
  name: string,
  more: { labels?: Record<string, string>; node?: string } = {},
): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: {
      name,
      namespace: 'default',
      ...(more.labels !== undefined && { labels: more.labels }),
    },
    spec: {
      model: 'boiler',
      node: more.node ?? 'gateway-1',
      settings: { address: 'tcp://127.0.0.1:1' },
    },
  };
}

export function target(name: string, namespace = 'default'): Target {
  return { kind: 'Device', namespace, name };
}

/** A log that remembers its lines. */
class LineLog implements Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  debug = (message: string, fields = {}): void => this.#add('debug', message, fields);
  info = (message: string, fields = {}): void => this.#add('info', message, fields);
  warn = (message: string, fields = {}): void => this.#add('warn', message, fields);
  error = (message: string, fields = {}): void => this.#add('error', message, fields);
  with = (): Log => this;

  #add(level: string, message: string, fields: Record<string, unknown>): void {
    this.lines.push({ level, message, fields });
  }
}

/** The machine's own clock: for tests that speak real HTTP. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

export interface Served {
  readonly backend: MemoryBackend;
  readonly front: ApiFront;
  readonly server: Server;
  readonly log: LineLog;
  readonly port: number;
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A front over a MemoryBackend on a free loopback port. */
export async function serve(options: Partial<FrontOptions> = {}): Promise<Served> {
  const backend = new MemoryBackend();
  const log = new LineLog();
  const clock = realClock;
  const front = new ApiFront({ backend, clock, log, version: '0.1.0', ...options });
  const server = createServer(SERVER_OPTIONS);
  front.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    front.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const url = `http://127.0.0.1:${port}`;
  return { backend, front, server, log, port, url, [Symbol.asyncDispose]: close };
}

function versionOf(resource: Resource): number {
  return Number(resource.metadata.resourceVersion);
}

function within(scope: Reach, resource: Resource): boolean {
  if (resource.kind !== scope.kind) return false;
  if (scope.name !== undefined && resource.metadata.name !== scope.name) return false;
  return scope.namespace === undefined || resource.metadata.namespace === scope.namespace;
}

function configuration({ metadata, spec }: Resource): string {
  return JSON.stringify([metadata.labels, metadata.annotations, { ...spec, desired: undefined }]);
}
