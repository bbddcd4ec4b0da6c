/** `limpet demo`. */
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import type { Api } from '../api.ts';
import { CliError } from '../cli-error.ts';
import { follow, keyOf } from '../follow.ts';
import { processOutput } from '../output.ts';
import { aborted, stopSignal } from '../stop.ts';
import type { DemoOptions } from '../verbs/demo.ts';
import { DemoHouse } from './house.ts';
import { type Picture, tally } from './picture.ts';
import { type Show, showFor } from './show.ts';

/** Without a first good value by then, something is wrong that waiting does not mend. */
const FIRST_VALUE_MS = 60_000;

export async function runDemo(options: DemoOptions): Promise<number> {
  const started = performance.now();
  const show = showFor(processOutput(options.json === true));
  const stop = stopSignal();
  const house = new DemoHouse((text) => show.progress(text));
  try {
    await run(house, { options, show, stop, started });
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    throw new CliError(1, 'DEMO_FAILED', error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  } finally {
    stop.abort();
    await house.stop();
  }
}

interface Context {
  readonly options: DemoOptions;
  readonly show: Show;
  readonly stop: AbortController;
  readonly started: number;
}

async function run(house: DemoHouse, context: Context): Promise<void> {
  const { show, stop } = context;
  const stopped = aborted(stop.signal);
  const begun = house.start();
  // When we are stopped first, its failure is no news.
  begun.catch(() => {});
  const up = await Promise.race([begun, stopped]);
  if (up === undefined) return;
  show.ready(up.addresses);
  await Promise.race([watch(up.api, house, context), house.broken(), stopped]);
}

/** Follows devices and shows them, until stopped or after so many seconds of values. */
async function watch(api: Api, house: DemoHouse, context: Context): Promise<void> {
  const { show, options } = context;
  const picture = { devices: [] as readonly Device[], models: await modelsOf(api) };
  const tick = setInterval(() => show.tick(picture), 1000);
  const late = Promise.withResolvers<never>();
  const alarm = setTimeout(() => {
    const text = `no good value within ${FIRST_VALUE_MS / 1000} s.\n${house.lastLines()}`;
    late.reject(new Error(text));
  }, FIRST_VALUE_MS);
  try {
    const reading = read(api, picture, { ...context, first: () => clearTimeout(alarm) });
    await Promise.race([reading, late.promise]);
    if (options.seconds !== undefined) show.summary(tally(picture), options.seconds);
  } finally {
    clearTimeout(alarm);
    clearInterval(tick);
  }
}

/** Keeps the picture up to date. `first` is told of the first good value. */
async function read(
  api: Api,
  picture: { devices: readonly Device[]; readonly models: Picture['models'] },
  { show, stop, started, options, first }: Context & { readonly first: () => void },
): Promise<void> {
  const devices = new Map<string, Device>();
  let waiting = true;
  for await (const step of follow(api, { kind: 'Device' }, { signal: stop.signal })) {
    if (step.kind === 'lost') continue;
    const changes = step.kind === 'list' ? step.changes : [step.change];
    const changed = changes.flatMap(({ object }) => (object.kind === 'Device' ? [object] : []));
    for (const device of changed) devices.set(keyOf(device), device);
    picture.devices = [...devices.values()];
    if (waiting && tally(picture).good > 0) {
      waiting = false;
      first();
      show.progress(`First value after ${((performance.now() - started) / 1000).toFixed(1)} s.`);
      if (options.seconds !== undefined) setTimeout(() => stop.abort(), options.seconds * 1000);
    }
    show.changed(changed, picture);
  }
}

async function modelsOf(api: Api): Promise<ReadonlyMap<string, DeviceModel>> {
  const { items } = await api.list('DeviceModel');
  return new Map(
    items.flatMap((item) => (item.kind === 'DeviceModel' ? [[item.metadata.name, item]] : [])),
  );
}
