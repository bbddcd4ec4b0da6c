/** `limpet call`. */
import type { Json } from '@limpet/dmi';
import { type Device, duration, MAX_CALL_TIMEOUT_MS, type Method } from '@limpet/dmi/manifest';
import type { StatusDetails } from '../../cloud/protocol/api/status.ts';
import type { Api, Document } from '../api.ts';
import { CliError, usage } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { modelOf } from '../get/run.ts';
import { parseName } from '../names.ts';
import { type Output, processOutput } from '../output.ts';
import type { CallOptions } from '../verbs/call.ts';
import { parseInput } from './input.ts';

export async function runCall(
  asked: {
    readonly device: string;
    readonly method: string | undefined;
    readonly words: readonly string[];
  },
  options: CallOptions,
): Promise<number> {
  const { method } = asked;
  const target = { kind: 'Device', ...parseName(asked.device, options.namespace) } as const;
  const timeoutMs = milliseconds(options.timeout);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const device = (await api.get(target)) as Device;
    const model = await modelOf(api, device);
    if (method === undefined) {
      list(`${target.namespace}/${target.name}`, model?.spec.methods ?? [], output);
      return 0;
    }
    const known = model?.spec.methods?.find(({ name }) => name === method);
    const input = parseInput(known, asked.words);
    const given = await ask(api, { target, method, input, timeoutMs });
    show({ name: `${target.namespace}/${target.name}`, method, known }, given, output);
    return 0;
  });
}

interface Call {
  readonly target: Parameters<Api['call']>[0];
  readonly method: string;
  readonly input: Document;
  readonly timeoutMs: number;
}

async function ask(api: Api, { target, ...asked }: Call): Promise<Document> {
  try {
    return await api.call(target, asked);
  } catch (error) {
    const { name, message, details } = error as Error & { readonly details?: StatusDetails };
    if (name !== 'ApiError') throw error;
    if (details?.call !== undefined) {
      const { code, at, ran } = details.call;
      throw new CliError(1, code, /[.?]$/.test(message) ? message : `${message}.`, {
        cause: error,
        details: { at, ran },
      });
    }
    // The path itself is not there: whoever was asked is older than calls.
    if (!message.startsWith('the server has nothing at')) throw error;
    const old = 'whoever was asked runs a Limpet without method calls: update it.';
    throw new CliError(1, 'CALL_UNSUPPORTED', old, { cause: error });
  }
}

function list(device: string, methods: readonly Method[], output: Output): void {
  if (output.json) {
    const told = methods.map(({ name, description, input = [], output: gives = [] }) => {
      return { name, description, input, output: gives };
    });
    output.printJson({ device, methods: told });
    return;
  }
  if (methods.length === 0) output.note(`${device} has no methods.`);
  const words = (of: Method['input'] = []): string =>
    of
      .map(({ name, type, unit }) => `${name}:${type}${unit === undefined ? '' : ` ${unit}`}`)
      .join(', ');
  for (const { name, input, output: gives, description } of methods) {
    const result = gives === undefined || gives.length === 0 ? '' : ` → ${words(gives)}`;
    output.print(
      `${name}(${words(input)})${result}${description === undefined ? '' : `  ${description}`}`,
    );
  }
}

function show(
  {
    name,
    method,
    known,
  }: { readonly name: string; readonly method: string; readonly known: Method | undefined },
  given: Document,
  output: Output,
): void {
  if (output.json) {
    output.printJson({ device: name, method, output: given });
    return;
  }
  const values = Object.entries(given);
  if (values.length === 0) output.print(`${name} ${method}: done`);
  const width = Math.max(...values.map(([argument]) => argument.length));
  for (const [argument, value] of values) {
    const unit = known?.output?.find((each) => each.name === argument)?.unit;
    output.print(
      `${argument.padEnd(width)} = ${whole(value)}${unit === undefined ? '' : ` ${unit}`}`,
    );
  }
}

/** All of it: whoever calls wants the answer. */
function whole(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function milliseconds(text: string): number {
  const ms = duration(text);
  if (ms !== undefined && ms > 0 && ms <= MAX_CALL_TIMEOUT_MS) return ms;
  throw usage(
    `--timeout must be a duration such as 500ms or 30s, at most ${MAX_CALL_TIMEOUT_MS / 1_000}s; found "${text}".`,
  );
}
