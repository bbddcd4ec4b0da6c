/** `limpet.yaml`: read once at the door, all faults at once, paths made absolute against the file's folder. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkDocument, exact, type Fault, must, text } from '@limpet/dmi/manifest';
import * as v from 'valibot';
import { type DiskConfig, diskOf, DiskWords } from './health/disk-config.ts';
import {
  type MapperOverride,
  memorySize,
  overrideSchema,
  protocolName,
} from './mapper/manifest.ts';

export interface EdgeConfig {
  /** The node's name, an RFC 1123 label. */
  readonly node: string;
  /** Folder of the twin store and the local socket. Made if absent. */
  readonly data: string;
  /** `ws://127.0.0.1:8440/hub` or `wss://…`. Absent: this edge runs alone. */
  readonly cloud: string | undefined;
  /** PEM file that the cloud's certificate is checked against. */
  readonly ca: string | undefined;
  /** File whose first line is the bearer token for the cloud. */
  readonly tokenFile: string | undefined;
  /** `HOST:PORT` of the local bus; undefined: none. */
  readonly bus: string | undefined;
  /** Folder of manifests of this node's own. */
  readonly manifests: string | undefined;
  /** Private memory in bytes: of everything together, of the core alone. What is absent is derived (health/share.ts). */
  readonly memory: { readonly ceiling?: number | undefined; readonly core?: number | undefined };
  readonly disk: DiskConfig;
  /** Folder of mappers that do not come with Limpet, one sub-folder each. */
  readonly mapperFolder: string | undefined;
  /** What this node says about mappers, by protocol, before what their packages say. */
  readonly mappers: Readonly<Record<string, MapperOverride>>;
}

const DEFAULT_BUS = '127.0.0.1:1883';
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const filePath = text('a path', (value) => value !== '');

const BusWords = exact({
  listen: v.optional(
    text('HOST:PORT, like 127.0.0.1:1883, or off', (l) => l === 'off' || isListen(l)),
  ),
});
/** `bus: off`, for short. */
const NO_BUS = v.pipe(
  text('off, or an object like { listen: 127.0.0.1:1883 }', (word) => word === 'off'),
  v.transform(() => ({ listen: 'off' })),
);

const Config = exact({
  node: text('a node name: lower-case letters, digits and "-", at most 63', (n) => LABEL.test(n)),
  data: filePath,
  cloud: v.optional(
    text('an address like ws://127.0.0.1:8440/hub or wss://HOST:8440/hub', isHubAddress),
  ),
  ca: v.optional(filePath),
  tokenFile: v.optional(filePath),
  bus: v.optional(v.lazy((input) => (typeof input === 'object' ? BusWords : NO_BUS))),
  manifests: v.optional(filePath),
  memory: v.optional(exact({ ceiling: v.optional(memorySize), core: v.optional(memorySize) })),
  disk: v.optional(DiskWords),
  mapperFolder: v.optional(filePath),
  mappers: v.optional(v.record(protocolName, overrideSchema, must('an object by protocol'))),
});

export type ReadConfig =
  | { readonly ok: true; readonly config: EdgeConfig }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads and checks a configuration file. A file that cannot be read is a fault like any other. */
export function readConfig(file: string): ReadConfig {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const message = `cannot be read (${code}): name an existing file with --config`;
    return { ok: false, faults: [{ file, path: '', code: 'CONFIG_UNREADABLE', message }] };
  }
  const checked = checkDocument(Config, source, file);
  if (!checked.ok) return checked;
  const { node, data, cloud, ca, tokenFile, bus, manifests, memory, disk } = checked.value;
  const { mapperFolder, mappers = {} } = checked.value;
  const base = path.dirname(path.resolve(file));
  const absolute = (name: string | undefined) =>
    name === undefined ? undefined : path.resolve(base, name);
  const listen = bus?.listen ?? DEFAULT_BUS;
  return {
    ok: true,
    config: {
      node,
      data: path.resolve(base, data),
      cloud,
      ca: absolute(ca),
      tokenFile: absolute(tokenFile),
      bus: listen === 'off' ? undefined : listen,
      manifests: absolute(manifests),
      memory: memory ?? {},
      disk: diskOf(disk ?? {}),
      mapperFolder: absolute(mapperFolder),
      mappers: mapValues(mappers, (each) => ({ ...each, folder: absolute(each.folder) })),
    },
  };
}

function mapValues<T>(
  record: Readonly<Record<string, T>>,
  change: (value: T) => T,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function isHubAddress(value: string): boolean {
  return URL.canParse(value) && /^wss?:$/.test(new URL(value).protocol);
}

function isListen(value: string): boolean {
  const port = Number(value.slice(value.lastIndexOf(':') + 1));
  return /^.+:\d{1,5}$/.test(value) && port <= 65_535;
}
