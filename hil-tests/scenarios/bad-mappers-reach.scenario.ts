/**
 * Promise: a mapper that reaches for what it was not given (files, sockets, processes) does not get it; the refusal is
 * seen, and nobody else is hurt.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Yard } from '../mappers/yard.ts';
import { until } from '../rig/until.ts';

let yard: Yard;
let pid: number;
let server: Server;
let visits = 0;

before(async () => {
  server = createServer((_, answer) => answer.end()).listen(0, '127.0.0.1');
  server.on('connection', () => (visits += 1));
  await once(server, 'listening');
  yard = await Yard.open();
  pid = yard.pid;
});
after(async () => {
  server.close();
  await yard.close();
});

test('a mapper writes no file but in its own folder, and each attempt is told', async (t) => {
  const files = [
    path.join(yard.rig.edgeData, 'twins.db-evil'),
    path.join(yard.rig.edgeData, 'mappers/neighbour/evil'),
    path.join(yard.mappers, 'offender/evil.mjs'),
    `/tmp/limpet-evil-${process.pid}`,
  ];
  const order = files.join(',');
  const { reason } = await yard.suffers(t, {
    offence: 'write-file',
    order,
    code: 'MAPPER_DENIED',
    outcome: 'runs on',
  });
  for (const file of files) assert.ok(!existsSync(file), file);
  assert.match(reason?.message ?? '', /4 times, last: FileSystemWrite \/tmp\/limpet-evil/);
  assert.equal(yard.pid, pid);
});

test('a mapper opens no connection that it did not declare, by whatever door', async (t) => {
  const { port } = server.address() as AddressInfo;
  await yard.suffers(t, {
    offence: 'dial-out',
    order: String(port),
    code: 'MAPPER_DENIED',
    outcome: 'runs on',
  });
  await until(() => (said().endsWith(' reached by: ') ? undefined : said()));
  assert.equal(visits, 0);
  yard.install('dial-out', { permissions: { network: [`127.0.0.1:${port}`] } });
  await yard.serves();
  await yard.order(String(port));
  await until(() => (said().includes('dial') ? undefined : said()));
  assert.ok(visits > 0, 'declared, it is open');
});

test('a mapper starts, reads, signals and debugs nothing that is not its own', async (t) => {
  const { folder } = yard.rig;
  writeFileSync(path.join(folder, 'token'), 'secret');
  await yard.suffers(t, {
    offence: 'meddle',
    order: folder,
    code: 'MAPPER_DENIED',
    outcome: 'runs on',
  });
  await until(() => (said().endsWith(' could: ') ? undefined : said()));
  assert.equal(yard.pid, pid);
});

function said(): string {
  return String(yard.reported('said')['value']);
}
