/** Erasure, holds and retention over HTTP: people see them, the operator decides them, agents reach none of it. */
import { Fault, ledgerErasureOperations } from '@ephor/contract'
import type { ErasureDone, ErasureReason, NamingRow, PersonPrincipal } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Erasure } from './open-erasure.ts'

/** What other rooms know of a subject, which this one does not. */
export type AboutSubjects = {
  isOperator: (person: string) => boolean
  groupsOf: (subject: string) => readonly string[]
  /** What other rooms say of the subject, and whether it would go. */
  namesOf: (subject: string) => Promise<NamingRow[]>
  /** Erases it here and there. */
  erase: (subject: string, how: { reason: ErasureReason; by: string }) => Promise<ErasureDone>
}

const ms = (time: string | undefined) => (time === undefined ? undefined : Date.parse(time))

export function mountErasure(app: FastifyInstance, erasure: Erasure, about: AboutSubjects, authenticate: Authenticate): void {
  /** @throws Fault FORBIDDEN */
  function operator({ id }: PersonPrincipal): string {
    if (!about.isOperator(id)) throw new Fault('FORBIDDEN', 'only the operator does this')
    return id
  }
  mount(
    app,
    ledgerErasureOperations,
    {
      previewErasure: async ({ body }) => ({ ...(await erasure.preview(body.subject)), names: await about.namesOf(body.subject) }),
      eraseSubject: ({ body: { subject, reason }, principal }) => about.erase(subject, { reason, by: operator(principal) }),
      listErasures: async ({ query }) => ({ items: await erasure.list(query.limit) }),
      placeHold: ({ body: { subject, since, until, reason }, principal }) =>
        erasure.holds.place({ subject, since: ms(since), until: ms(until), reason }, operator(principal)),
      listHolds: async () => ({ items: await erasure.holds.list() }),
      async releaseHold({ params: { id }, principal }) {
        await erasure.holds.release(id, operator(principal))
        return { id }
      },
      getRetention: () => erasure.retention(),
      setRetention: async ({ body, principal }) => ({ version: await erasure.setRules(body, operator(principal)) }),
      sweepRetention: ({ principal }) => erasure.sweep({ groupsOf: about.groupsOf, by: operator(principal), force: true }),
    },
    authenticate,
  )
}
