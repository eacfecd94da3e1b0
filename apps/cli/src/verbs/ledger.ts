/** `ephor ledger` */
import type { Command } from 'commander'
import type { Io } from '../output.ts'

export function addLedger(_program: Command, _io: Io): void {}
