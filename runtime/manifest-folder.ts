/**
 * The folder of manifests that a node has of its own. Read at start, when a file in it changes and on
 * request. What is wrong is told with its place and stops nothing else; while anything is wrong, nothing
 * is removed, so a slip of the pen takes no device away.
 */
import { type FSWatcher, opendirSync, readFileSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import type { Clock, Log } from '@limpet/dmi';
import {
  type Device,
  type DeviceModel,
  type Fault,
  formatFaults,
  idOf,
  type Located,
  parseManifests,
} from '@limpet/dmi/manifest';
import type { ApplyOptions } from './twin/store.ts';

/** Where the manifests go. */
interface ManifestTarget {
  applyManifest(
    docs: readonly (Device | DeviceModel)[],
    source: string,
    options: ApplyOptions,
  ): void;
}

export interface ManifestFolderOptions {
  readonly folder: string;
  readonly node: string;
  readonly target: ManifestTarget;
  /** Whether the store began empty: see `ApplyOptions.refill`. Counts for the first reading. */
  readonly refill?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** What reading may take at once. */
  readonly limits: ManifestLimits;
}

/** What the folder may be, so that reading it fits into the core's memory. */
export interface ManifestLimits {
  /** Of all files together. */
  readonly bytes: number;
  /** Words and signs of one YAML document. */
  readonly lexemes: number;
}

/** An editor saves in several steps; one reading after the last of them is enough. */
const SETTLE_MS = 300;
/** Files larger than this are refused unread. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 1_000;
/** Entries looked at: a folder that was filled by mistake is not listed to its end. */
const MAX_ENTRIES = 10_000;

export class ManifestFolder {
  readonly #options: ManifestFolderOptions;
  #watcher: FSWatcher | undefined;
  #cancel: (() => void) | undefined;
  #refill: boolean;

  constructor(options: ManifestFolderOptions) {
    this.#options = options;
    this.#refill = options.refill ?? false;
  }

  /** Applies what is there now, then follows changes. Returns the faults of this first reading. */
  start(): readonly Fault[] {
    const { folder, clock, log } = this.#options;
    try {
      this.#watcher = watch(folder, () => {
        this.#cancel?.();
        this.#cancel = clock.after(SETTLE_MS, () => this.apply());
      });
      this.#watcher.on('error', (error) => {
        log.warn('manifests folder no longer watched: send SIGHUP after a change', { error });
      });
    } catch (error) {
      log.warn('manifests folder cannot be watched: send SIGHUP after a change', { folder, error });
    }
    return this.apply();
  }

  stop(): void {
    this.#cancel?.();
    this.#watcher?.close();
  }

  /** Reads the folder again; returns (and logs) what is wrong in it. */
  apply(): readonly Fault[] {
    const { folder, node, target, clock, log, limits } = this.#options;
    const { resources, writtenAt, faults } = readFolder(folder, node, limits);
    for (const fault of faults) log.error('manifest refused', { fault: formatFaults([fault]) });
    try {
      target.applyManifest(resources, `folder:${folder}`, {
        prune: faults.length === 0,
        refill: this.#refill,
        writtenAt: (doc) => writtenAt.get(doc) ?? clock.now(),
      });
      this.#refill = false;
      log.info('manifests applied', { folder, resources: resources.length, faults: faults.length });
    } catch (error) {
      log.error('manifests not applied: they are read again at the next change', { folder, error });
    }
    return faults;
  }
}

interface Read {
  readonly resources: (Device | DeviceModel)[];
  readonly writtenAt: Map<Device | DeviceModel, number>;
  readonly faults: Fault[];
}

function readFolder(folder: string, node: string, limits: ManifestLimits): Read {
  const read: Read = { resources: [], writtenAt: new Map(), faults: [] };
  const seen = new Map<string, Located>();
  let room = limits.bytes;
  for (const file of listFiles(folder, read.faults)) {
    const parsed = readFile(file, { ...limits, bytes: room });
    room -= parsed.bytes;
    read.faults.push(...parsed.faults);
    for (const located of parsed.resources) {
      const fault = misplaced(located, node, seen);
      const { resource } = located;
      if (fault !== undefined) {
        read.faults.push(fault);
      } else if (resource.kind === 'Device' || resource.kind === 'DeviceModel') {
        read.resources.push(resource);
        read.writtenAt.set(resource, parsed.modifiedMs);
      }
    }
  }
  return read;
}

