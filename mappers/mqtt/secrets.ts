/** Certificates and passwords: inline in the settings, or in files of the mapper's own folder. */
import { Misconfigured, Unreachable } from '@limpet/dmi';

const MAX_BYTES = 65_536;

/** PEM text as it is; else what is in the file of that name. @throws Misconfigured, Unreachable MQTT_FILE */
export async function pemOf(text: string, folder: string | undefined): Promise<string> {
  return text.includes('-----BEGIN') ? text : fileText(text, folder);
}

/** Without blanks and line ends around it. @throws Misconfigured, Unreachable MQTT_FILE */
export async function fileText(name: string, folder: string | undefined): Promise<string> {
  if (folder === undefined) {
    const message = `the file ${name} cannot be read: the mapper has no folder here; give it inline, or run the mapper in a process`;
    throw new Misconfigured('MQTT_FILE', message);
  }
  // Loaded where it is needed: 0.3 MiB.
  const { readFile } = await import('node:fs/promises');
  const path = `${folder}/${name}`;
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > 0 && text.length <= MAX_BYTES) return text.trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It may be put there later: that is no reason to give up for good.
    throw new Unreachable('MQTT_FILE', `cannot read ${path} (${code}): put the file there`, {
      cause: error,
    });
  }
  throw new Unreachable('MQTT_FILE', `${path} is empty, or larger than ${MAX_BYTES} bytes`);
}
