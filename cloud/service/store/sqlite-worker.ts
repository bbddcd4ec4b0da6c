/** The thread that writes: carries out one statement after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { type OpenFiles, openFiles } from './open.ts';
import { SqliteWriter } from './sqlite-connection.ts';
import type { Answered, Asked, Crossed, Started } from './sqlite-thread.ts';

if (parentPort === null) throw new Error('this is a worker');
const port = parentPort;

const begun = (started: Started): void => port.postMessage(started);
const answer = (answered: Answered): void => port.postMessage(answered);

try {
  const opened = openFiles(workerData as string);
  const writer = new SqliteWriter(opened.db);
  /** Why the transaction cannot go on: what comes of it until the rollback must not be a transaction of its own. */
  let broken: Crossed | undefined;
  const take = async (asked: Asked): Promise<void> => {
    const { id, op } = asked;
    if (op === 'rollback' || op === 'close') broken = undefined;
    if (broken) {
      if (id > 0) answer({ id, error: broken });
      return;
    }
    try {
      const value = await carryOut(writer, asked, opened);
      if (id > 0) answer({ id, value });
    } catch (error) {
      if (id > 0) answer({ id, error: crossed(error) });
      else broken = crossed(error);
    }
  };
  const takeAll = async (all: readonly Asked[]): Promise<void> => {
    for (const asked of all) await take(asked);
  };
  port.on('message', (all: readonly Asked[]) => void takeAll(all));
  begun({ open: true });
} catch (error) {
  begun({ open: false, error: crossed(error) });
}

async function carryOut(writer: SqliteWriter, asked: Asked, opened: OpenFiles): Promise<unknown> {
  switch (asked.op) {
    case 'all':
      return writer.all(asked.text, ...asked.values);
    case 'run':
      return writer.run(asked.text, ...asked.values);
    case 'put':
      return writer.put(asked.table, asked.rows);
    case 'find':
      return writer.find(asked.table, asked.keys);
    case 'close':
      return opened.close();
    case 'begin':
    case 'commit':
    case 'rollback':
    case 'savepoint':
    case 'release':
    case 'back':
      return writer[asked.op]();
  }
}

function crossed(error: unknown): Crossed {
  if (!(error instanceof Error)) return { name: 'Error', code: undefined, message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: error.name, code, message: error.message };
}
