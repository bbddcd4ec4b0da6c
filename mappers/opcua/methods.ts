/** Methods: input by their InputArguments, output as values. */
import { Misconfigured, type Value } from '@limpet/dmi';
import type { NodeId } from 'node-opcua-nodeid';
import type { Argument } from 'node-opcua-types';
import { unknownIn, valueIn } from './reading.ts';
import type { Services } from './services.ts';
import { isGood, itemError } from './status.ts';
import { type Kind, limit, type Types } from './types.ts';
import type { MethodVisitor } from './visitor.ts';
import { variantOf } from './writer.ts';
import { formatNodeId } from './node-id.ts';

interface Input {
  readonly name: string;
  readonly kind: Kind;
}

const MOST = 1_000;
/** The runtime gives up earlier; a method that runs longer is not a lost server. */
const CALL_MS = 60_000;

export class Methods {
  readonly #services: Services;
  readonly #types: Types;
  readonly #timeoutMs: number;
  readonly #inputs = new Map<string, readonly Input[]>();

  constructor(services: Services, types: Types, timeoutMs: number) {
    this.#services = services;
    this.#types = types;
    this.#timeoutMs = Math.max(timeoutMs, CALL_MS);
  }

  /** @throws Refused, Misconfigured, Unreachable */
  async call(
    visitor: MethodVisitor,
    input: readonly Value[],
    signal: AbortSignal,
  ): Promise<readonly Value[]> {
    const objectId = this.#services.resolve(visitor.object);
    const methodId = this.#services.resolve(visitor.method);
    const name = formatNodeId(visitor.method);
    const wanted = await this.#input(methodId, signal);
    if (wanted.length !== input.length) {
      throw new Misconfigured(
        'OPCUA_ARGUMENTS',
        `${name} takes ${wanted.length} (${wanted.map((each) => each.name).join(', ')}), and the model has ${input.length}`,
      );
    }
    const inputArguments = wanted.map(({ name: argument, kind }, index) =>
      named(argument, () => variantOf(kind, input[index] ?? null)),
    );
    const call = { objectId, methodId, inputArguments };
    const result = await this.#services.call(call, signal, this.#timeoutMs);
    if (!isGood(result.statusCode)) {
      const at = (result.inputArgumentResults ?? []).findIndex((status) => !isGood(status));
      const which = at < 0 ? '' : ` (argument ${wanted[at]?.name ?? at})`;
      throw itemError(result.statusCode, `${name}${which}`);
    }
    const outputs = result.outputArguments ?? [];
    await this.#types.learn(
      outputs.flatMap((each) => unknownIn(each, this.#types)),
      signal,
    );
    return outputs.map((each) => valueIn(each, { name, dimensions: 0 }, this.#types));
  }

  async #input(method: NodeId, signal: AbortSignal): Promise<readonly Input[]> {
    const key = method.toString();
    const known = this.#inputs.get(key);
    if (known !== undefined) return known;
    const found = await this.#services.properties(method, ['InputArguments'], signal);
    const told = found.get('InputArguments')?.value?.value as Argument[] | null | undefined;
    const inputs: Input[] = [];
    for (const { name, dataType } of told ?? []) {
      inputs.push({ name: name ?? '', kind: await this.#types.kindOf(dataType, signal) });
    }
    limit(this.#inputs, MOST).set(key, inputs);
    return inputs;
  }
}

function named<T>(argument: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    throw new Misconfigured(error.code, `argument ${argument}: ${error.message}`);
  }
}
