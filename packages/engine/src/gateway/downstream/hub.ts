/** Passes on what tool servers say of themselves: to the agent whose connection it is, and to nobody else. */
import type { JsonObject } from '@ephor/engine/kernel'
import { isAtLeast } from './caller.ts'
import type { Links, OnNotification } from './links.ts'
import type { Sessions } from './sessions.ts'
import type { Stateless } from './stateless.ts'
import type { Subscriptions } from './subscriptions.ts'

export type HubRooms = { links: Links; sessions: Sessions; stateless: Stateless; subscriptions: Subscriptions }

/** Log messages go on the stream of the call they probably belong to, else on the session's own stream. */
function onLog({ links, sessions }: HubRooms, agent: string, server: string, params: JsonObject): void {
  if (links.isQuiet(agent, server)) return
  const callers = links.callers(agent, server)
  for (const caller of callers) {
    const threshold = caller.logLevel()
    if (threshold !== undefined && isAtLeast(params['level'], threshold)) caller.notify('notifications/message', params)
  }
  if (callers.length > 0) return
  for (const session of sessions.of(agent)) {
    if (isAtLeast(params['level'], session.logLevel ?? 'debug')) sessions.notify(agent, session.id, 'notifications/message', params)
  }
}

function onUpdated({ sessions, stateless, subscriptions }: HubRooms, agent: string, server: string, params: JsonObject): void {
  if (typeof params['uri'] !== 'string') return
  const published = new Set<string>()
  for (const { subscriber, uri } of subscriptions.concerned(agent, server, params['uri'])) {
    if (stateless.isListening(subscriber) === undefined)
      sessions.notify(agent, subscriber, 'notifications/resources/updated', { ...params, uri })
    else if (!published.has(uri)) {
      published.add(uri)
      stateless.publish(agent, { kind: 'resource_updated', uri })
    }
  }
}

/** Anything not named here stays where it is: a server has no other way to speak to agents. */
export function createHub(rooms: HubRooms): OnNotification {
  const { sessions, stateless } = rooms
  return (agent, server, method, params) => {
    switch (method) {
      case 'notifications/message':
        return onLog(rooms, agent, server, params)
      case 'notifications/resources/updated':
        return onUpdated(rooms, agent, server, params)
      case 'notifications/resources/list_changed':
        sessions.notify(agent, undefined, method)
        return stateless.publish(agent, { kind: 'resources_list_changed' })
      case 'notifications/prompts/list_changed':
        sessions.notify(agent, undefined, method)
        return stateless.publish(agent, { kind: 'prompts_list_changed' })
      case 'notifications/elicitation/complete':
        return sessions.notify(agent, undefined, method, params)
      default:
    }
  }
}

/** What agents see changed: a server was accepted, a tool classified, a policy replaced. */
export function announceLists({ sessions, stateless }: Pick<HubRooms, 'sessions' | 'stateless'>): void {
  for (const list of ['tools', 'resources', 'prompts'] as const) {
    sessions.notify(undefined, undefined, `notifications/${list}/list_changed`)
    stateless.publish(undefined, { kind: `${list}_list_changed` })
  }
}
