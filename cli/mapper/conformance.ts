/** `limpet mapper test`: tries the promises of the device mapper interface on a mapper and its simulator. */
import {
  type Assertion,
  exampleSubject,
  grade,
  runConformance,
  type Subject,
} from '@limpet/dmi/testing';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import { type Output, processOutput } from '../output.ts';
import { cell, layOut, type Tone } from '../render/table.ts';
import type { TestOptions } from '../verbs/mapper.ts';
import { type Authored, exampleText, findMapper, loadMapper } from './authored.ts';
import { junit } from './junit.ts';
import { Modules } from './modules.ts';

/** Fewer prove less, and the grade says so. */
const STANDARD_FAULTS = 1000;

const WORDS: Readonly<Record<Assertion['result'], readonly [string, Tone]>> = {
  pass: ['pass', 'good'],
  fail: ['FAIL', 'bad'],
  'not-applicable': ['not applicable', 'dim'],
};

export async function runTest(where: string | undefined, options: TestOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const place = await findMapper(where);
  const modules = new Modules(place.folder);
  const authored = await loadMapper(place, modules);
  const subject = await subjectOf(authored, modules, options);
  const began = performance.now();
  const judged = (): ReturnType<typeof grade> => {
    const { grade: mark, why } = grade(told);
    const few = subject.faults !== undefined && subject.faults < STANDARD_FAULTS;
    return { grade: mark, why: few ? `${why}; with ${subject.faults} random faults only` : why };
  };
  const told: Assertion[] = [];
  for await (const each of runConformance(authored.mapper, subject)) {
    told.push(each);
    show(each, output);
  }
  const ms = Math.round(performance.now() - began);
  const count = (result: Assertion['result']): number =>
    told.filter((each) => each.result === result).length;
  const [pass, fail, none] = [count('pass'), count('fail'), count('not-applicable')];
  if (options.junit !== undefined) {
    writeFileSync(options.junit, junit(authored.mapper.protocol, told, ms));
  }
  if (output.json) {
    const { protocol } = authored.mapper;
    output.printJson({ protocol, ...judged(), pass, fail, notApplicable: none, ms });
  } else {
    const { grade: mark, why } = judged();
    output.print(`\n${pass} kept, ${fail} broken, ${none} not applicable, in ${ms} ms`);
    output.print(`Grade ${mark}: ${why}`);
  }
  return fail === 0 ? 0 : 1;
}

function show(assertion: Assertion, output: Output): void {
  if (output.json) return output.printJson(assertion);
  const { id, title, result, reason } = assertion;
  const [word, tone] = WORDS[result];
  const rows = [[cell(id), cell(word, tone), cell(title)]];
  const widths = [7, 14, title.length];
  const [line = ''] = layOut({ head: [], rows }, { colour: output.colour, widths, headless: true });
  output.print(reason === undefined ? line : `${line}\n${' '.repeat(27)}${reason}`);
}

/** From the example, and over it what `subject.ts` beside the mapper exports as `subject`. @throws CliError */
async function subjectOf(
  { mapper, simulator, place }: Authored,
  modules: Modules,
  options: TestOptions,
): Promise<Subject> {
  if (simulator === undefined) {
    throw new CliError(
      1,
      'SIMULATOR_MISSING',
      'this mapper has no simulator to be tried on: export one named "simulator", or from simulator.ts beside it',
    );
  }
  const own = await overlay(path.dirname(place.entry), modules);
  const faults = options.faults === undefined ? {} : { faults: options.faults };
  const seed = options.seed === undefined ? {} : { seed: options.seed };
  // Whoever says all of it needs no example.
  if (own.items !== undefined && own.settings !== undefined) {
    return { simulator, items: own.items, settings: own.settings, ...own, ...faults, ...seed };
  }
  const { text, file } = exampleText(place, options.example);
  try {
    return { ...(await exampleSubject(text, mapper, simulator)), ...own, ...faults, ...seed };
  } catch (error) {
    throw new CliError(1, 'EXAMPLE_INVALID', `${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function overlay(folder: string, modules: Modules): Promise<Partial<Subject>> {
  const file = ['ts', 'mts', 'js', 'mjs']
    .map((end) => path.join(folder, `subject.${end}`))
    .find(existsSync);
  if (file === undefined) return {};
  const { subject } = await modules.load(file);
  if (typeof subject === 'object' && subject !== null) return subject;
  throw new CliError(
    1,
    'MAPPER_BROKEN',
    `${file} must export "subject": fields of Subject, such as refused`,
  );
}
