/** `ephor doctor` */
import type { Command } from 'commander'
import type { Io } from '../output.ts'

export function addDoctor(_program: Command, _io: Io): void {}
