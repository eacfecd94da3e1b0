/** The official conformance suite against the door: what its tool server passes, it passes, in both revisions and over both transports. */
import { expect, test } from 'vitest'
import { httpServer, runConformance, stdioServer } from '@ephor/testkit'
import type { JsonObject } from '@ephor/engine/kernel'
import { stdio, world } from '../upstream/fixtures/world.ts'
import { openDoor, toolOf } from './door.fixture.ts'

test.each([
  ['2025-11-25', 'stdio'],
  ['2025-11-25', 'http'],
  ['2026-07-28', 'http'],
] as const)('revision %s, tool server over %s', { timeout: 180_000 }, async (revision, kind) => {
  const http = kind === 'http' ? await httpServer('conformant') : undefined
  const transport = http === undefined ? stdio(stdioServer('conformant')) : { type: 'http' as const, url: http.url, headers: {} }
  const { upstreams } = world({ suite: transport })
  const upstream = await upstreams.connect('suite', 'agt_alice')
  const { tools } = await upstream.request('tools/list', {}, { signal: AbortSignal.timeout(10_000), timeoutMs: 10_000 })
  const listed = (Array.isArray(tools) ? tools : []) as (JsonObject & { name: string })[]
  const door = await openDoor({
    servers: { suite: { tools: listed.map((tool) => toolOf('suite', tool.name, tool)) } },
    permitServerRequests: true,
    settings: { plainNames: true },
    rooms: { upstreams },
    anonymous: true,
  })
  try {
    const report = await runConformance(door.url, revision)
    expect(report.failing).toEqual([])
    expect(report.passed).toBeGreaterThan(revision === '2025-11-25' ? 60 : 40)
  } finally {
    await door.close()
    await http?.close()
  }
})
