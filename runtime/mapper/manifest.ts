/**
 * The manifest of a mapper: what its package.json says under `limpet`, and what limpet.yaml puts in its place. Every
 * fault is told at once, with its field, the kind of value found and what was expected.
 */
import path from 'node:path';
import {
  checkDocument,
  exact,
  type Fault,
  must,
  oneOf,
  quantity,
  text,
} from '@limpet/dmi/manifest';
import * as v from 'valibot';
import { NO_PERMISSIONS, type Permissions } from './sandbox/permissions.ts';
import { parseRule } from './sandbox/reach.ts';

export type Hosting = 'inline' | 'process';

export interface MapperManifest {
  readonly protocol: string;
  readonly hosting: Hosting;
  /** Private memory of its process, bytes. Inline it is part of the core's. */
  readonly memoryBytes: number;
  /** Ceiling of its scratch folder, bytes. */
  readonly diskBytes: number;
  /** 0 to 100; the least important is shed first. */
  readonly importance: number;
  readonly permissions: Permissions;
}

const MIB = 2 ** 20;
const DEFAULTS = { memoryBytes: 24 * MIB, diskBytes: 16 * MIB, importance: 50 };
const MAX_LIST = 64;

const PROTOCOL = /^[a-z][a-z0-9-]{0,31}$/;
export const protocolName = text(
  'the name of a protocol: lower-case letters, digits and "-", at most 32, beginning with a letter',
  (name) => PROTOCOL.test(name),
);

const absolute = text(
  'an absolute path without "*"',
  (value) => path.isAbsolute(value) && !/[*\0]/.test(value) && path.normalize(value) !== '/',
);
const HOSTS = 'a host like 10.0.0.0/8, plc.local:502 or *:502';
const rule = v.pipe(
  v.string(must(HOSTS)),
  v.check(
    (value) => parseRule(value) !== undefined,
    ({ input }) =>
      `must be ${HOSTS}; ${JSON.stringify(input.slice(0, 80))} is none (a host without a port stands for all its ports)`,
  ),
);
const adapter = text('the name of an adapter, like hci0', (value) => /^hci\d{1,2}$/.test(value));

function list(item: v.GenericSchema<string, string>, phrase: string) {
  return v.pipe(
    v.array(item, must(phrase)),
    v.maxLength(MAX_LIST, `must have at most ${MAX_LIST} entries`),
  );
}

function access(item: v.GenericSchema<string, string>, phrase: string) {
  return v.optional(
    v.lazy((input) =>
      Array.isArray(input) ? list(item, phrase) : v.boolean(must(`true, false or ${phrase}`)),
    ),
  );
}

const paths = v.optional(list(absolute, 'a list of absolute paths'));

const permissions = exact({
  serial: access(absolute, 'a list of paths of serial lines'),
  network: access(rule, 'a list of hosts and networks'),
  bluetooth: access(adapter, 'a list of adapters'),
  files: v.optional(exact({ read: paths, write: paths })),
  addons: v.optional(v.boolean(must('true or false'))),
});

/** Private memory of a process. Less does not even start Node; whoever writes `30` meant MiB. */
export const memorySize = v.pipe(
  quantity(),
  v.minValue(12 * MIB, must('a size of at least 12Mi, like 26Mi or 30M')),
);

/** What a manifest and limpet.yaml can both say. */
const terms = {
  hosting: v.optional(oneOf(['inline', 'process'])),
  memory: v.optional(memorySize),
  disk: v.optional(quantity()),
  importance: v.optional(
    v.pipe(
      v.number(must('a number from 0 to 100')),
      v.check((value) => value >= 0 && value <= 100, must('a number from 0 to 100')),
    ),
  ),
  permissions: v.optional(permissions),
};

/** Of `mappers.<protocol>` in limpet.yaml. */
export const overrideSchema = exact({
  ...terms,
  /** A mapper of one's own in the place of whatever has this name. */
  folder: v.optional(text('the path of a folder', (value) => value !== '')),
});

export type MapperOverride = v.InferOutput<typeof overrideSchema>;
type Terms = Omit<MapperOverride, 'folder'>;

const packageSchema = v.looseObject(
  {
    version: text('a version like 1.2.3', (value) => /^\d+\.\d+\.\d+[\w.+-]{0,64}$/.test(value)),
    limpet: exact({ protocol: protocolName, ...terms }),
  },
  (issue) =>
    issue.path === undefined
      ? must('an object with "version" and "limpet"')(issue)
      : 'is missing: add it',
);

export interface MapperPackage {
  readonly version: string;
  readonly manifest: Terms & { readonly protocol: string };
}

/** Reads the text of a package.json; `file` is for messages. */
export function readPackage(
  source: string,
  file: string,
):
  | { readonly ok: true; readonly value: MapperPackage }
  | { readonly ok: false; readonly faults: readonly Fault[] } {
  const checked = checkDocument(packageSchema, source, file);
  if (!checked.ok) return checked;
  const { version, limpet } = checked.value;
  return { ok: true, value: { version, manifest: limpet } };
}

/**
 * What counts on this node: limpet.yaml's word before the package's. A permission object replaces the other whole, so
 * that what an operator wrote is all there is.
 */
export function settle(
  { manifest }: MapperPackage,
  override: Terms | undefined,
  standard: Hosting,
): MapperManifest {
  const merged = { ...manifest, ...defined(override) };
  const { files, ...declared } = merged.permissions ?? {};
  return {
    protocol: manifest.protocol,
    hosting: merged.hosting ?? standard,
    memoryBytes: merged.memory ?? DEFAULTS.memoryBytes,
    diskBytes: merged.disk ?? DEFAULTS.diskBytes,
    importance: merged.importance ?? DEFAULTS.importance,
    permissions: {
      ...NO_PERMISSIONS,
      ...(defined(declared) as Partial<Permissions>),
      files: { read: files?.read ?? [], write: files?.write ?? [] },
    },
  };
}

function defined<T extends object>(value: T | undefined): Partial<T> {
  const entries = Object.entries(value ?? {}).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
