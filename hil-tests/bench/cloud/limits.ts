/** What this machine allows, asked before the first node connects. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What the service raises its limit to. */
export const FILES = 65_536;

/** Beside connections a process has files of its own, and the bench its probes. */
const SPARE = 500;

/** @throws Error that says which limit is too low, and how it is raised */
export function checkLimits(nodes: number, generators: number): void {
  const [low = 0, high = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  // All connect from 127.0.0.1 to one port: each needs a port of its own.
  if (high - low < nodes + SPARE) {
    throw new Error(
      `${nodes} connections from one address need as many local ports, and there are ${high - low}: ` +
        'sysctl -w net.ipv4.ip_local_port_range="10000 65000"',
    );
  }
  // As the service is started: whoever may raise the limit does.
  const raised = `ulimit -n ${FILES} 2>/dev/null || ulimit -n $(ulimit -Hn); ulimit -n`;
  const files = Number(execFileSync('/bin/sh', ['-c', raised], { encoding: 'utf8' }));
  const needed = nodes + SPARE;
  if (files < needed) {
    throw new Error(
      `${nodes} connections need a service with ${needed} open files, and ${files} are allowed: ` +
        'raise `ulimit -Hn`, or give smaller --nodes',
    );
  }
  const own = Number(execFileSync('/bin/sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
  if (own < Math.ceil(nodes / generators) + SPARE) {
    throw new Error(`${nodes} nodes in ${generators} processes need more --generators`);
  }
}