function listFiles(folder: string, faults: Fault[]): string[] {
  try {
    const { names, more } = entriesOf(folder);
    const files = names
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .toSorted()
      .map((name) => path.join(folder, name));
    if (files.length > MAX_FILES || more) {
      const found = more ? `more than ${MAX_ENTRIES} entries` : `${files.length} manifest files`;
      const message = `holds ${found}; at most ${MAX_FILES} files are read: put several resources into one file`;
      faults.push({ file: folder, path: '', code: 'MANIFESTS_TOO_MANY', message });
    }
    return files.slice(0, MAX_FILES);
  } catch (error) {
    faults.push(unreadable(folder, error));
    return [];
  }
}

/** Read one by one: a list of a million names would take the memory of everything else. */
function entriesOf(folder: string): { readonly names: string[]; readonly more: boolean } {
  const names: string[] = [];
  const open = opendirSync(folder);
  try {
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) {
      if (names.length === MAX_ENTRIES) return { names, more: true };
      names.push(entry.name);
    }
    return { names, more: false };
  } finally {
    open.closeSync();
  }
}

type ReadFile = ReturnType<typeof parseManifests> & {
  readonly modifiedMs: number;
  readonly bytes: number;
};

function readFile(file: string, room: ManifestLimits): ReadFile {
  const none = { resources: [], modifiedMs: 0, bytes: 0 };
  try {
    const { size, mtimeMs } = statSync(file);
    if (size > room.bytes && size <= MAX_FILE_BYTES) {
      const message = `is beyond what all manifests of the folder together may have on this node (${room.bytes} bytes are left): remove what is not needed, or raise memory.core in limpet.yaml`;
      return { ...none, faults: [{ file, path: '', code: 'MANIFESTS_TOO_LARGE', message }] };
    }
    if (size <= MAX_FILE_BYTES) {
      const parsed = parseManifests(readFileSync(file, 'utf8'), file, room.lexemes);
      return { ...parsed, modifiedMs: mtimeMs, bytes: size };
    }
    const message = `is ${size} bytes; at most ${MAX_FILE_BYTES} are read: split it`;
    return { ...none, faults: [{ file, path: '', code: 'MANIFEST_TOO_LARGE', message }] };
  } catch (error) {
    return { ...none, faults: [unreadable(file, error)] };
  }
}

function unreadable(file: string, error: unknown): Fault {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const message = `cannot be read (${code}): check that it exists and who may read it`;
  return { file, path: '', code: 'MANIFEST_UNREADABLE', message };
}

/** What parsing one file cannot see: the same resource in another file, or a device of another node. */
function misplaced(located: Located, node: string, seen: Map<string, Located>): Fault | undefined {
  const { resource } = located;
  const key = `${resource.kind} ${idOf(resource)}`;
  const earlier = seen.get(key);
  if (earlier !== undefined) {
    const message = `${key} already stands in ${earlier.file}:${earlier.line}: keep one of them`;
    return {
      ...located.locate('metadata.name'),
      path: 'metadata.name',
      code: 'RESOURCE_DUPLICATE',
      message,
    };
  }
  seen.set(key, located);
  if (resource.kind === 'Rollout') {
    const message = "a rollout is the cloud's: apply it there, with limpet apply";
    return { ...located.locate('kind'), path: 'kind', code: 'ROLLOUT_OF_CLOUD', message };
  }
  if (resource.kind === 'Device' && resource.spec.node !== node) {
    const message = `"node" names another node; this one is ${node}: mend it, or move the file to that node`;
    return {
      ...located.locate('spec.node'),
      path: 'spec.node',
      code: 'DEVICE_OF_OTHER_NODE',
      message,
    };
  }
  return undefined;
}
