/** A folder with a node's mappers for tests: packages that are written, changed and taken away. */
import { recordingLog } from '@limpet/dmi/testing';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../kernel/clock.ts';
import { MapperHost, type MapperHostOptions } from './host.ts';

/** Source of a mapper; `connect` is the body of its method, `top` stands before it. */
export function source(
  options: { protocol?: string; top?: string; connect?: string } = {},
): string {
  const { protocol = 'knock', top = '', connect = "throw new Error('not here');" } = options;
  return `
    import { defineMapper, Unreachable } from '@limpet/dmi';
    ${top}
    const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
    export default defineMapper({
      protocol: '${protocol}', settings: any, visitor: any,
      async connect(settings, context, signal) { ${connect} },
    });
  `;
}

/** A connection whose reads await this expression of `key`. */
export function reading(expression: string): string {
  return `return {
    read: (visitors) => Promise.all(
      visitors.map(async ({ key }) => ({ ok: true, value: await (${expression}) })),
    ),
    write: async (visitor, value) => value,
    close: async () => undefined,
  };`;
}

export class MapperFolder {
  readonly root: string;
  readonly log = recordingLog();
  /** Protocols that were told as replaced. */
  readonly replaced: string[] = [];

  constructor(t: TestContext) {
    this.root = realpathSync(mkdtempSync(path.join(tmpdir(), 'limpet-mappers-')));
    t.after(() => rmSync(this.root, { recursive: true, force: true, maxRetries: 3 }));
  }

  get mappers(): string {
    return path.join(this.root, 'mappers');
  }

  /** The data folder of the node. */
  get data(): string {
    return path.join(this.root, 'data');
  }

  write(name: string, text: string, limpet: object = {}, version = '1.0.0'): void {
    const folder = path.join(this.mappers, name);
    mkdirSync(folder, { recursive: true });
    const fields = { name, version, type: 'module', exports: './mapper.js' };
    writeFileSync(path.join(folder, 'mapper.js'), text);
    const manifest = { ...fields, limpet: { protocol: name, memory: '64Mi', ...limpet } };
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  }

  /** As a package manager does: the new folder beside it, then in its place. */
  swap(name: string, change: (folder: string) => void): void {
    const [now, next, old] = ['', '.next', '.old'].map((end) =>
      path.join(this.mappers, `${end}${name}`),
    );
    cpSync(now as string, next as string, { recursive: true });
    change(next as string);
    renameSync(now as string, old as string);
    renameSync(next as string, now as string);
    rmSync(old as string, { recursive: true });
  }

  async open(t: TestContext, options: Partial<MapperHostOptions> = {}): Promise<MapperHost> {
    mkdirSync(this.mappers, { recursive: true });
    const { mappers: mapperFolder, data, log } = this;
    const given = { clock: systemClock, log, data, table: {}, terms: { mapperFolder }, ...options };
    const host = await MapperHost.open(given);
    t.after(() => host.stop());
    host.onReplaced((protocol) => this.replaced.push(protocol));
    return host;
  }
}

/** Until it holds; real processes take real time. */
export async function until(what: string, holds: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(20);
  }
}
