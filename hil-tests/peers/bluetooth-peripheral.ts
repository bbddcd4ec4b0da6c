/**
 * A Bluetooth LE device that is not ours: bleno on a virtual controller. Run as a process of its own: `PTY NAME`. It takes one
 * command a line (`advertise HEX`, `connectable`, `notify HEX`, `indicate HEX`), and tells one event a line (`ready`, `written HEX`, `subscribed`, …).
 */
import { createInterface } from 'node:readline';
import bleno from '@stoprocent/bleno';

const [port = '', name = 'peer'] = process.argv.slice(2);
const { Characteristic, Descriptor, PrimaryService } = bleno;
/** Beyond the package's own types. */
type Bound = { withBindings(kind: 'hci', options: object): typeof bleno };
const tell = (line: string): void => void process.stdout.write(`${line}\n`);

/** As the test names them. */
const uuid = (n: number): string => `123456781234567812345678 9abc000${n}`.replace(' ', '');

const held = { setpoint: Buffer.from('d700', 'hex'), long: Buffer.alloc(300, 7) };
let notify: ((bytes: Buffer) => void) | undefined;
let indicate: ((bytes: Buffer) => void) | undefined;
let reading = Buffer.from('6608', 'hex');

const characteristics = [
  new Characteristic({
    uuid: '2a6e',
    properties: ['read', 'notify'],
    descriptors: [new Descriptor({ uuid: '2901', value: 'boiler room' })],
    onReadRequest: (_handle, _offset, answer) => answer(0, reading),
    onSubscribe: (_handle, _size, update) => {
      notify = update;
      tell('subscribed');
    },
    onUnsubscribe: () => {
      notify = undefined;
      tell('unsubscribed');
    },
  }),
  new Characteristic({
    uuid: uuid(1),
    properties: ['read', 'write', 'writeWithoutResponse'],
    onReadRequest: (_handle, _offset, answer) => answer(0, held.setpoint),
    onWriteRequest: (...[, bytes, , withoutResponse, answer]) => {
      held.setpoint = Buffer.from(bytes);
      tell(`${withoutResponse ? 'commanded' : 'written'} ${bytes.toString('hex')}`);
      answer(0);
    },
  }),
  new Characteristic({
    uuid: uuid(2),
    properties: ['read', 'write'],
    onReadRequest: (_handle, offset, answer) => answer(0, held.long.subarray(offset)),
    onWriteRequest: (...[, bytes, offset, , answer]) => {
      held.long = Buffer.concat([held.long.subarray(0, offset), bytes]);
      tell(`long ${held.long.length}`);
      answer(0);
    },
  }),
  new Characteristic({
    uuid: uuid(3),
    properties: ['read', 'write'],
    onReadRequest: (_handle, _offset, answer) => answer(Characteristic.RESULT_UNLIKELY_ERROR),
    onWriteRequest: (...[, , , , answer]) => answer(Characteristic.RESULT_INVALID_ATTRIBUTE_LENGTH),
  }),
  new Characteristic({
    uuid: uuid(4),
    properties: ['indicate'],
    onSubscribe: (_handle, _size, update) => {
      indicate = update;
      tell('subscribed');
    },
  }),
  new Characteristic({
    uuid: uuid(5),
    properties: ['read'],
    secure: ['read'],
    onReadRequest: (_handle, _offset, answer) => answer(0, Buffer.from('secret')),
  }),
];

function advertise(hex: string): void {
  const flags = Buffer.from('020106', 'hex');
  const data = Buffer.from(hex, 'hex');
  const local = Buffer.from(name);
  const scan = Buffer.concat([Buffer.from([local.length + 1, 0x09]), local]);
  device.stopAdvertising(() =>
    device.startAdvertisingWithEIRData(
      Buffer.concat([flags, data]),
      scan,
      (error: Error | null | undefined) => tell(error ? `failed ${error.message}` : 'advertising'),
    ),
  );
}

function take(line: string): void {
  const [verb, hex = ''] = line.split(' ');
  const bytes = Buffer.from(hex, 'hex');
  if (verb === 'advertise') advertise(hex);
  else if (verb === 'connectable')
    device.stopAdvertising(() =>
      device.startAdvertising(name, ['181a'], () => tell('connectable')),
    );
  else if (verb === 'notify') {
    reading = bytes;
    notify?.(bytes);
  } else if (verb === 'indicate') indicate?.(bytes);
}

const device = (bleno as unknown as Bound).withBindings('hci', {
  hciDriver: 'uart',
  bindParams: { uart: { port, baudRate: 1_000_000 } },
});
device.on('accept', () => tell('linked'));
device.on('disconnect', () => {
  tell('unlinked');
  notify = undefined;
});
device.on('stateChange', (state: string) => {
  if (state !== 'poweredOn') return;
  device.startAdvertising(name, ['181a'], () =>
    device.setServices([new PrimaryService({ uuid: '181a', characteristics })], () =>
      tell(`ready ${device.address}`),
    ),
  );
});
createInterface({ input: process.stdin })
  .on('line', take)
  .on('close', () => process.exit(0));
