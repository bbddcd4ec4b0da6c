/** The generated parser. */
import type { Tree } from './tree.ts';

/** @throws SyntaxError of this module */
export function parse(text: string): Tree;

export class SyntaxError extends Error {
  readonly expected:
    | readonly {
        readonly type: string;
        readonly description?: string;
        readonly text?: string;
      }[]
    | null;
  readonly found: string | null;
  readonly location: { readonly start: { readonly offset: number } };
}
