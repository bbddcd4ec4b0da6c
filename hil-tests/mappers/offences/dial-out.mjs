/** Tries every way to a TCP port that nobody allowed it, and says which of them reached it. */
const settled = (socket) =>
  new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });

const WAYS = {
  import: async (port) => settled((await import('node:net')).connect(port, '127.0.0.1')),
  'import without scheme': async (port) =>
    settled((await import('net')).connect(port, '127.0.0.1')),
  builtin: async (port) => settled(process.getBuiltinModule('net').connect(port, '127.0.0.1')),
  require: async (port) => {
    const { createRequire } = await import('node:module');
    return settled(createRequire(import.meta.url)('net').connect(port, '127.0.0.1'));
  },
  http: async (port) => {
    const http = await import('node:http');
    return new Promise((resolve, reject) => {
      http.get({ port, host: '127.0.0.1' }, resolve).once('error', reject);
    });
  },
  datagram: async (port) => {
    const socket = (await import('node:dgram')).createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.send('x', port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
  },
  fetch: async (port) => fetch(`http://127.0.0.1:${port}`),
  WebSocket: async (port) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      socket.onopen = resolve;
      socket.onerror = reject;
    }),
  binding: async () => process.binding('tcp_wrap'),
  constructor: async (port) => {
    const Socket = process.stdout.constructor; // a pipe is a net.Socket
    return settled(new Socket().connect(port, '127.0.0.1'));
  },
  dial: async (port, { dial }) => dial(`tcp://127.0.0.1:${port}`, AbortSignal.timeout(2_000)),
};

export async function act(port, context) {
  const open = [];
  for (const [name, way] of Object.entries(WAYS)) {
    await way(Number(port), context).then(
      () => open.push(name),
      (error) => console.error(`${name}: ${error.code ?? error.message}`),
    );
  }
  return `reached by: ${open.join(', ')}`;
}
