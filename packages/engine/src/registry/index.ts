/** The registry: which tool servers, tools and agents exist, pinned as an operator accepted them. */
export { confine } from './confine.ts'
export { openRegistry, registryMigrations } from './open-registry.ts'
export type { RegistryOptions } from './open-registry.ts'
export { mountRegistry } from './routes.ts'
export type { RegistryHooks } from './routes.ts'
export { extractSecrets } from './secret-fields.ts'
export { cleanText, foldName, hasHidden, spellHidden } from './untrusted-text.ts'
export type {
  Acceptance,
  Agent,
  AgentDraft,
  Classification,
  Difference,
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
