/** The broker that Node-RED publishes to, in a process of its own: `broker-process.ts PORT`. It is not part of what is measured. */
import { createServer } from 'node:net';
import process from 'node:process';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker();
createServer((socket) => broker.handle(socket)).listen(Number(process.argv[2]), '127.0.0.1');
