/** What keeps the twin store from doing what it was asked. Nothing was acknowledged and nothing changed in memory. */
export type StoreErrorCode =
  /** No room on the disk, or the file has reached its ceiling. */
  | 'DISK_FULL'
  /** The disk or its file system fails. */
  | 'DISK_IO'
  /** The file is damaged; the next start sets it aside. */
  | 'DISK_CORRUPT'
  /** Another edge runs on this file. */
  | 'STORE_LOCKED'
  /** The file was written by a newer Limpet. */
  | 'SCHEMA_NEWER'
  /** The file is a database, but not one of ours. */
  | 'NOT_A_STORE'
  /** The order names a device that this edge does not run. */
  | 'UNKNOWN_DEVICE';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
