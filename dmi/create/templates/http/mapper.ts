/** Devices that speak JSON over HTTP. */
import { defineMapper } from '@limpet/dmi';
import {
  Http,
  httpConnection,
  httpFits,
  httpSimulator,
  httpTarget,
  httpVisitor,
} from '@limpet/dmi/http';
import { unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';

/** How one device is reached: what a Device says under `settings`. */
const settings = v.strictObject(
  {
    address: v.pipe(
      v.string(),
      v.regex(/^http:\/\/[^/\s]+$/, 'expected http://HOST or http://HOST:PORT'),
      v.description('where the device is'),
      v.examples(['http://10.0.0.7', 'http://meter.local:8080']),
    ),
    timeoutMs: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(10),
        v.maxValue(60_000),
        v.description('how long an answer may take'),
      ),
      5000,
    ),
  },
  unknownField('address, timeoutMs', 'address is required'),
);

export default defineMapper({
  protocol: 'template-http',
  settings,
  /** Where a property lives: `path: '/status'`, `pointer: '/power'`, and how it is set. */
  visitor: httpVisitor,
  fits: httpFits,
  /** Devices of one port take turns. */
  port: ({ address }) => httpTarget(address).dial,
  async connect({ address, timeoutMs }, context, signal) {
    const http = await Http.open(address, context, { timeoutMs }, signal);
    // For more than getting and setting, give an object of your own: { read, write, close }, with http.get(…).
    return httpConnection(http);
  },
});

/** A pretend device, made of what the visitors say. */
export const simulator = httpSimulator();
