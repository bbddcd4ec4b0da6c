/** Parts of the two nobles, which are JavaScript; what they are is said in `noble.ts`, and looked at when they are loaded. */
declare module '@stoprocent/noble/lib/hci-socket/hci.js' {
  const hci: unknown;
  export default hci;
}
declare module '@stoprocent/noble/lib/hci-socket/acl-stream.js' {
  const acl: unknown;
  export default acl;
}
declare module '@abandonware/noble/lib/hci-socket/hci.js' {
  const hci: unknown;
  export default hci;
}
declare module '@abandonware/noble/lib/hci-socket/acl-stream.js' {
  const acl: unknown;
  export default acl;
}
declare module '@stoprocent/bluetooth-hci-socket/lib/native.js' {
  const socket: unknown;
  export default socket;
}
