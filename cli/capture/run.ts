/** `limpet capture`. */
import { randomUUID } from 'node:crypto';
import { closeSync, fchmodSync, openSync, writeSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '@limpet/dmi';
import { type CapturePage, type Device, type DeviceModel, duration } from '@limpet/dmi/manifest';
import packageJson from '../../package.json' with { type: 'json' };
import type { Api } from '../api.ts';
import { CliError, usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { modelOf } from '../get/run.ts';
import { parseName } from '../names.ts';
import { processOutput } from '../output.ts';
import type { CaptureOptions } from '../verbs/capture.ts';
import { type Counts, record, type Sink, unseenWires } from './record.ts';
import { withoutSecrets } from './secrets.ts';

const EVERY_MS = 250;
const MAX_MS = 24 * 3_600_000;
/** Ctrl-C, `timeout`, a session that is closed: what was recorded is whole. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function runCapture(name: string, options: CaptureOptions): Promise<number> {
  const target = { kind: 'Device', ...parseName(name, options.namespace) } as const;
  const forMs = milliseconds(options.for);
  return withApi(options, async (api) => {
    const device = (await api.get(target)) as Device;
    const model = await modelOf(api, device);
    const json = options.json === true;
    const file = options.output ?? `${target.name}.capture.jsonl`;
    const capture = `c${randomUUID().replaceAll('-', '')}`;
    // Before the file, so that what cannot be recorded leaves none.
    const first = await fetched(api, target, capture);
    const unseen = unseenWires(device, first);
    if (unseen !== undefined) throw new CliError(1, 'CAPTURE_UNSUPPORTED', unseen);
    const sink = openSink(json && options.output === undefined ? undefined : file);
    try {
      sink.write(JSON.stringify(headerOf(device, model)));
      warn(json ? undefined : file);
      const counts = await record(pagesOf({ api, target, capture }, first, forMs), sink);
      if (!json) summarize(counts, file);
      if ('failure' in counts) throw counts.failure;
    } finally {
      sink.close();
    }
    return 0;
  });
}

type Target = Parameters<Api['capture']>[0];

/** Until the time is over, or somebody ends it. */
async function* pagesOf(
  {
    api,
    target,
    capture,
  }: { readonly api: Api; readonly target: Target; readonly capture: string },
  first: CapturePage,
  forMs: number,
): AsyncGenerator<CapturePage> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ENDS) process.once(signal, end);
  const until = performance.now() + forMs;
  try {
    yield first;
    let page = first;
    while (page.more || (performance.now() < until && !stop.signal.aborted)) {
      const left = Math.min(EVERY_MS, Math.max(0, until - performance.now()));
      if (!page.more) await delay(left, undefined, { signal: stop.signal }).catch(() => undefined);
      page = await fetched(api, target, capture);
      yield page;
    }
  } finally {
    for (const signal of ENDS) process.off(signal, end);
  }
}

async function fetched(api: Api, target: Target, capture: string): Promise<CapturePage> {
  try {
    return await api.capture(target, capture);
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== 'ApiError' || !message.startsWith('the server has nothing at')) throw error;
    const old = 'whoever was asked runs a Limpet without captures: update it.';
    throw new CliError(1, 'CAPTURE_UNSUPPORTED', old, { cause: error });
  }
}

function headerOf({ metadata, spec }: Device, model: DeviceModel | undefined): object {
  return {
    limpet: 'capture',
    version: 1,
    device: `${metadata.namespace ?? 'default'}/${metadata.name}`,
    protocol: model?.spec.protocol ?? '',
    settings: withoutSecrets((spec.settings ?? {}) as { readonly [key: string]: Json }),
    properties: (model?.spec.properties ?? []).map(({ name, type, access, unit, visitor }) => {
      return { name, type, access: access ?? 'read', ...(unit && { unit }), visitor };
    }),
    at: new Date().toISOString(),
    by: packageJson.version,
  };
}

/** A file that only its owner may read, or standard output. */
function openSink(file: string | undefined): Sink {
  if (file === undefined) {
    return { write: (line) => void process.stdout.write(`${line}\n`), close: () => undefined };
  }
  let handle: number;
  try {
    handle = openSync(file, 'w', 0o600);
    // One that was there keeps its mode.
    fchmodSync(handle, 0o600);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    const message = `${file} cannot be written (${code}): name another file with -o.`;
    throw new CliError(1, 'FILE_UNWRITABLE', message, { cause });
  }
  return { write: (line) => void writeSync(handle, `${line}\n`), close: () => closeSync(handle) };
}

function warn(file: string | undefined): void {
  const where = file === undefined ? 'this' : file;
  process.stderr.write(
    `limpet: what goes over a wire may hold passwords: give ${where} to nobody unread\n`,
  );
}

function summarize({ wires, bytes, dropped, restarts }: Counts, file: string): void {
  const output = processOutput(false);
  output.print(`${file}: ${bytes} bytes over ${wires} ${wires === 1 ? 'wire' : 'wires'}`);
  if (restarts > 0) {
    output.print(
      `it began anew ${restarts} times (the mapper or the edge was restarted, or nobody asked for 10 s): what went over the wire between is missing`,
    );
  }
  if (bytes === 0) output.print('nothing went over the wire: is the device reached at all?');
  if (dropped.events === 0) return;
  output.print(
    `${dropped.events} events (${dropped.bytes} bytes) were lost: more than 1 MiB waited`,
  );
}

function milliseconds(text: string): number {
  const ms = duration(text);
  if (ms !== undefined && ms > 0 && ms <= MAX_MS) return ms;
  throw usage(`--for must be a duration such as 10s or 5m, at most 24h; found "${text}".`);
}
