/** `limpet mapper …`: everything from a new mapper to a board that runs it. */
import { type Command, Option } from 'commander';
import { usage } from '../cli-error.ts';
import type { Act } from './verb.ts';

interface Json {
  readonly json?: true;
}

export interface NewOptions extends Json {
  readonly line?: true;
  readonly http?: true;
  readonly bytes?: true;
  readonly dir?: string;
}

export interface DevOptions extends Json {
  readonly example?: string;
  readonly settings?: string;
  readonly set?: readonly string[];
  readonly every?: number;
  readonly verbose?: true;
}

export interface TestOptions extends Json {
  readonly example?: string;
  readonly faults?: number;
  readonly seed?: number;
  readonly junit?: string;
}

export interface DescribeOptions extends Json {
  readonly jsonSchema?: true;
  readonly form?: true;
  readonly table?: true;
  readonly model?: true;
}

export interface PackOptions extends Json {
  readonly out?: string;
}

export interface InstallOptions extends Json {
  readonly edge: string;
}

export function declareMapper(program: Command, act: Act): void {
  const mapper = program
    .command('mapper')
    .description('write a mapper: a new one, live against its simulator, tested, packed, installed')
    .addHelpText(
      'after',
      `
Examples:
  limpet mapper new supply --line       a folder that works at once
  cd limpet-mapper-supply && limpet mapper dev`,
    );
  declareNew(mapper, act);
  declareDev(mapper, act);
  declareTest(mapper, act);
  declareDescribe(mapper, act);
  declarePack(mapper, act);
  declareInstall(mapper, act);
}

function declareNew(mapper: Command, act: Act): void {
  mapper
    .command('new')
    .description('write a new mapper: one source file with its simulator, its test and an example')
    .argument('<name>', 'of the protocol: lower-case letters, digits and "-"')
    .addOption(
      new Option('--line', 'questions and answers in lines of text (default)').conflicts([
        'http',
        'bytes',
      ]),
    )
    .addOption(new Option('--http', 'JSON over HTTP').conflicts('bytes'))
    .option('--bytes', 'frames of bytes')
    .option('--dir <folder>', 'where to; default limpet-mapper-NAME')
    .option('--json', 'what was written, as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limpet mapper new supply\n  limpet mapper new plug --http --dir mappers/plug',
    )
    .action((name: string, options: NewOptions) =>
      act(async () => (await import('../mapper/new.ts')).runNew(name, options)),
    );
}

function declareDev(mapper: Command, act: Act): void {
  mapper
    .command('dev')
    .description('run a mapper against its simulator, live, and again each time you save')
    .argument('[file]', 'the mapper, or its folder; default this one')
    .option('--example <file>', 'model and device to show; default example.yaml beside the mapper')
    .option('--set <name=value...>', 'a setting: the real device then, not the simulator')
    .option('--settings <file>', 'settings, as YAML: the real device then, not the simulator')
    .option('--every <ms>', 'how often it is read; default 500', milliseconds)
    .option('--verbose', 'the log of the mapper on standard error')
    .option('--json', 'lines of JSON: first, values, typed, reloaded, broken')
    .addHelpText(
      'after',
      `
Examples:
  limpet mapper dev                                  then type: setpoint=12, cut, silence, refuse setpoint
  limpet mapper dev --set address=tcp://10.0.0.5:5025`,
    )
    .action((file: string | undefined, options: DevOptions) =>
      act(async () => (await import('../mapper/dev/run.ts')).runDev(file, options)),
    );
}

function declareTest(mapper: Command, act: Act): void {
  mapper
    .command('test')
    .description(
      'try each promise of the device mapper interface (DMI-001, …) on a mapper and its simulator',
    )
    .argument('[file]', 'the mapper, or its folder; default this one')
    .option('--example <file>', 'model and device to try; default example.yaml beside the mapper')
    .option('--faults <number>', 'how many random faults are tried', count('--faults'))
    .option('--seed <number>', 'where the random faults begin', count('--seed'))
    .option('--junit <file>', 'also as JUnit XML, into this file')
    .option('--json', 'a line of JSON for each promise, and one for all')
    .addHelpText(
      'after',
      `
Examples:
  limpet mapper test
  limpet mapper test mappers/plug --faults 1000 --junit report.xml

What the example does not say (a visitor that the device refuses, a checksum), subject.ts beside the mapper does:
  export const subject = { refused: { ask: 'NO:SUCH?' } };`,
    )
    .action((file: string | undefined, options: TestOptions) =>
      act(async () => (await import('../mapper/conformance.ts')).runTest(file, options)),
    );
}

function declareDescribe(mapper: Command, act: Act): void {
  const others = ['form', 'table', 'model', 'json'];
  mapper
    .command('describe')
    .description(
      'what a mapper takes, out of its declaration: tables, JSON Schema, a form, a first model',
    )
    .argument('[file]', 'the mapper, or its folder; default this one')
    .option('--table', 'settings and visitor as Markdown (default)')
    .addOption(new Option('--json-schema', 'as JSON Schema 2020-12').conflicts(others))
    .addOption(
      new Option('--form', 'as fields of a form, in JSON').conflicts(['table', 'model', 'json']),
    )
    .addOption(
      new Option('--model', 'a DeviceModel and a Device to begin with, as YAML').conflicts([
        'table',
        'json',
      ]),
    )
    .option('--json', 'all of it, as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limpet mapper describe mappers/modbus\n  limpet mapper describe --model > device.yaml',
    )
    .action((file: string | undefined, options: DescribeOptions) =>
      act(async () => (await import('../mapper/describe/run.ts')).runDescribe(file, options)),
    );
}

function declarePack(mapper: Command, act: Act): void {
  mapper
    .command('pack')
    .description('bundle a mapper and all it imports into one file, which a board installs offline')
    .argument('[dir]', "the mapper's folder; default this one")
    .option('--out <file>', 'default NAME-VERSION.tgz in this folder')
    .option('--json', 'what was made, as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limpet mapper pack\n  limpet mapper pack mappers/plug --out plug.tgz',
    )
    .action((dir: string | undefined, options: PackOptions) =>
      act(async () => (await import('../mapper/pack.ts')).runPack(dir, options)),
    );
}

const EDGE = "the edge's limpet.yaml, the folder that holds it, or its mapperFolder";

function declareInstall(mapper: Command, act: Act): void {
  mapper
    .command('install')
    .description('put a packed mapper onto an edge: checked first, whole or not at all')
    .argument('<file>', 'what limpet mapper pack made')
    .option('--edge <place>', EDGE, '.')
    .option('--json', 'what was done, as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limpet mapper install limpet-mapper-plug-0.1.0.tgz --edge limpet.yaml',
    )
    .action((file: string, options: InstallOptions) =>
      act(async () => (await import('../mapper/install/run.ts')).runInstall(file, options)),
    );
  mapper
    .command('remove')
    .description('take an installed mapper away')
    .argument('<protocol>', 'its name')
    .option('--edge <place>', EDGE, '.')
    .option('--json', 'what was done, as JSON')
    .addHelpText('after', '\nExamples:\n  limpet mapper remove plug --edge limpet.yaml')
    .action((protocol: string, options: InstallOptions) =>
      act(async () => (await import('../mapper/install/run.ts')).runRemove(protocol, options)),
    );
}

function count(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000) return value;
    throw usage(`${option} must be a whole number from 1 to 1000000, not "${text}".`);
  };
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 10 && value <= 600_000) return value;
  throw usage(`--every must be milliseconds from 10 to 600000, not "${text}".`);
}
