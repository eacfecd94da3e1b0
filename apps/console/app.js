/** The console: signs in by the link's code, shows what waits for a person and what is decided, and takes decisions. */
import {
  actionOf,
  argumentsOf,
  badge,
  block,
  element,
  factsOf,
  leftOf,
  nameOf,
  names,
  needsOf,
  OBLIGATIONS,
  plain,
  reasonList,
  timeOf,
} from './elements.js'

const $ = (id) => document.getElementById(id)
let older
let events
/** How much of the list is shown; a refresh keeps it. */
let shown = 50

class Problem extends Error {
  constructor(status, { title, detail, advice, code } = {}) {
    super(title === undefined ? `The answer was ${status}.` : `${title}: ${detail}. ${advice}`)
    this.status = status
    this.code = code
  }
}

async function api(method, path, body) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) })
  if (response.status === 204) return undefined
  const answer = await response.json().catch(() => undefined)
  if (!response.ok) throw new Problem(response.status, answer)
  return answer
}

function say(error) {
  $('message').hidden = error === undefined
  $('message').textContent = error === undefined ? '' : error.message
  if (error?.status === 401) showSignIn()
}

/** Runs what a person or an event asked for, and says what went wrong. */
function attempt(work) {
  return (...all) => {
    Promise.resolve()
      .then(() => work(...all))
      .catch(say)
  }
}

function approvalCard(approval) {
  const { id, digest, agent, server, tool, reasons, expiresAt, requesters } = approval
  const note = element('input', { 'aria-label': `Note on ${tool}`, placeholder: 'Note (optional)', maxlength: '2000' })
  const decide = (verdict) =>
    attempt(async () => {
      for (const button of card.querySelectorAll('button')) button.disabled = true
      try {
        const text = note.value.trim()
        await api('POST', `/v1/approvals/${id}/decision`, { verdict, digest, ...(text === '' ? {} : { note: text }) })
        say()
      } finally {
        await refreshApprovals()
      }
    })
  const card = element(
    'article',
    { class: 'card', 'data-id': id },
    element('h2', {}, `${nameOf(agent)} wants to run ${server}/${tool}`),
    ...reasonList(reasons),
    requesters.length > 0 ? element('p', { class: 'soft' }, `On behalf of ${requesters.map(nameOf).join(', ')}`) : undefined,
    block(argumentsOf(approval.arguments)),
    needsOf(approval),
    element('p', { class: 'soft' }, `Until ${timeOf(expiresAt)}, ${leftOf(expiresAt)}. Approving lets exactly this call run, once.`),
    element(
      'div',
      { class: 'actions' },
      note,
      element('button', { class: 'approve', onclick: decide('approve') }, 'Approve'),
      element('button', { class: 'refuse', onclick: decide('deny') }, 'Deny'),
    ),
  )
  return card
}

async function refreshApprovals() {
  const { items } = await api('GET', '/v1/approvals?state=pending&limit=100')
  const known = new Map([...$('waiting').querySelectorAll('[data-id]')].map((card) => [card.dataset.id, card]))
  // A card that somebody is typing a note into stays the one it is, but for who has agreed meanwhile.
  const cards = await Promise.all(
    items.map(async (item) => {
      const card = known.get(item.id)
      if (!card || card.querySelector(':disabled')) return approvalCard(await api('GET', `/v1/approvals/${item.id}`))
      card.querySelector('.needs').replaceWith(needsOf(item))
      return card
    }),
  )
  const same = cards.length === known.size && cards.every((card) => known.get(card.dataset.id) === card)
  if (!same || cards.length === 0)
    $('waiting').replaceChildren(...(cards.length > 0 ? cards : [element('p', { class: 'empty' }, 'Nothing waits for a person.')]))
  $('waiting-count').hidden = cards.length === 0
  $('waiting-count').textContent = cards.length
  document.title = cards.length > 0 ? `(${cards.length}) Ephor` : 'Ephor'
}

const describeRisk = ({ score, tier, parts }) =>
  `${tier}, ${score}${parts.length > 0 ? ` = ${parts.map(({ term, points }) => `${points} ${term}`).join(' + ')}` : ''}`

function decisionRow(decision, isNew) {
  const { id, at, effect, fault, agent, reasons, detail, outcome } = decision
  return element(
    'tr',
    { 'data-id': id, class: isNew ? 'new' : undefined },
    element('td', { title: at }, timeOf(at)),
    element('td', {}, badge(effect)),
    element('td', {}, nameOf(agent)),
    element('td', {}, element('button', { class: 'link', onclick: attempt(() => showDecision(id)) }, actionOf(decision))),
    // The reasons are the policies'; what else refuses, such as a budget, says so in the detail.
    element('td', {}, (fault === undefined || fault === 'POLICY_DENIED' ? reasons[0]?.text : detail) ?? reasons[0]?.text ?? detail ?? ''),
    element(
      'td',
      outcome === 'failed' || outcome === 'unknown' ? { class: 'warn' } : {},
      outcome ?? (effect === 'permit' ? 'running' : ''),
    ),
  )
}

async function refreshDecisions() {
  const effect = $('effect').value
  const { items, next } = await api('GET', `/v1/decisions?limit=${shown}${effect === '' ? '' : `&effect=${effect}`}`)
  if (items.some(({ agent }) => !names.has(agent))) await refreshNames()
  const rows = $('decisions')
  const before = new Set([...rows.children].map((row) => row.dataset.id))
  const focused = document.activeElement?.closest('tr')?.dataset.id
  rows.replaceChildren(...items.map((item) => decisionRow(item, before.size > 0 && !before.has(item.id))))
  if (focused)
    [...rows.children]
      .find((row) => row.dataset.id === focused)
      ?.querySelector('button')
      ?.focus()
  $('no-decisions').hidden = items.length > 0
  older = next
  $('more').hidden = older === undefined || shown >= 500
}

