/** What can go wrong with the database, by what follows from it. */

/** The disk refused (full, IO error) or a ceiling was reached: nothing of this write is kept; trying later may work. */
export class StoreFailed extends Error {
  readonly code:
    | 'DISK_FULL'
    | 'DISK_IO'
    | 'DISK_LOST'
    | 'STORE_AWAY'
    | 'STORE_BUSY'
    | 'STORE_CLOSED'
    | 'STORE_CORRUPT'
    | 'STORE_DENIED'
    | 'STORE_MISSING'
    | 'STORE_READ_ONLY'
    | 'STORE_TAKEN';

  constructor(code: StoreFailed['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreFailed';
    this.code = code;
  }
}

/** May be different in a minute, or wants somebody at the database: not a matter of the command line. */
const PASSING: ReadonlySet<string> = new Set([
  'STORE_AWAY',
  'STORE_CORRUPT',
  'STORE_DISK',
  'STORE_LOCKED',
  'STORE_READ_ONLY',
  'STORE_TAKEN',
]);

/** The database cannot be opened. `exit` is the code the process should end with. */
export class StoreUnusable extends Error {
  readonly code:
    | 'STORE_AWAY'
    | 'STORE_CORRUPT'
    | 'STORE_DENIED'
    | 'STORE_DISK'
    | 'STORE_LOCKED'
    | 'STORE_MISSING'
    | 'STORE_NEWER'
    | 'STORE_NOT_OURS'
    | 'STORE_OLD'
    | 'STORE_READ_ONLY'
    | 'STORE_TAKEN'
    | 'STORE_TLS'
    | 'STORE_UNREADABLE'
    | 'STORE_URL';
  readonly exit: 1 | 78;

  constructor(code: StoreUnusable['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnusable';
    this.code = code;
    this.exit = PASSING.has(code) ? 1 : 78;
  }
}

/** The extended result code of SQLite, when `error` came from it. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'SqliteError' || !('code' in error)) return;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A statement was at fault, or what it was given, and not the disk. */
export function isFault(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === undefined || /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/.test(code);
}

/** The same trouble in our words. */
export function storeFailed(error: Error): StoreFailed {
  const code = sqliteCode(error) ?? '';
  if (code.startsWith('SQLITE_FULL')) {
    return new StoreFailed('DISK_FULL', 'The disk of the cloud service is full: free some space.', {
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) {
    return new StoreFailed(
      'STORE_CORRUPT',
      `The database of the cloud service is damaged (${error.message}): stop the service and restore the newest copy.`,
      { cause: error },
    );
  }
  return new StoreFailed(
    'DISK_IO',
    `The disk of the cloud service refused to write (${error.message}): check it and its permissions.`,
    { cause: error },
  );
}

/** Before the start: everything of the database that passes by itself is that it is away. */
export function unusable({ code, message, cause }: StoreFailed): StoreUnusable {
  const same = code === 'STORE_BUSY' || code === 'STORE_CLOSED' ? 'STORE_AWAY' : code;
  const disk =
    same === 'DISK_FULL' || same === 'DISK_IO' || same === 'DISK_LOST' ? 'STORE_DISK' : same;
  return new StoreUnusable(disk, message, { cause });
}
