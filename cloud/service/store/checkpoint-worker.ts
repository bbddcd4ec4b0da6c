/** The thread that copies the log of a SQLite file into the database, each time it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { stepBack } from './step-back.ts';

stepBack();
const db = new Sqlite(workerData as string, { timeout: 2000 });
parentPort?.on('message', () => {
  db.pragma('wal_checkpoint(PASSIVE)');
  parentPort?.postMessage('copied');
});
