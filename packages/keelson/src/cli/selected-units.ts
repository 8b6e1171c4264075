// Commands that change units which are there: their words become a selector, which the server resolves and
// guards. A pattern is never expanded here, so that the guards see what was asked for.
import type { Command } from 'commander'
import { KeelError } from '../base/errors.ts'
import type { ExitCode } from '../base/errors.ts'
import type { Intent, Selector } from '../model/operation.ts'
import { change } from './change.ts'
import type { ChangeOptions } from './change.ts'
import type { Invocation } from './invocation.ts'
import { withGuards, withWait } from './options.ts'
import { isPattern, resolveUnits } from './unit-arguments.ts'

export interface SelectOptions extends ChangeOptions {
  readonly all?: boolean
}

export function withUnits(command: Command): Command {
  command.argument('[units...]', 'units, instances, or patterns in quotes').option('--all', 'every unit of the cluster')
  return withGuards(withWait(command))
}

/** Makes the change that `intent` builds for the selected units. */
export async function changeUnits(
  keel: Invocation,
  words: readonly string[],
  options: SelectOptions,
  intent: (units: Selector) => Intent,
): Promise<ExitCode> {
  return change(keel, intent(await selectorFor(keel, words, options)), options)
}

/** The selector for words and --all. Throws KEEL-104 for neither or both, KEEL-501 for a name that is none. */
export async function selectorFor(keel: Invocation, words: readonly string[], options: SelectOptions): Promise<Selector> {
  if (options.all === true) {
    if (words.length > 0) throw new KeelError('KEEL-104', 'units and --all together')
    return { all: true }
  }
  if (words.length === 0) throw new KeelError('KEEL-104', 'no units named', { hint: 'name units, or say --all' })
  const named = words.filter((word) => word !== '' && !isPattern(word))
  const resolved = named.length === 0 ? [] : resolveUnits(named, await (await keel.daemon()).snapshot())
  return { names: [...words.filter((word) => word === '' || isPattern(word)), ...resolved] }
}
