/**
 * A store that began empty beside a cloud: what the cloud wants may be newer than the files of this node, and
 * devices must not be told the older value first. So the cloud is heard before the files, but not for long.
 */
import type { Clock, Log } from '@limpet/dmi';

export interface CloudFirstOptions {
  readonly clock: Clock;
  readonly connected: () => boolean;
  /** Where the edge stands in the cloud's stream. */
  readonly cursor: () => number;
  /** Called once: the cloud has said what it wants, or has had its time. */
  readonly done: (heard: boolean) => void;
}

const LONGEST_MS = 10_000;
/** Connected and nothing more for so long: that was all. */
const QUIET_MS = 1_000;
const LOOK_MS = 100;

/** Returns a function that gives up waiting without {@link CloudFirstOptions.done}. */
export function cloudFirst({ clock, connected, cursor, done }: CloudFirstOptions): () => void {
  const start = clock.monotonic();
  let quietSince = start;
  let seen = cursor();
  let cancel: () => void;
  const look = (): void => {
    const now = clock.monotonic();
    if (!connected() || cursor() !== seen) quietSince = now;
    seen = cursor();
    const heard = now - quietSince >= QUIET_MS;
    if (heard || now - start >= LONGEST_MS) done(heard);
    else cancel = clock.after(LOOK_MS, look);
  };
  cancel = clock.after(LOOK_MS, look);
  return () => cancel();
}

export interface FilesAfterCloud {
  readonly link: { status(): { readonly state: string } };
  readonly store: { rev(): number };
  readonly files: { start(): void };
  readonly clock: Clock;
  readonly log: Log;
}

/** The files of this node wait for the cloud; returns a function that gives up waiting. */
export function filesAfterCloud({ link, store, files, clock, log }: FilesAfterCloud): () => void {
  log.info('manifests wait for the cloud: the store began empty');
  return cloudFirst({
    clock,
    connected: () => link.status().state === 'connected',
    cursor: () => store.rev(),
    done: (heard) => {
      if (!heard) log.warn('manifests applied without the cloud: it was not heard in time');
      files.start();
    },
  });
}
