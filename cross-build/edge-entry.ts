/** The bundle's entry: the edge, and the mappers it carries, each a chunk that loads when a device needs it. */
import { runEdge } from '#runtime/main.ts';

await runEdge({ modbus: () => import('@limpet/mapper-modbus') });
