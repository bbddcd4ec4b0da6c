/** Types of bootstrap.mjs, for its tests. */
export function engineFits(version: string, range: string): boolean;
export function carriedNode(root: string): string | undefined;
export function installFault(root: string): string | undefined;
export function install(root: string, fault: string): Promise<number>;
export function runWith(node: string, script: string, args: readonly string[]): Promise<number>;
