/** Writes to files that are not its own. */
import { writeFileSync } from 'node:fs';

export function act(files) {
  for (const file of files.split(',')) {
    try {
      writeFileSync(file, 'it was here');
    } catch (error) {
      console.error(`${file}: ${error.code}`);
    }
  }
}
