/** `POST …/devices/NAME/captures/ID`: what went over a device's wires since this was asked last. */
import type { IncomingMessage } from 'node:http';
import type { Answer } from './answer.ts';
import type { Backend, Target } from './backend.ts';
import { readBody } from './body.ts';
import type { Parameters } from './parameters.ts';
import { methodNotAllowed } from './status.ts';

export interface CaptureRoute {
  readonly verb: 'capture';
  readonly target: Target;
  readonly capture: string;
}

/** @throws ApiError BadRequest */
export function onCapture(
  { target, capture }: { readonly target: Target; readonly capture: string },
  parameters: Parameters,
): CaptureRoute {
  parameters.only([]);
  return { verb: 'capture', target, capture };
}

export async function answerCapture(
  backend: Backend,
  { target, capture }: CaptureRoute,
  { answer, request }: { readonly answer: Answer; readonly request: IncomingMessage },
): Promise<void> {
  await readBody(request);
  if (backend.capture === undefined) {
    throw methodNotAllowed("wires are recorded on the device's node: ask its edge (--edge PLACE)");
  }
  const gone = new AbortController();
  const close = (): void => gone.abort(new Error('the client has gone'));
  answer.response.once('close', close);
  try {
    answer.json(200, await backend.capture(target, capture, gone.signal));
  } finally {
    answer.response.off('close', close);
  }
}
