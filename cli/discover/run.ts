/** `limpet discover`. */
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import { CliError, usage } from '../cli-error.ts';
import { type Output, processOutput } from '../output.ts';
import type { DiscoverOptions } from '../verbs/discover.ts';
import { findMapper } from './find-mapper.ts';
import { type Finding, Findings, MAX_FOUND, MAX_PROPERTIES } from './findings.ts';
import { look, TIDY_MS } from './look.ts';
import { labelOf } from './names.ts';
import { configOf, milliseconds, refuseFile, settingsOf } from './options.ts';
import { SHORT, treeLines, WHOLE } from './tree.ts';
import { manifestsText } from './yaml.ts';

export async function runDiscover(
  asked: { readonly protocol: string; readonly where: string | undefined },
  options: DiscoverOptions,
): Promise<number> {
  const { protocol, where } = asked;
  const timeoutMs = milliseconds(options.timeout);
  const search = { settings: settingsOf(options.set ?? []), ...(where !== undefined && { where }) };
  if (options.json === true && options.output === '-') {
    throw usage('--json and -o - both want standard output: name a file with -o.');
  }
  refuseFile(options.output);
  const config = configOf(options.config);
  const output = processOutput(options.json === true);
  const { namespace, name, folder } = options;
  const node = options.node ?? config?.node ?? labelOf(hostname());
  const mapper = await findMapper(protocol, { terms: config, folder });
  if (mapper.discover === undefined) {
    const message = `the mapper "${protocol}" cannot look for devices: write their manifests by hand.`;
    throw new CliError(1, 'DISCOVER_UNSUPPORTED', message);
  }
  const findings = new Findings({ mapper, namespace, node, name });
  const failure = await look({
    mapper,
    search,
    count: () => findings.all.length,
    timeoutMs,
    output,
    config,
    take: async (found) => {
      await take(found, { findings, options, output });
      return !findings.full;
    },
  });
  conclude(protocol, findings, { options, output, failure });
  const code = failure === undefined && findings.all.length > 0 ? 0 : 1;
  // A mapper that is deaf to its signal, or keeps sockets of its own, must not keep the command.
  setTimeout(() => process.exit(code), TIDY_MS).unref();
  if (failure !== undefined) throw failure;
  return code;
}

interface Telling {
  readonly findings: Findings;
  readonly options: DiscoverOptions;
  readonly output: Output;
}

async function take(found: unknown, { findings, output, options }: Telling): Promise<void> {
  let finding: Finding;
  try {
    finding = await findings.add(found);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    output.note(`limpet: the mapper told of something that is left out: ${error.message}`);
    return;
  }
  const { device, model, about, placed, notes } = finding;
  const { name } = device.metadata;
  if (output.json) {
    const { properties, methods } = model.spec;
    const { settings } = device.spec;
    output.printJson({
      name,
      about,
      settings,
      model: model.metadata.name,
      properties,
      methods,
      notes,
    });
    return;
  }
  // Standard output is for the file then.
  const print = (text: string): void =>
    options.output === '-' ? output.note(text) : output.print(text);
  print(`${name}  ${about}`);
  for (const line of treeLines(placed, options.all === true ? WHOLE : SHORT)) print(line);
  for (const note of notes) output.note(`limpet: ${name}: ${note}`);
}

function conclude(
  protocol: string,
  findings: Findings,
  { options, output, failure }: Omit<Telling, 'findings'> & { readonly failure: unknown },
): void {
  const { all, properties } = findings;
  if (findings.full) {
    output.note(
      `limpet: stopped at ${all.length} devices and ${properties} properties: at most ${MAX_FOUND} and ${MAX_PROPERTIES} are taken.`,
    );
  }
  if (all.length === 0) {
    if (failure === undefined) output.note('limpet: nothing was found.');
    return;
  }
  const { output: file } = options;
  const head = `Found by limpet discover ${protocol}, ${new Date().toISOString().slice(0, 10)}.`;
  const many = `${all.length} ${all.length === 1 ? 'device' : 'devices'} with ${properties} properties`;
  if (file === undefined) {
    if (!output.json) output.note(`${many}. Write manifests for limpet apply with -o FILE.`);
    return;
  }
  const text = manifestsText(all, head);
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  // The settings that were searched with may hold a password.
  writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  if (output.json) output.printJson({ file, devices: all.length, properties });
  else output.print(`${file}: ${many}. Next: limpet apply -f ${file}`);
}
