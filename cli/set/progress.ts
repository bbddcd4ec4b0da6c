/** How far an order got, read from a twin: pure. */
import type { Desired, Stages } from '@limpet/dmi/manifest';

export type Stage = keyof Stages;

export const STAGES: readonly Stage[] = ['accepted', 'stored', 'sent', 'confirmed'];

export type Progress =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'reached' }
  /** The device or the clock said no. */
  | { readonly kind: 'refused' }
  /** Somebody wants something else by now. */
  | { readonly kind: 'superseded' };

/** Where order `rev` stands against the stage that is waited for. */
export function progress(desired: Desired | undefined, rev: number, wait: Stage): Progress {
  if (desired === undefined || desired.rev < rev) return { kind: 'waiting' };
  if (desired.rev > rev) return { kind: 'superseded' };
  switch (desired.verdict) {
    case 'rejected':
    case 'expired':
      return { kind: 'refused' };
    // What was already true is applied without having been sent.
    case 'applied':
      return { kind: 'reached' };
    case 'pending':
      return { kind: beyond(desired.stages, wait) ? 'reached' : 'waiting' };
  }
}

/** The stage or a later one has its time. */
function beyond(stages: Stages, wait: Stage): boolean {
  return STAGES.slice(STAGES.indexOf(wait)).some((stage) => stages[stage] !== undefined);
}
