/** What can go wrong with the database, by what follows from it. */

/** The disk refused (full, IO error) or a ceiling was reached: nothing of this write is kept; trying later may work. */
export class StoreFailed extends Error {
  readonly code: 'DISK_FULL' | 'DISK_IO' | 'STORE_BUSY' | 'STORE_CORRUPT' | 'STORE_CLOSED';

  constructor(code: StoreFailed['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreFailed';
    this.code = code;
  }
}

/** The database cannot be opened. `exit` is the code the process should end with. */
export class StoreUnusable extends Error {
  readonly code:
    | 'STORE_NEWER'
    | 'STORE_LOCKED'
    | 'STORE_CORRUPT'
    | 'STORE_NOT_OURS'
    | 'STORE_UNREADABLE';
  readonly exit: 1 | 78;

  constructor(code: StoreUnusable['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnusable';
    this.code = code;
    this.exit = code === 'STORE_CORRUPT' || code === 'STORE_LOCKED' ? 1 : 78;
  }
}

/** The extended result code of SQLite, when `error` came from it. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'SqliteError' || !('code' in error)) return;
  return typeof error.code === 'string' ? error.code : undefined;
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
