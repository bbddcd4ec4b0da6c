/** The thread that looks at all rows: one statement after another, on a connection that cannot write. */
import { parentPort, workerData } from 'node:worker_threads';
import { openReader } from '../store/open.ts';
import { SqliteConnection } from '../store/sqlite-connection.ts';
import type { ScanAnswer, ScanAsked } from './scan-thread.ts';

if (parentPort === null) throw new Error('this is a worker');
const port = parentPort;
const sql = new SqliteConnection(openReader(workerData as string));

const answer = (answered: ScanAnswer): void => port.postMessage(answered);

port.on('message', ({ id, text, values }: ScanAsked) => {
  sql.all(text, ...values).then(
    (rows) => answer({ id, rows }),
    (error: unknown) => answer({ id, fault: String(error) }),
  );
});
