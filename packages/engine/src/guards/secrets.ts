/** Detector of secrets: tokens whose issuers gave them a form of their own, and private keys. */
import { matchesOf, spansOf } from './matches.ts'
import type { Detector, Span } from './types.ts'

/** Of each issuer what it publishes about the form of its tokens; bounded, so that no text makes a pattern slow. */
const TOKENS = [
  // AWS access keys, and Bedrock keys
  String.raw`\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`,
  String.raw`\bABSK[A-Za-z0-9+/]{109,269}={0,2}`,
  // GitHub, GitLab
  String.raw`gh[pousr]_[0-9a-zA-Z]{36,255}`,
  String.raw`github_pat_\w{82,255}`,
  String.raw`gl(?:pat|dt|ptt|rt|ft|imt|agent|oas|soat|ffct|cbt)-[\w.-]{20,320}`,
  // Slack
  String.raw`xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z-]{8,255}`,
  String.raw`xapp-\d-[A-Za-z0-9]{1,64}-\d{1,64}-[A-Za-z0-9]{1,128}`,
  String.raw`hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,80}`,
  // OpenAI, Anthropic, Stripe, Google, npm
  String.raw`\bsk-(?:proj|svcacct|admin|ant-api03|ant-admin01)-[A-Za-z0-9_-]{20,255}`,
  String.raw`\bsk-[a-zA-Z0-9]{20}T3BlbkFJ[a-zA-Z0-9]{20}`,
  String.raw`\b[sr]k_(?:test|live|prod)_[a-zA-Z0-9]{10,255}`,
  String.raw`\bAIza[\w-]{35}`,
  String.raw`\bnpm_[a-zA-Z0-9]{36}`,
  // Ephor's own credentials, sessions and links
  String.raw`\bep[hsl]_[0-9A-Za-z]{43}`,
  // JSON Web Tokens (RFC 7519); only from the start of a run of their characters, which is what keeps it linear
  String.raw`(?<![\w-])ey[A-Za-z0-9_-]{15,}\.ey[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]*`,
].map((pattern) => new RegExp(pattern, 'gu'))

const BEGIN_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/gu
const END_KEY = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/gu

/** From BEGIN to END; a key that is cut off reaches to the end of the text. */
function privateKeys(text: string): Span[] {
  const found: Span[] = []
  for (const { index: start } of matchesOf(text, BEGIN_KEY)) {
    if (start < (found.at(-1)?.end ?? 0)) continue
    END_KEY.lastIndex = start
    const last = END_KEY.exec(text)
    found.push({ start, end: last ? END_KEY.lastIndex : text.length })
  }
  return found
}

export const secret: Detector = (text) => [...TOKENS.flatMap((pattern) => spansOf(text, pattern)), ...privateKeys(text)]
