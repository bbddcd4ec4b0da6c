/** `@limpet/mapper-opcua`: OPC UA servers over opc.tcp. */
import { defineMapper, type Mapper } from '@limpet/dmi';
import { type Settings, settings } from './settings.ts';
import { fits, serves, type Visitor, visitor } from './visitor.ts';

const mapper: Mapper<Settings, Visitor> = defineMapper({
  protocol: 'opcua',
  settings,
  visitor,
  fits,
  serves,
  // The library is loaded with the first device: it is what takes memory.
  async connect(settings, context, signal) {
    const { connect } = await import('./connect.ts');
    return connect(settings, context, signal);
  },
  async back(away, context, signal) {
    const { back } = await import('./back.ts');
    return back(away, context, signal);
  },
  async *discover(search, context, signal) {
    const { discover } = await import('./discover.ts');
    yield* discover(search, context, signal);
  },
});
export default mapper;
