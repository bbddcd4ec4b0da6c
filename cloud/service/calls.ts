/** A call through the cloud: checked against the model as it is here, then handed to the node of the device. */
import {
  type Arguments,
  type CallDoor,
  type CallOutcome,
  checkCall,
  type Device,
  type DeviceModel,
} from '@limpet/dmi/manifest';

export type CallAsked = Parameters<CallDoor>[1];

/** Hands a checked call to a node. */
export type Relay = (
  node: string,
  call: {
    readonly device: string;
    readonly method: string;
    readonly input: Arguments;
    readonly timeoutMs: number;
  },
  signal: AbortSignal,
) => Promise<CallOutcome>;

/** Without a hub no node is connected. */
export const noRelay: Relay = (node) =>
  Promise.resolve({
    ok: false,
    at: 'cloud',
    code: 'NODE_OFFLINE',
    message: `node "${node}" is not connected`,
    ran: 'no',
  });

export async function callThrough(
  relay: Relay,
  call: {
    readonly device: Device;
    readonly model: DeviceModel | undefined;
    readonly asked: CallAsked;
  },
  signal: AbortSignal,
): Promise<CallOutcome> {
  const { device, model, asked } = call;
  const { metadata, spec } = device;
  if (model === undefined) {
    const message = `the model "${spec.model}" is not known here: apply it first`;
    return { ok: false, at: 'cloud', code: 'MODEL_UNKNOWN', message, ran: 'no' };
  }
  const checked = checkCall(model, asked, 'cloud');
  if (!checked.ok) return checked;
  const names = checked.method.input?.map(({ name }) => name) ?? [];
  const input = Object.fromEntries(names.map((name, at) => [name, checked.input[at] ?? null]));
  const id = `${metadata.namespace ?? 'default'}/${metadata.name}`;
  const { method, timeoutMs } = asked;
  return relay(spec.node, { device: id, method, input, timeoutMs }, signal);
}
