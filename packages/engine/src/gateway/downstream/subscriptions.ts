/** Who wants to hear of which resource: one subscription upstream for all of an agent's sessions, each decided by the broker. */
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import type { AgentPrincipal } from '@ephor/contract'
import { invalidParams } from './replies.ts'
import type { Caller } from './caller.ts'
import type { Catalog } from './catalog.ts'
import type { Links } from './links.ts'
import { performCall } from './perform-call.ts'
import type { CallDeps } from './perform-call.ts'

export type Subscriptions = {
  /** Decided, subscribed upstream, remembered. @throws ProtocolError when it is refused or held. */
  subscribe(caller: Caller, subscriber: string, uri: string): Promise<JsonObject>
  unsubscribe(principal: AgentPrincipal, subscriber: string, uri: string, signal: AbortSignal): Promise<JsonObject>
  /** The URIs, as each subscriber wrote them, that an update of a server's resource concerns. */
  concerned(agent: string, server: string, uri: string): { subscriber: string; uri: string }[]
  /** A session or stream ended. */
  drop(agent: string, subscriber: string): void
}

/** Subscriptions of one session at most. */
const MAX_PER_SUBSCRIBER = 1024
const UNSUBSCRIBE_MS = 5_000

type Subscription = { agent: string; server: string; serverUri: string; uri: string }

export function createSubscriptions(deps: CallDeps & { catalog: Catalog; links: Links; log: Logger }): Subscriptions {
  const { catalog, links, log } = deps
  const bySubscriber = new Map<string, Map<string, Subscription>>()

  const all = (agent: string) =>
    [...bySubscriber].flatMap(([subscriber, held]) =>
      [...held.values()].filter((subscription) => subscription.agent === agent).map((subscription) => ({ subscriber, ...subscription })),
    )

  /** The last of the agent's subscribers to leave ends the subscription upstream. */
  async function leave({ agent, server, serverUri }: Subscription): Promise<void> {
    if (all(agent).some((other) => other.server === server && other.serverUri === serverUri)) return
    const upstream = await links.connect(server, agent)
    await upstream.request(
      'resources/unsubscribe',
      { uri: serverUri },
      { signal: AbortSignal.timeout(UNSUBSCRIBE_MS), timeoutMs: UNSUBSCRIBE_MS },
    )
  }

  return {
    async subscribe(caller, subscriber, uri) {
      const held = bySubscriber.get(subscriber) ?? new Map<string, Subscription>()
      if (held.size >= MAX_PER_SUBSCRIBER) throw invalidParams(`more than ${MAX_PER_SUBSCRIBER} subscriptions`)
      const { result, target } = await performCall(deps, caller, 'resources/subscribe', { uri })
      bySubscriber.set(subscriber, held.set(uri, { agent: caller.principal.id, server: target.server, serverUri: target.name, uri }))
      return result
    },

    async unsubscribe(principal, subscriber, uri, signal) {
      const held = bySubscriber.get(subscriber)
      const subscription = held?.get(uri)
      if (subscription === undefined) {
        if ((await catalog.route(principal, uri, signal)) === undefined) throw invalidParams('no such resource')
        return {}
      }
      held?.delete(uri)
      await leave(subscription)
      return {}
    },

    concerned: (agent, server, uri) =>
      all(agent)
        .filter((subscription) => subscription.server === server && subscription.serverUri === uri)
        .map((subscription) => ({ subscriber: subscription.subscriber, uri: subscription.uri })),

    drop(agent, subscriber) {
      const held = bySubscriber.get(subscriber)
      bySubscriber.delete(subscriber)
      for (const subscription of held?.values() ?? []) {
        leave(subscription).catch((error: unknown) =>
          log.debug({ agent, server: subscription.server, err: error }, 'could not unsubscribe'),
        )
      }
    },
  }
}
