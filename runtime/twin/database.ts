/**
 * Opens the store's file, alone and sound, or says why not. A damaged file is set aside and a new one begun:
 * what it held comes back from the cloud, the manifests and the devices.
 */
import { type Clock, type Log } from '@limpet/dmi';
import Database from 'better-sqlite3';
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { migrate } from './migrations.ts';
import { StoreError } from './store-error.ts';

export type Opened =
  | { readonly kind: 'created' | 'existing' }
  | { readonly kind: 'recovered'; readonly aside: string };

export interface FileOptions {
  /** Or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ceiling of the file's size; beyond it the disk counts as full. Default 256 MiB. */
  readonly maxBytes?: number;
}

const PAGE = 4_096;
const CHECKPOINT_PAGES = 1_000;
const MAX_BYTES = 256 * 1_048_576;
/** How long a starting edge waits for the one before it to let go of the file. */
const LOCK_WAIT_MS = 1_000;
const MAX_ASIDE = 3;

/** `load` reads the whole content; what it cannot read counts as damage too. */
export function openDatabase<T>(
  options: FileOptions,
  load: (db: Database.Database) => T,
): { db: Database.Database; opened: Opened; loaded: T } {
  const kind = prepareFile(options.path);
  try {
    return { ...openOnce(options, load), opened: { kind } };
  } catch (error) {
    if (!isDamage(error)) throw asStoreError(error, `open ${options.path}`);
    const aside = setAside(options);
    options.log.error('twin store was damaged, begun anew', { aside, error });
    prepareFile(options.path);
    return { ...openOnce(options, load), opened: { kind: 'recovered', aside } };
  }
}

function openOnce<T>(options: FileOptions, load: (db: Database.Database) => T) {
  const db = new Database(options.path, { timeout: LOCK_WAIT_MS });
  try {
    // Exclusive: no second edge on this file, and the WAL's index lives on the heap instead of a shared-memory file.
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    for (const setting of [
      'cache_size = -512',
      'temp_store = MEMORY',
      'mmap_size = 0',
      'synchronous = NORMAL',
      `wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
      `journal_size_limit = ${CHECKPOINT_PAGES * PAGE}`,
      `max_page_count = ${Math.ceil((options.maxBytes ?? MAX_BYTES) / PAGE)}`,
    ]) {
      db.pragma(setting);
    }
    const faults = db.pragma('quick_check(3)', { simple: true });
    if (faults !== 'ok') throw new Damage(String(faults));
    migrate(db);
    return { db, loaded: load(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

class Damage extends Error {}

function isDamage(error: unknown): boolean {
  if (error instanceof Database.SqliteError) {
    return /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(error.code);
  }
  // From `load`: a JSON column that is none, or a column that holds what it never should.
  return error instanceof Damage || error instanceof SyntaxError || error instanceof TypeError;
}

/** Content that lives as long as the process, for tests and trials. */
const IN_MEMORY = ':memory:';

/** Only its owner may read the file: device settings can carry credentials. */
function prepareFile(path: string): 'created' | 'existing' {
  if (path === IN_MEMORY) return 'created';
  try {
    makeFolder(dirname(path));
    closeSync(openSync(path, 'a', 0o600));
    return statSync(path).size === 0 ? 'created' : 'existing';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StoreError(
      code === 'ENOSPC' ? 'DISK_FULL' : 'DISK_IO',
      `cannot create ${path} (${code}): check that the folder exists and may be written by this user`,
      { cause: error },
    );
  }
}

/** Like `mkdir -p`. Node's own recursive mkdir never returns where a parent refuses children, as in /proc. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    makeFolder(dirname(folder));
    mkdirSync(folder, { mode: 0o700 });
  }
}

/**
 * Renames the file and its WAL (which must not be played into the new one); keeps the newest three, as far as they
 * take no more than one whole file may.
 */
function setAside(options: FileOptions): string {
  const stamp = new Date(options.clock.now()).toISOString().replaceAll(/[-:]/g, '');
  const prefix = `${basename(options.path)}.corrupt-`;
  const aside = join(dirname(options.path), `${prefix}${stamp}`);
  renameSync(options.path, aside);
  for (const suffix of ['-wal', '-journal']) {
    if (statSync(options.path + suffix, { throwIfNoEntry: false })) {
      renameSync(options.path + suffix, aside + suffix);
    }
  }
  removeOlder(options, prefix);
  return aside;
}

function removeOlder({ path, log, maxBytes = MAX_BYTES }: FileOptions, prefix: string): void {
  const folder = dirname(path);
  const copies = readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && !/-(wal|journal)$/.test(name))
    .toSorted()
    .toReversed();
  let bytes = 0;
  for (const [index, name] of copies.entries()) {
    const files = ['', '-wal', '-journal'].map((suffix) => join(folder, name + suffix));
    for (const file of files) bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (index === 0 || (index < MAX_ASIDE && bytes <= maxBytes)) continue;
    for (const file of files) rmSync(file, { force: true });
    log.warn('oldest damaged twin store removed', { file: name, kept: index });
  }
}

/** SQLite's errors by what can be done about them; anything else stays what it is: a bug. */
export function asStoreError(error: unknown, doing: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const [code, advice] = reaction(error.code);
  return new StoreError(code, `cannot ${doing} (${error.code}): ${advice}`, { cause: error });
}

function reaction(code: string): [StoreError['code'], string] {
  if (code.startsWith('SQLITE_FULL')) return ['DISK_FULL', 'free some room on the disk'];
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return [
      'DISK_CORRUPT',
      'restart the edge: it sets the damaged file aside and refills a new one',
    ];
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return [
      'STORE_LOCKED',
      'another edge uses this data folder: stop it, or give this one its own',
    ];
  }
  return ['DISK_IO', 'check the disk, its file system and the permissions of the data folder'];
}
