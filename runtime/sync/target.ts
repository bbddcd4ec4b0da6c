/** Where the cloud is, and whether it may be spoken to there. */
import { Misconfigured } from '@limpet/dmi';

/**
 * The hub's address, checked: `wss://` anywhere, `ws://` on this machine only.
 * @throws Misconfigured SYNC_BAD_URL, SYNC_NOT_ENCRYPTED
 */
export function cloudUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:')) {
    const message = `cloud: expected an address like wss://HOST:8440/hub, got ${JSON.stringify(text.split('@').at(-1))}.`;
    throw new Misconfigured('SYNC_BAD_URL', message);
  }
  if (url.username !== '' || url.password !== '') {
    const message =
      'cloud: an address must not carry a user name or password; put the token in a file and name it in `tokenFile`.';
    throw new Misconfigured('SYNC_BAD_URL', message);
  }
  if (url.protocol === 'ws:' && !isLoopback(url.hostname)) {
    const message =
      `cloud: ws://${url.host} would send everything unencrypted over the network. ` +
      `Use wss://${url.host}${url.pathname} (with \`ca\` and \`tokenFile\`); ws:// is for this machine only.`;
    throw new Misconfigured('SYNC_NOT_ENCRYPTED', message);
  }
  return url;
}

/** Whether a host name or address can only mean this machine. */
function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
  );
}
