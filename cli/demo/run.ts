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
  // Children are spawned synchronously at first, then as the start goes on: a failed start says which.
  const up = await Promise.race([begun, stopped]);
  if (up === undefined) return;
  show.ready(up.addresses);
  await Promise.race([watch(up.api, house, context), house.broken(), stopped]);
}

/** Follows devices and shows them, until stopped or after so many seconds of values. */
async function watch(api: Api, house: DemoHouse, context: Context): Promise<void> {
  const { show, stop, started, options } = context;
  const picture = { devices: [] as Device[], models: await modelsOf(api) } satisfies Picture;
  const devices = new Map<string, Device>();
  const tick = setInterval(() => show.tick(picture), 1000);
  const late = Promise.withResolvers<never>();
  const alarm = setTimeout(() => {
    late.reject(
      new Error(`no good value within ${FIRST_VALUE_MS / 1000} s.\n${house.lastLines()}`),
    );
  }, FIRST_VALUE_MS);
  const reading = (async () => {
    let first = true;
    for await (const step of follow(api, { kind: 'Device' }, { signal: stop.signal })) {
      if (step.kind === 'lost') continue;
      const changes = step.kind === 'list' ? step.changes : [step.change];
      const changed = changes
        .map(({ object }) => object)
        .filter((object) => object.kind === 'Device');
      for (const device of changed) devices.set(keyOf(device), device);
      picture.devices = [...devices.values()];
      if (first && tally(picture).good > 0) {
        first = false;
        clearTimeout(alarm);
        show.progress(`First value after ${((performance.now() - started) / 1000).toFixed(1)} s.`);
        if (options.seconds !== undefined) setTimeout(() => stop.abort(), options.seconds * 1000);
      }
      show.changed(changed, picture);
    }
  })();
  try {
    await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(alarm);
    clearInterval(tick);
    if (options.seconds !== undefined) show.summary(tally(picture), options.seconds);
  }
}

async function modelsOf(api: Api): Promise<ReadonlyMap<string, DeviceModel>> {
  const { items } = await api.list('DeviceModel');
  return new Map(
    items.flatMap((item) => (item.kind === 'DeviceModel' ? [[item.metadata.name, item]] : [])),
  );
}
