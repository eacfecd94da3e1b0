/** The registry: which tool servers, tools and agents exist, pinned as an operator accepted them. */
export { confine } from './confine.ts'
export type {
  Agent,
  AgentDraft,
  Classification,
  Difference,
  ProjectionCheck,
  Registry,
  Risk,
  ServerDraft,
  Tool,
  ToolDefinition,
  ToolDiff,
  ToolKind,
  ToolServer,
  Transport,
} from './types.ts'
