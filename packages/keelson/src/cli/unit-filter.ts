// Which of the units that are there a person meant: exact names, names without suffix, templates, patterns.

/** Something that runs, or a unit: `web@1.container` of `web@.container`. */
export interface Named {
  readonly name: string
  readonly unit: string
}

const suffix = /\.[a-z]+$/

/** True for what any of the words names; no words name everything. */
export function unitFilter(words: readonly string[]): (item: Named) => boolean {
  if (words.length === 0) return () => true
  const tests = words.map(unitTest)
  return (item) => tests.some((test) => test(item))
}

function unitTest(word: string): (item: Named) => boolean {
  if (/[*?[]/.test(word)) {
    const pattern = globPattern(word)
    return ({ name, unit }) => [name, unit].some((text) => pattern.test(text) || pattern.test(text.replace(suffix, '')))
  }
  return ({ name, unit }) => [name, unit].some((text) => text === word || text.replace(suffix, '') === word)
}

/** A shell pattern with `*`, `?` and `[…]` as a regular expression for the whole text. */
export function globPattern(glob: string): RegExp {
  let source = ''
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i] ?? ''
    const end = character === '[' ? glob.indexOf(']', i + 2) : -1
    if (character === '*') source += '.*'
    else if (character === '?') source += '.'
    else if (end > 0) {
      const inside = glob.slice(i + 1, end).replace(/^!/, '^').replaceAll('\\', '\\\\')
      source += `[${inside}]`
      i = end
    } else source += character.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  }
  return new RegExp(`^${source}$`)
}

/** Order in which people count: web@2 before web@10. */
export function naturally(a: string, b: string): number {
  return collator.compare(a, b)
}

const collator = new Intl.Collator('en', { numeric: true })
