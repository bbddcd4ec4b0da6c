/** Stops the processor in native code, where nothing of JavaScript is asked any more. */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

export function act() {
  setFlagsFromString('--allow-natives-syntax');
  runInThisContext('%SystemBreak()');
}
