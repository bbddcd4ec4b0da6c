/** A process full of nodes: does what the bench orders, and ends with it. */
import process from 'node:process';
import { Generator } from './generator.ts';
import type { Order } from './orders.ts';

const generator = new Generator();

process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'connect':
      return generator.connect(order);
    case 'declare':
      return generator.declare(order.devices, order.which);
    case 'change':
      return generator.change(order.perSecond);
    case 'tell':
      process.send?.(generator.told());
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
