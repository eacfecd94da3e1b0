/** Who acts: the two kinds of principal that a credential can prove. Never built from a body. */

export type AgentPrincipal = {
  kind: 'agent'
  /** `agt_…` */
  id: string
  /** `crd_…`: the credential that proved it. */
  credential: string
  /** The session that the token itself names (`sid`), when it names one. */
  session?: string
  /** `per_…`: the person the token says it acts for. */
  onBehalfOf?: string
}

export type PersonPrincipal = {
  kind: 'person'
  /** `per_…` */
  id: string
  /** `ses_…`, or the id of the operator key for the local command line. */
  session: string
}

export type Principal = AgentPrincipal | PersonPrincipal
