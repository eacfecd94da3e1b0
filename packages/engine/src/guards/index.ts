/** Guards: detectors of personal data and secrets, and values without them. */
export { detect } from './detect.ts'
export { redact } from './redact.ts'
export type { Found, Redacted } from './types.ts'
