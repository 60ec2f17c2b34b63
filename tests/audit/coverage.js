#!/usr/bin/env node
// Line and branch coverage of the contract by the forge tests. Exit code 1 below 100 %, with the lines that are missing.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { ROOT, WORK, environment, forge, main, run } = require('./tools')

const FILE = 'contracts/LuxxonSettlement.sol'

/**
 * The lines and branches of `file` in an lcov report: {lines, branches}, each {found, missed}, `missed` as line numbers.
 * DA is line,hits; BRDA is line,block,branch,hits, where - is a branch whose line was never reached.
 */
function coverageOf(lcov, file) {
  const record = lcov.split('end_of_record').find(part => part.includes(`SF:${file}\n`))
  if (!record) throw new Error(`${file} is not in the coverage report`)
  const count = (kind, hitsAt) => {
    const entries = record.split('\n').filter(line => line.startsWith(`${kind}:`)).map(line => line.slice(kind.length + 1).split(','))
    const missed = entries.filter(fields => !(Number(fields[hitsAt]) > 0)).map(([line]) => Number(line))
    return { found: entries.length, missed }
  }
  const coverage = { lines: count('DA', 1), branches: count('BRDA', 3) }
  if (coverage.lines.found === 0 || coverage.branches.found === 0) throw new Error(`the report knows no code in ${file}`)
  return coverage
}

/** What is not covered, and the figures in one line. */
function judge({ lines, branches }) {
  const faults = []
  if (lines.missed.length > 0) faults.push(`no test reaches line ${lines.missed.join(', ')} of ${FILE}`)
  if (branches.missed.length > 0) faults.push(`no test takes a branch of line ${branches.missed.join(', ')} of ${FILE}`)
  const figure = (name, { found, missed }) => {
    const covered = found - missed.length
    return `${name} ${Math.floor((covered / found) * 1000) / 10} % (${covered}/${found})`
  }
  return { faults, summary: `${figure('lines', lines)}, ${figure('branches', branches)} of ${FILE}` }
}

function check() {
  const folder = path.join(WORK, 'coverage')
  const lcov = path.join(folder, 'lcov.info')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  // The contract is compiled without the optimizer for this, so in a folder of its own; few inputs reach every line.
  const env = environment({ FOUNDRY_PROFILE: 'mutation', FOUNDRY_OUT: path.join(folder, 'out'), FOUNDRY_CACHE_PATH: path.join(folder, 'cache') })
  run(forge(), ['coverage', '--report', 'lcov', '--report-file', lcov], { cwd: ROOT, env })
  return judge(coverageOf(fs.readFileSync(lcov, 'utf8'), FILE))
}

if (require.main === module) main('coverage', check)

module.exports = { coverageOf, judge }
