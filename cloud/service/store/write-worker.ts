/** The thread that carries out whole transactions on a SQLite file. */
import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { isFault } from './errors.ts';
import { tuneWriter } from './open.ts';
import { type Note, SqliteConnection } from './sqlite-connection.ts';
import type { Crossed, WriteAnswer } from './write-thread.ts';
import { stepBack } from './step-back.ts';

stepBack();
const db = new Sqlite(workerData as string, { timeout: 2000 });
tuneWriter(db);
db.pragma('synchronous = FULL');
const connection = new SqliteConnection(db);

parentPort?.on('message', (notes: readonly Note[]) => {
  void carryOut(notes).then((answer) => parentPort?.postMessage(answer));
});

async function carryOut(notes: readonly Note[]): Promise<WriteAnswer> {
  try {
    await connection.run('BEGIN IMMEDIATE');
    for (const note of notes) connection.write(note);
    await connection.run('COMMIT');
    return { kept: true };
  } catch (error) {
    if (db.inTransaction) await connection.run('ROLLBACK');
    return { kept: false, spoiled: isFault(error), error: crossed(error) };
  }
}

function crossed(error: unknown): Crossed {
  if (!(error instanceof Error)) return { name: 'Error', code: undefined, message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: error.name, code, message: error.message };
}
