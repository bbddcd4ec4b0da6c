/** What is common to all use of node-opcua: what it prints goes to our log. */
import type { Log } from '@limpet/dmi';
import { setErrorLogger, setWarningLogger } from 'node-opcua-debug';

/** It prints whole messages with colours, some of them for what the mapper reports in its own words. */
export function quiet(log: Log): void {
  const say = (...parts: unknown[]): void =>
    log.debug('node-opcua', { said: parts.map(String).join(' ').slice(0, 500) });
  setErrorLogger(say);
  setWarningLogger(say);
}
