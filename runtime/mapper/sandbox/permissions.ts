/** What a mapper may touch. Nothing declared is nothing allowed. */

/** `true`: all of them. A list: these only. */
export type Access = boolean | readonly string[];

export interface Permissions {
  /** Paths of serial lines. */
  readonly serial: Access;
  /** Hosts, networks and ports that may be connected to; see `reach`. */
  readonly network: Access;
  /** Names of adapters, such as `hci0`. */
  readonly bluetooth: Access;
  /** Absolute paths beside its own folder (read) and its scratch folder (read and write). */
  readonly files: { readonly read: readonly string[]; readonly write: readonly string[] };
  /** Native add-ons, which nothing in the process can hold back. */
  readonly addons: boolean;
}

export const NO_PERMISSIONS: Permissions = {
  serial: false,
  network: false,
  bluetooth: false,
  files: { read: [], write: [] },
  addons: false,
};

/** Whether a list or `true` names anything. */
export function granted(access: Access): boolean {
  return access === true || (access !== false && access.length > 0);
}

/** Serial lines and Bluetooth adapters are reached through native add-ons. */
export function needsAddons({ addons, serial, bluetooth }: Permissions): boolean {
  return addons || granted(serial) || granted(bluetooth);
}

/** `serial /dev/ttyUSB0; network *:502`, for people. */
export function permissionsText(permissions: Permissions): string {
  const { serial, network, bluetooth, files, addons } = permissions;
  const parts = Object.entries({ serial, network, bluetooth })
    .filter(([, access]) => granted(access))
    .map(
      ([name, access]) => `${name} ${access === true ? 'all' : (access as string[]).join(', ')}`,
    );
  if (files.read.length > 0) parts.push(`reads ${files.read.join(', ')}`);
  if (files.write.length > 0) parts.push(`writes ${files.write.join(', ')}`);
  if (addons) parts.push('native add-ons');
  return parts.join('; ') || 'none';
}

const ARGUMENT = '--permissions=';

/** How the core hands them to a process. */
export function permissionsArgument(permissions: Permissions): string {
  return `${ARGUMENT}${JSON.stringify(permissions)}`;
}

/** What the arguments of a process allow, which is nothing where they say nothing. */
export function givenPermissions(args: readonly string[]): Permissions {
  const given = args.find((each) => each.startsWith(ARGUMENT));
  if (given === undefined) return NO_PERMISSIONS;
  return JSON.parse(given.slice(ARGUMENT.length)) as Permissions;
}
