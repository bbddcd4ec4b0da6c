/** `limpet why`. */
import type { Api } from '../api.ts';
import { CliError } from '../cli-error.ts';
import { withApi } from '../client.ts';
import { processOutput } from '../output.ts';
import { parsePlace } from '../set/value.ts';
import type { WhyOptions } from '../verbs/why.ts';
import { whyLines } from './show.ts';

export async function runWhy(word: string, options: WhyOptions): Promise<number> {
  const { property, ...device } = parsePlace(word, options.namespace);
  const output = processOutput(options.json === true);
  return withApi(options, async (api) => {
    const why = await ask(api, { kind: 'Device', ...device }, property);
    if (output.json) output.printJson(why);
    else for (const line of whyLines(why, output.colour)) output.print(line);
    return 0;
  });
}

async function ask(
  api: Api,
  target: Parameters<Api['why']>[0],
  property: string,
): ReturnType<Api['why']> {
  try {
    return await api.why(target, property);
  } catch (error) {
    // The path itself is not there: whoever was asked is older than this.
    const { name, message } = error as Error;
    if (name !== 'ApiError' || !message.startsWith('the server has nothing at')) throw error;
    const old = 'whoever was asked runs a Limpet that cannot explain values: update it.';
    throw new CliError(1, 'WHY_UNSUPPORTED', old, { cause: error });
  }
}
