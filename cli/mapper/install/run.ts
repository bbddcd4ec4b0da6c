/** `limpet mapper install` and `limpet mapper remove`. */
import { processOutput } from '../../output.ts';
import type { InstallOptions } from '../../verbs/mapper.ts';
import { install, remove } from './install.ts';

export async function runInstall(file: string, options: InstallOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const done = await install(file, options.edge);
  const { protocol, version, folder, replaced, warning } = done;
  const was = replaced === undefined ? '' : `, in place of ${replaced}`;
  if (warning !== undefined && !output.json) output.note(`Warning: ${warning}`);
  if (output.json) output.printJson(done);
  else
    output.print(
      `${protocol} ${version} is in ${folder}${was}. An edge that runs takes it over by itself.`,
    );
  return 0;
}

export async function runRemove(protocol: string, options: InstallOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const { version, folder } = await remove(protocol, options.edge);
  if (output.json) output.printJson({ protocol, version, folder });
  else output.print(`${protocol} ${version} is removed from ${folder}`);
  return 0;
}
