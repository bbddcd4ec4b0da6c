/** For the tests of this folder: a folder that goes away, a clock that stands still, a log that remembers. */
import { type Clock, type Log } from '@limpet/dmi';
import {
  type DesiredRow,
  type Device,
  type DeviceModel,
  type Property,
  type Reported,
  type ResourceRow,
} from '@limpet/dmi/manifest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext } from 'node:test';

export class TestClock implements Clock {
  wall: number;
  elapsed = 0;
  readonly #tasks = new Map<symbol, { at: number; task: () => void }>();

  constructor(wall = Date.UTC(2026, 10, 21)) {
    this.wall = wall;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('the twin store never sleeps'));
  }

  after(ms: number, task: () => void): () => void {
    const key = Symbol('task');
    this.#tasks.set(key, { at: this.elapsed + ms, task });
    return () => void this.#tasks.delete(key);
  }

  advance(ms: number): void {
    const until = this.elapsed + ms;
    for (;;) {
      const due = [...this.#tasks]
        .filter(([, { at }]) => at <= until)
        .toSorted(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#tasks.delete(due[0]);
      this.#move(due[1].at);
      due[1].task();
    }
    this.#move(until);
  }

  #move(elapsed: number): void {
    this.wall += elapsed - this.elapsed;
    this.elapsed = elapsed;
  }
}

export interface TestLog extends Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
}

export function testLog(): TestLog {
  const lines: TestLog['lines'] = [];
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, message, fields });
  const log: TestLog = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: () => log,
  };
  return log;
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'limpet-twin-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function model(name: string, properties: readonly (Partial<Property> | string)[]) {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol: 'modbus',
      properties: properties.map((each) => ({
        type: 'float',
        access: 'readWrite',
        visitor: {},
        name: 'x',
        ...(typeof each === 'string' ? { name: each } : each),
      })),
    },
  } satisfies DeviceModel as DeviceModel;
}

export function device(name: string, of: string, desired?: Device['spec']['desired']): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: { model: of, node: 'gateway-1', settings: {}, ...(desired && { desired }) },
  };
}

export function row(doc: Device | DeviceModel, rev: number): ResourceRow {
  return { kind: 'resource', type: doc.kind, id: `default/${doc.metadata.name}`, rev, doc };
}

export function gone(type: ResourceRow['type'], name: string, rev: number): ResourceRow {
  return { kind: 'resource', type, id: `default/${name}`, rev, doc: null };
}

export function desired(
  target: string,
  value: DesiredRow['value'],
  rev: number,
  more: Partial<DesiredRow> = {},
): DesiredRow {
  const [name, property] = target.split('.');
  return {
    kind: 'desired',
    device: `default/${name}`,
    property: property as string,
    value,
    rev,
    accepted: 1,
    ...more,
  };
}

export function good(value: Reported['value'], at: number): Reported<number> {
  return { value, at, quality: 'good' };
}
