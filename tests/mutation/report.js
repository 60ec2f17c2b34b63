// What a run found: the table, the survivors, and what is wrong about them.
'use strict'

const { SURVIVED, TIMEOUT } = require('./forge')

const survivors = results => results.filter(({ killedBy }) => killedBy === SURVIVED)

/** Explanations by fingerprint, out of survivors.json: [{why, survivors: [fingerprint]}]. */
function explanations(list) {
  const explained = new Map()
  for (const { why, survivors } of list) {
    for (const fingerprint of survivors) {
      if (explained.has(fingerprint)) throw new Error(`survivors.json has it twice: ${fingerprint}`)
      explained.set(fingerprint, why)
    }
  }
  return explained
}

/** The table by operator and the survivors, as text. */
function text({ results, invalid, same }, explained, file) {
  const names = [...new Set(results.map(({ operator }) => operator))].sort()
  const rows = names.map(name => row(name, results.filter(({ operator }) => operator === name)))
  const lines = [['operator', 'mutants', 'killed', 'timeout', 'survived'], ...rows, row('all', results)]
    .map(([name, ...figures]) => name.padEnd(12) + figures.map(figure => String(figure).padStart(10)).join(''))
  lines.push(`${invalid} more do not compile, ${same} more have the code of the contract or of a mutant before them`)
  for (const mutant of survivors(results)) {
    lines.push('', `survived: ${file}:${mutant.id} in ${mutant.scope}`, `  - ${mutant.from}`, `  + ${mutant.to}`)
    lines.push(`  ${explained.get(mutant.fingerprint) ?? 'not explained'}`)
  }
  const { score, killed, survived } = figures(results)
  const known = survivors(results).filter(({ fingerprint }) => explained.has(fingerprint)).length
  lines.push('', `score ${score} %: ${killed} of ${results.length} mutants killed; ${known} of ${survived} survivors explained`)
  return lines.join('\n')
}

function row(name, part) {
  const late = part.filter(({ killedBy }) => killedBy === TIMEOUT).length
  const { killed, survived } = figures(part)
  return [name, part.length, killed - late, late, survived]
}

function figures(results) {
  const survived = survivors(results).length
  const killed = results.length - survived
  return { killed, survived, score: results.length === 0 ? '0.0' : ((killed / results.length) * 100).toFixed(1) }
}

/** Survivors without an explanation; explanations of what was killed or, if `whole`, is not there any more. */
function faults({ results }, explained, whole) {
  const found = survivors(results)
    .filter(({ fingerprint }) => !explained.has(fingerprint))
    .map(({ id, fingerprint }) => `${id}: no test fails, and survivors.json does not explain it: ${fingerprint}`)
  const tested = new Map(results.map(mutant => [mutant.fingerprint, mutant]))
  for (const fingerprint of explained.keys()) {
    const mutant = tested.get(fingerprint)
    if (mutant && mutant.killedBy !== SURVIVED) {
      found.push(`survivors.json explains what ${mutant.killedBy} kills: ${fingerprint}`)
    }
    if (!mutant && whole) found.push(`survivors.json explains what is not a mutant any more: ${fingerprint}`)
  }
  return found
}

/** Progress on stderr: a line written over on a terminal, one line in half a minute elsewhere. */
function progress() {
  const started = Date.now()
  let last = started
  return (what, done, all) => {
    const words = `mutation: ${what} ${done} of ${all}, ${Math.round((Date.now() - started) / 1000)} s`
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${words}${what === 'testing' && done === all ? '\n' : ''}`)
    } else if (Date.now() - last > 30_000) {
      last = Date.now()
      console.error(words)
    }
  }
}

module.exports = { explanations, faults, figures, progress, text }
