/** The mapper's process when it runs from sources: the mapper is named by `--module`. */
import { runMapperChild } from './run.ts';
import { confine } from '../../sandbox/confine.ts';

await runMapperChild(confine());
