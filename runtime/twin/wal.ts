/** The store's write-ahead log, as who reckons with it needs it: without opening any store. */

/**
 * What a WAL takes beside its file. Nobody else can read the file, so each checkpoint ends and the WAL begins anew:
 * it holds what one checkpoint waits for and the transaction that passes that mark. A transaction larger than 4 MiB
 * (a whole folder of manifests) exceeds it until the next write.
 */
export const WAL_BYTES = 8 * 2 ** 20;
