/** Takes an order on the edge itself, from the local bus or the local API, with the checks that the cloud makes. */
import { type Json } from '@limpet/dmi';
import { checkOrder, type DeviceModel, type Id } from '@limpet/dmi/manifest';
import { StoreError } from './store-error.ts';
import { type TwinStore } from './store.ts';

export interface OrderRequest {
  readonly device: Id;
  readonly property: string;
  /** Anything; `null` withdraws the order in force. */
  readonly value: unknown;
  /** Not to be executed later than this after now. */
  readonly expiresMs?: number;
}

/** `rev`: on the disk, to be executed. Otherwise nothing changed, and why. */
export type Placed = { readonly ok: true; readonly rev: number; readonly value: Json } | Refusal;

interface Refusal {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
}

const LONGEST_MS = 365 * 24 * 3_600_000;

export function placeOrder(store: TwinStore, request: OrderRequest): Placed {
  const { device, property, expiresMs } = request;
  const model = modelToOrder(store, device, expiresMs);
  if (!model.ok) return model;
  const checked = checkOrder(model.model, property, request.value);
  if (!checked.ok) return checked;
  const { value } = checked;
  const placed = stored(() => store.order(device, property, value, timing(expiresMs)));
  return placed.ok ? { ok: true, rev: placed.result, value } : placed;
}

/** Several of one device, whose values are checked already; all of them or none. */
export function placeOrders(
  store: TwinStore,
  device: Id,
  {
    values,
    expiresMs,
  }: { readonly values: ReadonlyMap<string, Json>; readonly expiresMs?: number },
): { readonly ok: true } | Refusal {
  const model = modelToOrder(store, device, expiresMs);
  if (!model.ok) return model;
  const placed = stored(() => store.orders(device, values, timing(expiresMs)));
  return placed.ok ? { ok: true } : placed;
}

function modelToOrder(
  store: TwinStore,
  device: Id,
  expiresMs: number | undefined,
): { readonly ok: true; readonly model: DeviceModel } | Refusal {
  if (!store.device(device)) {
    const { code, message } = store.refused().get(device) ?? {
      code: 'DEVICE_UNKNOWN',
      message: `this node runs no device "${device}": apply it first, or ask the node that runs it`,
    };
    return { ok: false, code, message };
  }
  const model = store.modelOf(device);
  if (!model) {
    const name = store.device(device)?.spec.model;
    const message = `the model "${name}" of "${device}" is not known here: apply it first`;
    return { ok: false, code: 'MODEL_UNKNOWN', message };
  }
  if (expiresMs !== undefined && !(expiresMs > 0 && expiresMs <= LONGEST_MS)) {
    const message = 'expires must be longer than 0 and at most 365 days';
    return { ok: false, code: 'EXPIRES_RANGE', message };
  }
  return { ok: true, model };
}

function timing(expiresMs: number | undefined): { expiresMs?: number } {
  return expiresMs === undefined ? {} : { expiresMs };
}

function stored<T>(order: () => T): { readonly ok: true; readonly result: T } | Refusal {
  try {
    return { ok: true, result: order() };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { ok: false, code: error.code, message: error.message };
  }
}
