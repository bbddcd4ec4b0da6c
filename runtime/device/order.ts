/** What is to be done about one desired value (pure). */
import { type Json, type Value } from '@limpet/dmi';
import {
  checkOrder,
  type Desired,
  type DeviceModel,
  type Reason,
  type Reported,
} from '@limpet/dmi/manifest';
import { type Answer, same, toValue } from './convert.ts';

/** `order`: it is new, or time has passed. `reconnect`: the device has just said what it is. */
export type Occasion = 'order' | 'reconnect';

export interface OrderFacts {
  readonly property: string;
  readonly occasion: Occasion;
  readonly desired: Desired<number> | undefined;
  readonly reported: Reported<number> | undefined;
  /** What the device reported when this order was applied. */
  readonly readBack: Json | undefined;
  readonly expired: boolean;
  /** Known once the device is configured. */
  readonly model: DeviceModel | undefined;
  /** The device is connected and everything has been read once. */
  readonly settled: boolean;
}

export type Step =
  /** Nothing to do, or not yet: the device is away. */
  | { readonly kind: 'none' }
  | { readonly kind: 'expired' }
  /** The device is as wanted already. */
  | { readonly kind: 'agreed'; readonly readBack: Json }
  | { readonly kind: 'rejected'; readonly reason: Reason }
  | { readonly kind: 'write'; readonly value: Value; readonly wanted: Json };

const NONE: Step = { kind: 'none' };

export function nextStep(facts: OrderFacts): Step {
  const { desired, occasion, expired } = facts;
  // null is a withdrawn order.
  if (desired === undefined || desired.value === null) return NONE;
  if (desired.verdict === 'pending') return expired ? { kind: 'expired' } : pending(facts, desired);
  // A final verdict stands, but one that was applied is asserted again when the device comes back different.
  if (desired.verdict !== 'applied' || occasion !== 'reconnect' || expired) return NONE;
  const { reported, readBack } = facts;
  if (reported?.quality !== 'good' || agrees(reported.value, desired.value, readBack)) return NONE;
  const step = pending(facts, desired);
  return step.kind === 'write' ? step : NONE;
}

function pending(facts: OrderFacts, desired: Desired<number>): Step {
  const { model, property, reported, readBack, settled } = facts;
  if (model === undefined || !settled) return NONE;
  const checked = checkOrder(model, property, desired.value);
  if (!checked.ok) {
    return { kind: 'rejected', reason: { code: checked.code, message: checked.message } };
  }
  if (reported?.quality === 'good' && agrees(reported.value, checked.value, readBack)) {
    return { kind: 'agreed', readBack: reported.value };
  }
  const type = model.spec.properties.find(({ name }) => name === property)?.type ?? 'json';
  return { kind: 'write', value: toValue(type, checked.value), wanted: checked.value };
}

/** A device that rounds says another value than the order; it agrees when it says what it said then. */
function agrees(reported: Json, wanted: Json, readBack: Json | undefined): boolean {
  return same(reported, wanted) || (readBack !== undefined && same(reported, readBack));
}

/** What reading back says of a write; `reason` when it does not confirm it. */
export function confirms(
  expected: Json,
  said: Answer,
):
  | { readonly ok: true; readonly readBack: Json }
  | { readonly ok: false; readonly reason: Reason } {
  if (!said.ok) {
    const message = `written, but it cannot be read back: ${said.reason.message}`;
    return { ok: false, reason: { code: 'READ_BACK_FAILED', message } };
  }
  if (same(expected, said.value)) return { ok: true, readBack: said.value };
  const message = `the device took the value and should now report ${short(expected)}, but reports ${short(said.value)}`;
  return { ok: false, reason: { code: 'READ_BACK_DIFFERS', message } };
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
