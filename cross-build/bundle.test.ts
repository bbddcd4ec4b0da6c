import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packArchive } from '../cli/mapper/tar.ts';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import { systemClock } from '#runtime/kernel/clock.ts';
import { MapperProcess } from '#runtime/mapper/process/mapper-process.ts';
import { bundleEdge, isTarget } from './bundle.ts';

// Without one Node goes on above the bundle, which a confined mapper may not read: loading a serial line's add-on, the
// Modbus mapper was then shown as one that reached for what it may not have.
test('whoever looks for the package of a bundled file finds it in the bundle', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-bundle-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const target = `${process.platform}-${process.arch}`;
  if (!isTarget(target)) return t.skip(`no bundle is made for ${target}`);
  const edge = path.join(folder, 'edge');
  await bundleEdge(target, edge);
  const found = findPackageJSON('.', pathToFileURL(path.join(edge, 'limpet-mapper.mjs')));
  assert.equal(found, path.join(edge, 'package.json'));
});

test('a mapper of a folder that brings nothing finds the doors of the DMI in the bundle', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-doors-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const target = `${process.platform}-${process.arch}`;
  if (!isTarget(target)) return t.skip(`no bundle is made for ${target}`);
  const edge = path.join(folder, 'edge');
  await bundleEdge(target, edge);
  const module = path.join(folder, 'mapper.mjs');
  await writeFile(module, DOORS);
  const child = await MapperProcess.start({
    command: {
      file: process.execPath,
      args: [
        path.join(edge, 'limpet-mapper.mjs'),
        '--protocol=doors',
        `--module=${pathToFileURL(module).href}`,
      ],
      env: {},
      cwd: folder,
    },
    protocol: 'doors',
    clock: systemClock,
    log: silentLog(),
  });
  t.after(() => child.stop(1_000));
  const shape = { name: 'p', type: 'float', access: 'read' } as const;
  assert.equal(await child.mapper.fits?.({}, shape), 'object object true');
});

test('a board installs and removes a packed mapper with the bundle alone', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-board-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const target = `${process.platform}-${process.arch}`;
  if (!isTarget(target)) return t.skip(`no bundle is made for ${target}`);
  const edge = path.join(folder, 'edge');
  await bundleEdge(target, edge);
  const manifest = {
    version: '1.2.3',
    type: 'module',
    exports: './m.mjs',
    limpet: { protocol: 'doors' },
  };
  const files = [
    { name: 'package.json', bytes: Buffer.from(JSON.stringify(manifest)) },
    { name: 'm.mjs', bytes: Buffer.from(DOORS) },
  ];
  await writeFile(path.join(folder, 'doors.tgz'), packArchive(files));
  await mkdir(path.join(folder, 'mappers'));
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const command = [path.join(edge, 'limpet-install.mjs'), ...args, '--edge', 'mappers', '--json'];
    const options = { cwd: folder, env: { PATH: process.env['PATH'] } };
    const { stdout } = await promisify(execFile)(process.execPath, command, options);
    return JSON.parse(stdout);
  };
  const told = { protocol: 'doors', version: '1.2.3', folder: path.join(folder, 'mappers/doors') };
  assert.deepEqual(await run('doors.tgz'), told);
  assert.deepEqual(await run('--remove', 'doors'), told);
  await assert.rejects(run('none.tgz'), /FILE_UNREADABLE/);
  const file = path.join(edge, 'limpet-install.mjs');
  const help = await promisify(execFile)(process.execPath, [file, '--help']);
  assert.match(
    help.stdout,
    /^node limpet-install\.mjs FILE .*--remove PROTOCOL\nPLACE: limpet\.yaml/,
  );
});

/** Declares nothing: what the doors themselves need, they may. */
const DOORS = `
  import { defineMapper, Unreachable } from '@limpet/dmi';
  import { Http, httpVisitor } from '@limpet/dmi/http';
  import { Line, lineVisitor } from '@limpet/dmi/line';
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
  const gone = await Line.open('tcp://x:1', {
    clock: { after: () => () => {} },
    dial: () => Promise.reject(new Unreachable('X', 'x')),
  }, {}, AbortSignal.timeout(1000)).catch((error) => error instanceof Unreachable);
  export default defineMapper({
    protocol: 'doors', settings: any, visitor: any,
    fits: () => typeof httpVisitor + ' ' + typeof lineVisitor + ' ' + gone,
    connect: () => Http.open('', {}, {}),
  });
`;
