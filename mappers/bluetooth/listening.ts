/**
 * Devices that were asked for and not heard yet. They are listened for until they are asked for again: one that advertises once in
 * a minute would never be met within the seconds that a connect may take.
 */
import type { MapperContext } from '@limpet/dmi';
import { type Device, NOT_HEARD } from './device.ts';
import type { Settings } from './settings.ts';

interface Kept {
  readonly device: Device;
  readonly settings: string;
  stop(): void;
}

/** At most one for each device of the node, for as long as its settings say that it may be silent. */
export class Listening {
  readonly #kept = new Map<string, Kept>();

  /** The one that was kept, for the same device reached in the same way. */
  take(settings: Settings, context: MapperContext): Device | undefined {
    const kept = this.#kept.get(context.device);
    if (kept === undefined) return undefined;
    this.#kept.delete(context.device);
    kept.stop();
    if (kept.settings === JSON.stringify(settings) && kept.device.lost === undefined)
      return kept.device;
    kept.device.close();
    return undefined;
  }

  /** Keeps it if all that is wrong is that it was not heard; else closes it. */
  keep(device: Device, context: MapperContext, error: unknown): void {
    const quiet = (error as { code?: unknown } | null)?.code === NOT_HEARD;
    if (!quiet) {
      device.close();
      return;
    }
    const stop = context.clock.after(device.settings.silenceMs, () => {
      this.#kept.delete(context.device);
      device.close();
    });
    const settings = JSON.stringify(device.settings);
    this.#kept.set(context.device, { device, settings, stop });
  }
}
