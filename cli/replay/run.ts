/** `limpet replay`. */
import { writeFileSync } from 'node:fs';
import { formatRecording, parseRecording, type Recording } from '@limpet/dmi/testing';
import { CliError } from '../cli-error.ts';
import { processOutput } from '../output.ts';
import { readFileOf } from '../target.ts';
import type { ReplayOptions } from '../verbs/capture.ts';
import { fixtureOf } from './fixture.ts';
import { transcript } from './transcript.ts';

export async function runReplay(file: string, options: ReplayOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const recording = read(file);
  const { header, events, dropped } = recording;
  const fixture = fixtureOf(recording);
  if (options.output !== undefined) write(options.output, formatRecording(fixture));
  if (output.json) {
    const { device, protocol, at } = header;
    const written = options.output ?? null;
    output.printJson({ device, protocol, at, events: events.length, dropped, written });
    return 0;
  }
  for (const line of transcript(recording)) output.print(line);
  if (options.output !== undefined) {
    output.print(`${options.output}: ${fixture.events.length} events, for replayWire() in a test`);
  }
  return 0;
}

function read(file: string): Recording {
  try {
    return parseRecording(readFileOf('replay', file));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const { message } = cause as Error;
    throw new CliError(1, 'RECORDING_INVALID', `${file}: ${message}.`, { cause });
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CliError(1, 'FILE_UNWRITABLE', `${file} cannot be written (${code}).`, { cause });
  }
}
