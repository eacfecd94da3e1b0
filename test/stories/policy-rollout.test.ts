/** A policy on its way: proposed, reviewed by another person, tried on all sessions, killed with the process, promoted, taken back. */
import { appendFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, expect, test } from 'vitest'
import { run } from '../../apps/cli/src/main.ts'

let ephor: EphorProcess
afterAll(() => ephor.stop())

const CHARTER = `authorities:
  policy: { review: ["group:security"], publish: ["group:security"], reviewers: 1 }
  charter: { review: ["group:security"], publish: ["group:security"], reviewers: 2 }
`
const NO_WRITES = '\n@id("frozen")\n@reason("Nothing is written this week.")\nforbid (principal, action in Action::"write", resource);\n'

/** The command line of somebody who is signed in. */
async function cli(session: string, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    environment: { EPHOR_HOME: ephor.home, EPHOR_URL: ephor.url, EPHOR_CREDENTIAL: session },
    folder: ephor.home,
  }
  const code = await run(['node', 'ephor', 'policy', ...argv], io)
  return { code, out, err }
}

async function person(name: string, groups: string[]): Promise<string> {
  const { id } = await ephor.operator.addPerson({ body: { name, groups } })
  const { code } = await ephor.operator.createLink({ body: { person: id } })
  const { secret } = await ephor.operator.openSession({ body: { code, deliver: 'bearer' } })
  return secret ?? ''
}

async function write(): Promise<string> {
  const client = await ephor.mcp(ephor.credential)
  try {
    const { tools } = await client.listTools()
    const name = tools.find((tool) => tool.name.endsWith('write_file'))?.name ?? 'files__write_file'
    const { content } = await client.callTool({ name, arguments: { path: 'story.txt', content: 'x' } })
    return JSON.stringify(content)
  } finally {
    await client.close()
  }
}

test('a reviewed policy is tried, survives a kill, goes live, and is taken back in one command', { timeout: 240_000 }, async () => {
  ephor = await startEphor()
  const [author, reviewer, third] = [await person('Ann', ['security']), await person('Sue', ['security']), await person('Bob', [])]
  writeFileSync(join(ephor.home, 'policies', 'charter.yaml'), CHARTER)
  const shown = async () => JSON.parse((await cli(author, 'show', '--json')).out) as Record<string, string>
  await expect.poll(async () => (await shown()).governor, { timeout: 30_000 }).toBeDefined()
  const { version: before } = await shown()
  expect(await write()).not.toMatch(/POLICY_DENIED|Nothing is written/)

  const proposedFolder = mkdtempSync(join(tmpdir(), 'ephor-proposal-'))
  cpSync(join(ephor.home, 'policies'), proposedFolder, { recursive: true })
  appendFileSync(join(proposedFolder, 'writes.cedar'), NO_WRITES)
  const proposed = await cli(author, 'propose', proposedFolder, '--why', 'The audit is this week.', '--json')
  expect(proposed).toMatchObject({ code: 0, err: '' })
  const { id, version } = JSON.parse(proposed.out) as { id: string; version: string }

  expect(await cli(author, 'review', id, '--approve')).toMatchObject({
    code: 4,
    err: expect.stringContaining('Nobody reviews their own proposal'),
  })
  expect(await cli(third, 'review', id, '--approve')).toMatchObject({ code: 4, err: expect.stringContaining('group:security') })
  expect(await cli(author, 'publish', id)).toMatchObject({ code: 1, err: expect.stringContaining('0 of 1 approvals') })
  expect((await cli(reviewer, 'review', id, '--approve', '--note', 'as agreed')).out).toContain('It can become active')
  expect((await cli(author, 'publish', id, '--canary', '100%')).out).toContain(version)
  expect(await write()).toContain('Nothing is written this week.')

  await ephor.kill()
  ephor = await startEphor({ home: ephor.home })
  expect(await write()).toContain('Nothing is written this week.')
  const rollout = await cli(author, 'rollout')
  expect(rollout.out).toMatch(/canary 100%/)
  expect(rollout.out).toMatch(/write_file/)
  expect(await cli(author, 'rollout', '--promote')).toMatchObject({ code: 0, err: '' })
  expect(await shown()).toMatchObject({ version })

  const back = await cli(author, 'rollback', '--why', 'The audit is over.')
  expect(back.out).toContain(before)
  expect(await write()).not.toContain('Nothing is written this week.')
  expect((await cli(author, 'versions')).out.split('\n')[1]).toMatch(new RegExp(`^active .*${before}`))
  expect((await cli(author, 'proposals')).out).toMatch(/rolled-back/)
})
