/** Puts a result, and what follows from its slopes for larger fleets, into cloud/SCALE.md, between two marks. */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Result, StepResult } from './result.ts';
import { at, type Slopes, slopes } from './slopes.ts';
import { markdown, whole } from './table.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const PAGE = path.join(ROOT, 'cloud/SCALE.md');
const BEGIN = '<!-- written by npm run bench:cloud -- --scale-page: do not edit below -->';
const END = '<!-- do not edit above -->';

/** Fleets to compute, each node with what the largest measured target has: 100 properties, half an update per second. */
const FLEETS = [10_000, 100_000, 1_000_000];
const PROPERTIES_PER_NODE = 100;
const UPDATES_PER_NODE = 0.5;
/** Of its core a service may use so much over the day; the rest is for queries and for nodes that come back together. */
const CORE = 0.6;
const SECONDS_PER_DAY = 86_400;

export async function writeScalePage(result: Result): Promise<void> {
  const text = await readFile(PAGE, 'utf8');
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`${PAGE} must have the lines ${BEGIN} and ${END}`);
  }
  await writeFile(PAGE, `${before}${BEGIN}\n\n${computed(result)}\n\n${END}${after}`);
  execFileSync(path.join(ROOT, 'node_modules/.bin/oxfmt'), [PAGE], { cwd: ROOT });
}

export function computed(result: Result): string {
  const found = slopes(result.steps);
  return [
    `Measured ${result.at} at ${result.commit}: ${result.machine}; ${result.store}.`,
    markdown(result),
    '### What one more costs',
    costs(found, result.steps),
    '### What larger fleets need',
    `Each node with ${PROPERTIES_PER_NODE} properties and ${UPDATES_PER_NODE} updates/s.`,
    needs(found, result.steps),
  ].join('\n\n');
}

function costs({ privateBytes, cpu }: Slopes, steps: readonly StepResult[]): string {
  return lines([
    ['', 'private memory', 'CPU of one core', 'disk'],
    ['---', '--:', '--:', '--:'],
    ['the service, empty', `${mb(privateBytes.fixed)} MB`, `${percent(cpu.fixed)} %`, '-'],
    ['once it has begun to work', `${mb(privateBytes.worked)} MB`, '-', '-'],
    ['a connected node', `${kb(privateBytes.nodes)} kB`, `${micro(cpu.nodes)} µs/s`, '-'],
    [
      'a mirrored property',
      `${whole(privateBytes.properties)} B`,
      '-',
      `${whole(perProperty(steps))} B kept`,
    ],
    ['an update', '-', `${micro(cpu.updates)} µs`, `${kb(perUpdate(steps))} kB written`],
    ['furthest from the plane', `${percent(privateBytes.worst)} %`, `${percent(cpu.worst)} %`, '-'],
  ]);
}

function needs(found: Slopes, steps: readonly StepResult[]): string {
  const rows = FLEETS.map((nodes) => need(nodes, found, steps));
  return lines([
    ['', 'private memory', 'cores', 'database', 'written', 'services of their own'],
    ['---', '--:', '--:', '--:', '--:', '--:'],
    ...rows,
  ]);
}

function need(
  nodes: number,
  { privateBytes, cpu }: Slopes,
  steps: readonly StepResult[],
): string[] {
  const properties = nodes * PROPERTIES_PER_NODE;
  const updates = nodes * UPDATES_PER_NODE;
  const point = { worked: 1, nodes, properties, updates };
  const moving = at({ ...cpu, fixed: 0 }, point);
  // A service is one event loop: each has to stay below its share of a core, and none was measured with more nodes.
  const services = Math.max(Math.ceil(moving / (CORE - cpu.fixed)), Math.ceil(nodes / most(steps)));
  const own = privateBytes.fixed + privateBytes.worked;
  const memory = at(privateBytes, point) + (services - 1) * own;
  const written = updates * perUpdate(steps);
  return [
    `${whole(nodes)} nodes`,
    `${(memory / 1e9).toFixed(1)} GB`,
    (moving + services * cpu.fixed).toFixed(1),
    `${((properties * perProperty(steps)) / 1e9).toFixed(1)} GB`,
    `${mb(written)} MB/s, ${((written * SECONDS_PER_DAY) / 1e12).toFixed(1)} TB/day`,
    whole(services),
  ];
}

/** Nobody has measured more than this in one service. */
function most(steps: readonly StepResult[]): number {
  return Math.max(...steps.map(({ nodes }) => nodes));
}

/** Of the largest fleet: the database has a fixed part that a small one would spread over few. */
function perProperty(steps: readonly StepResult[]): number {
  const { fill, properties } = largest(steps);
  return fill.databaseBytes / properties;
}

function perUpdate(steps: readonly StepResult[]): number {
  const { load } = largest(steps);
  if (load.writtenPerS === undefined) throw new Error('what a server writes was not measured');
  return load.writtenPerS / load.acknowledgedPerS;
}

function largest(steps: readonly StepResult[]): StepResult {
  const [found] = steps.toSorted((a, b) => b.properties - a.properties);
  if (found === undefined) throw new Error('nothing was measured');
  return found;
}

function lines(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function kb(bytes: number): string {
  return (bytes / 1e3).toFixed(1);
}

function micro(share: number): string {
  return (share * 1e6).toFixed(1);
}

function percent(share: number): string {
  return (100 * share).toFixed(0);
}
