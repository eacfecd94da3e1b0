/** Runs the command line in the test's own process, and gives back what it wrote and how it ended. */
import { run } from './main.ts'

export type Ran = { code: number; out: string; err: string }

/** @param folder where it is run @returns runs `ephor` with these words */
export function ephorIn(folder: string, environment: Record<string, string> = {}): (...argv: string[]) => Promise<Ran> {
  return async (...argv) => {
    let [out, err] = ['', '']
    const io = {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      environment,
      folder,
    }
    return { code: await run(['node', 'ephor', ...argv], io), out, err }
  }
}