async function showDecision(id) {
  const decision = await api('GET', `/v1/decisions/${id}`)
  const { receipt, outcome, outcomeAt, obligations, reasons, input, result } = decision
  const proof = element(
    'button',
    {
      class: 'quiet',
      onclick: attempt(async () => {
        const answer = await api('GET', `/v1/ledger/entries/${receipt.seq}/proof`)
        proof.replaceWith(element('pre', { tabindex: '0' }, answer.proof))
      }),
    },
    'Show the proof that it is in the ledger',
  )
  $('detail-title').replaceChildren(badge(decision.effect), ' ', plain(actionOf(decision)))
  $('detail-body').replaceChildren(
    factsOf([
      ['Decision', id],
      ['Time', new Date(decision.at).toLocaleString()],
      ['Agent', `${nameOf(decision.agent)} (${decision.agent})`],
      ['Door', decision.door === 'mcp' ? 'MCP gateway' : 'API'],
      ['Kind', decision.kind && `${decision.kind}, risk ${decision.risk}`],
      ['Risk', decision.riskScore && describeRisk(decision.riskScore)],
      ['Fault', decision.fault],
      ['Detail', decision.fault === 'POLICY_DENIED' && decision.reasons.length > 0 ? undefined : decision.detail],
      ['Approval', decision.approval],
      ['Outcome', outcome && `${outcome}, ${timeOf(outcomeAt)}`],
    ]),
    element('h2', {}, 'Why'),
    ...reasonList(reasons),
    ...obligations.map((one) => element('p', { class: 'soft' }, `${OBLIGATIONS[one.kind](one)} (${one.policy})`)),
    ...(input === undefined ? [] : [element('h2', {}, 'Arguments'), block(argumentsOf(input))]),
    ...(result === undefined ? [] : [element('h2', {}, 'Result'), block(result)]),
    element('h2', {}, 'Evidence'),
    factsOf([
      ['Ledger', receipt.origin],
      ['Entry', receipt.seq],
      ['Leaf', receipt.leafHash],
      ['Digest', decision.digest],
      ['Policy', decision.policy],
    ]),
    proof,
  )
  $('detail').showModal()
}

async function refreshNames() {
  const [agents, people] = await Promise.all([api('GET', '/v1/agents?limit=500'), api('GET', '/v1/people')])
  for (const { id, name } of [...agents.items, ...people.items]) names.set(id, name)
}

/** Many entries may come at once: one refresh serves them all. */
function soon(work) {
  let timer
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined
      attempt(work)()
    }, 150)
  }
}

function listen() {
  const decisionsSoon = soon(refreshDecisions)
  const approvalsSoon = soon(refreshApprovals)
  events?.close()
  events = new EventSource('/v1/events?types=decision,outcome,approval')
  const live = (on) => {
    $('live').hidden = false
    $('live').classList.toggle('on', on)
    $('live').textContent = on ? 'live' : 'connecting …'
  }
  events.addEventListener('open', () => {
    live(true)
    decisionsSoon()
    approvalsSoon()
  })
  events.addEventListener(
    'error',
    attempt(async () => {
      live(false)
      if (events.readyState === EventSource.CLOSED) await api('GET', '/v1/principal')
    }),
  )
  for (const type of ['decision', 'outcome']) events.addEventListener(type, decisionsSoon)
  for (const what of ['opened', 'voted', 'escalated', 'decided', 'spent', 'expired'])
    events.addEventListener(`approval.${what}`, approvalsSoon)
}

function showSignIn() {
  events?.close()
  for (const id of ['signed-in', 'sign-out', 'live']) $(id).hidden = true
  $('person').textContent = ''
  $('signed-out').hidden = false
}

async function start() {
  const code = /^#code=(\S+)$/.exec(location.hash)?.[1]
  if (code !== undefined) {
    // Out of the address, so that it stays in no history; it is good for one POST only.
    history.replaceState(null, '', '/')
    await api('POST', '/v1/sessions', { code })
  }
  const who = await api('GET', '/v1/principal').catch((error) => {
    if (error.status !== 401) throw error
  })
  if (who === undefined) return showSignIn()
  say()
  $('person').textContent = plain(who.name ?? who.id)
  $('signed-out').hidden = true
  $('sign-out').hidden = false
  $('signed-in').hidden = false
  await refreshNames()
  await Promise.all([refreshApprovals(), refreshDecisions()])
  listen()
}

$('sign-out').addEventListener(
  'click',
  attempt(async () => {
    await api('DELETE', '/v1/sessions/current')
    showSignIn()
  }),
)
$('close').addEventListener('click', () => $('detail').close())
$('effect').addEventListener('change', attempt(refreshDecisions))
$('more').addEventListener(
  'click',
  attempt(() => {
    shown = Math.min(500, shown + 100)
    return refreshDecisions()
  }),
)
addEventListener('hashchange', attempt(start))
// An approval that runs out while nobody acts leaves the list by itself.
setInterval(() => $('signed-in').hidden || attempt(refreshApprovals)(), 30_000)
attempt(async () => {
  try {
    await start()
  } catch (error) {
    showSignIn()
    throw error
  }
})()
