/** Which desired values are new orders, and which say again what already holds. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Order } from './store/desired.ts';
import type { Mirror } from './store/mirrors.ts';

/** What is known of the property that an order is for. Times in ms since 1970. */
export interface Standing {
  readonly order: Order | undefined;
  readonly mirror: Mirror | undefined;
  readonly now: number;
}

/**
 * Setting the same value again is no new order while the first is still on its way, or when it was carried
 * out and still holds. An order with an expiry is always new: it asks for that much time from now.
 */
export function isNewOrder(value: Json, expires: boolean, standing: Standing): boolean {
  const { order, now } = standing;
  const current = order?.value ?? null;
  if (!isDeepStrictEqual(current, value)) return true;
  if (order === undefined || value === null) return false;
  const lapsed = order.expires !== undefined && order.expires <= now;
  return expires || lapsed || !holds(order, standing.mirror);
}

/** The order is on its way, or was carried out and the device still has its value. */
function holds(order: Order, mirror: Mirror | undefined): boolean {
  const judged = mirror?.judged?.rev === order.rev ? mirror.judged : undefined;
  switch (judged?.verdict ?? 'pending') {
    case 'pending':
      return true;
    case 'applied':
      return isDeepStrictEqual(mirror?.reported?.value, order.value);
    case 'rejected':
    case 'expired':
      return false;
  }
}
