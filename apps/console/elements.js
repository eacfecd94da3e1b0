/** What the console shows, as elements: text from outside is never markup, and what is invisible in it is written out. */

/** Of agents and people, by id. */
export const names = new Map()

/** Agents and tool servers choose what is shown here: what is invisible or changes direction is written out. */
export function plain(text) {
  return String(text).replaceAll(
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Text goes in as text: nothing from outside is ever parsed as markup. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'onclick') made.addEventListener('click', value)
    else if (value !== undefined) made.setAttribute(name, value)
  }
  made.append(...children.filter((child) => child !== undefined).map((child) => (child instanceof Node ? child : plain(child))))
  return made
}

export const nameOf = (id) => names.get(id) ?? id
export const timeOf = (iso) => new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
export const actionOf = ({ server, tool, method }) => (tool === undefined ? `${method} on ${server}` : `${server}/${tool}`)
const WORDS = { permit: 'Permitted', hold: 'Held', deny: 'Refused' }
export const badge = (effect) => element('span', { class: `badge ${effect}` }, WORDS[effect])
export const block = (value) => element('pre', { tabindex: '0' }, JSON.stringify(value, null, 2))
export const reasonList = (reasons) =>
  reasons.map(({ text, policy }) => element('p', {}, text, ' ', element('span', { class: 'soft' }, `(${policy})`)))
/** What the agent wrote, without the envelope that the record puts around it. */
export const argumentsOf = (value) => (value && typeof value === 'object' && 'input' in value ? value.input : value)

export function leftOf(iso) {
  const minutes = Math.round((Date.parse(iso) - Date.now()) / 60_000)
  return minutes < 1 ? 'less than a minute left' : `${minutes} min left`
}

/** How far each ask is; nothing where anyone may decide alone. */
export function needsOf({ asks }) {
  const rows = asks
    .filter(({ quorum, group, by, escalated }) => quorum > 1 || group !== undefined || by.length > 0 || escalated)
    .map(({ policy, quorum, group, by, escalated, escalate, until }) => {
      const who = by.length > 0 ? `: ${by.map(nameOf).join(', ')}` : ''
      const missing = by.length < quorum ? `; needs: ${group ?? 'anyone'}${escalated ? ' (passed on)' : ''}` : ''
      const next = by.length < quorum && escalate !== undefined ? `; passes to ${escalate} at ${timeOf(until)}` : ''
      return element(
        'li',
        {},
        `${by.length} of ${quorum} agreed${who}${missing}${next} `,
        element('span', { class: 'soft' }, `(${policy})`),
      )
    })
  return element('ul', { class: 'needs' }, ...rows)
}

export function factsOf(pairs) {
  return element(
    'dl',
    {},
    ...pairs
      .filter(([, value]) => value !== undefined && value !== '')
      .flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]),
  )
}

export const OBLIGATIONS = {
  limit: ({ count, per }) => `At most ${count} a ${per}`,
  timeout: ({ ms }) => `At most ${ms} ms`,
  redact: ({ category }) => `Without ${category} in the result`,
  sandbox: ({ profile }) => `In the sandbox ${profile}`,
  log: () => 'With the whole result on record',
}
