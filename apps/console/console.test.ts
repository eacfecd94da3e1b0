/** Tests of the console in a real browser: the link signs in, a held call is approved, and nothing breaks its strict policy. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeLog } from '@ephor/engine/kernel'
import { loadSettings, startServer } from '@ephor/server'
import type { RunningServer } from '@ephor/server'

const CHROMIUM = '/usr/bin/chromium'
const here = existsSync(CHROMIUM)
const folder = mkdtempSync(join(tmpdir(), 'ephor-console-'))
let server: RunningServer
let browser: Browser

beforeAll(async () => {
  if (!here) return
  server = await startServer(loadSettings({ folder, environment: {}, flags: { port: 0 } }), makeLog('silent'))
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}, 60_000)
afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

async function ask(tool: string, input: Record<string, string>): Promise<void> {
  const credential = readFileSync(join(folder, '.ephor', 'demo-agent.credential'), 'utf8').trim()
  const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' }
  const response = await fetch(`${server.url}/v1/calls`, { method: 'POST', headers, body: JSON.stringify({ tool, input }) })
  expect(response.status).toBe(200)
}

/** A page, and what its browser complained of. */
async function open(url: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await browser.newContext()).newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.goto(url)
  return { page, complaints }
}
const scratch = (name: string) => join(folder, '.ephor', 'scratch', name)

test.skipIf(!here)(
  'a person signs in by the link, sees a held call as it comes, exactly as it is, and approves it',
  async () => {
    const { page, complaints } = await open(await server.signInLink())
    await page.getByText('Nothing waits for a person.').waitFor()
    expect(page.url()).not.toContain('code=')
    await page.getByRole('status').getByText('live').waitFor()
    await ask('files/move_file', { source: scratch('welcome.txt'), destination: scratch('<img src=x onerror=alert(1)>\u202e') })
    const card = page.getByRole('article')
    await card.getByRole('heading', { name: 'demo wants to run files/move_file' }).waitFor()
    // Markup is text, and what would turn the reading direction is written out.
    expect(await card.locator('pre').textContent()).toContain('<img src=x onerror=alert(1)>\\u202e')
    await card.getByRole('textbox', { name: /Note/ }).fill('agreed')
    await card.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('Nothing waits for a person.').waitFor()
    expect(server.rooms.approvals && (await server.rooms.approvals.list({ state: 'approved', limit: 1 })).items).toHaveLength(1)
    expect(complaints).toEqual([])
  },
  60_000,
)

test.skipIf(!here)(
  'a call that needs several people shows who has agreed and who is missing, as it happens',
  async () => {
    const { approvals, ledger, identity } = server.rooms
    const fay = await identity.addPerson({ name: 'Fay', groups: ['finance'] }, identity.operator)
    await identity.setGroups(identity.operator, ['finance'], identity.operator)
    const decision = 'dec_01kf0000000000000000000000'
    const digest = `sha256:${'a'.repeat(64)}`
    const ask = { policy: 'pay/finance', reason: 'Money leaves.', group: 'finance', quorum: 2, escalate: 'cfo' }
    const draft = { decision, digest, agent: 'agt_1', server: 'bank', tool: 'pay', summary: 'pay', requesters: [], ttlMs: 60_000 }
    const { approval, part } = approvals.open({ ...draft, reasons: [{ policy: ask.policy, text: ask.reason }], asks: [ask] })
    const input = { name: 'input', subject: 'agt_1', value: { server: 'bank', name: 'pay', input: { amount: 1 } } }
    const held = { type: 'decision', id: decision, body: { effect: 'hold' }, payloads: [input] }
    await ledger.append({ changes: part.changes, entries: [held, ...part.entries] })
    const { page, complaints } = await open(await server.signInLink())
    const card = page.getByRole('article', { name: '' }).filter({ hasText: 'bank/pay' })
    await card.getByText(/0 of 2 agreed; needs: finance; passes to cfo at/).waitFor()
    await card.getByRole('textbox', { name: /Note/ }).fill('half a thought')
    await approvals.decide(approval.id, { kind: 'person', id: fay.id, session: 'ses_1' }, { verdict: 'approve', digest })
    await card.getByText(/1 of 2 agreed: Fay; needs: finance/).waitFor()
    expect(await card.getByRole('textbox', { name: /Note/ }).inputValue()).toBe('half a thought')
    await card.getByRole('button', { name: 'Approve' }).click()
    await card.waitFor({ state: 'detached' })
    expect((await approvals.find(approval.id))?.state).toBe('approved')
    expect(complaints).toEqual([])
  },
  60_000,
)

test.skipIf(!here)(
  'decisions appear live, and one is shown with its reasons and its proof',
  async () => {
    const { page, complaints } = await open(await server.signInLink())
    await page.getByRole('status').getByText('live').waitFor()
    await ask('files/read_file', { path: '/etc/passwd' })
    await page
      .getByRole('row', { name: /Refused demo files\/read_file/ })
      .getByRole('button')
      .click()
    const dialog = page.getByRole('dialog', { name: /Refused files\/read_file/ })
    await dialog.getByText('The path is outside the folders').waitFor()
    await dialog.getByRole('button', { name: /proof/ }).click()
    await dialog.getByText('c2sp.org/tlog-proof@v1').waitFor()
    await dialog.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('ephor login').waitFor()
    expect(complaints).toEqual([])
  },
  60_000,
)

test.skipIf(!here)(
  'a used link, or none, leads to how to get one',
  async () => {
    const link = await server.signInLink()
    await open(link).then(({ page }) => page.getByRole('button', { name: 'Sign out' }).waitFor())
    const { page } = await open(link)
    await page
      .getByRole('alert')
      .getByText(/The sign-in link was used/)
      .waitFor()
    expect(await page.getByRole('heading', { name: 'Sign in' }).isVisible()).toBe(true)
  },
  60_000,
)
