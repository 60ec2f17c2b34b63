#!/usr/bin/env node
// `make audit`: every check there is, and one table of what they said. Exit code 1 when one of them failed.
//   CHECK…    only these
//   --list    print the checks, and run none
// The whole output of each goes to target/audit/CHECK.log.
'use strict'

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { ROOT, VENV, WORK, environment, forge } = require('./tools')

const TAIL = 25
const QUIET_MS = 60_000

const node = (...args) => ['node', args]
const cargo = (...args) => ['cargo', args]
const COMPILE_ONLY = ['--package', 'luxxon-script', '--no-default-features', '--features', 'compile']

/**
 * Every check: what it shows; the commands it consists of; the program it needs and may do without; and `result`, whose
 * last match in the output is what the table says, or with `sum` all of them added up.
 */
const CHECKS = {
  forge: {
    shows: 'unit, adversarial, fuzz and invariant tests',
    commands: () => [[forge(), ['test']]],
    result: /^Ran \d+ test suites? .*?: (.*) \(/gm
  },
  nightly: {
    shows: 'the same with 10,000 inputs and longer invariant runs',
    commands: () => [[forge(), ['test']]],
    env: { FOUNDRY_PROFILE: 'nightly' },
    result: /^Ran \d+ test suites? .*?: (.*) \(/gm
  },
  symbolic: {
    shows: 'invariants proved for all inputs and all states',
    commands: () => [node('tests/audit/python.js'), [path.join(VENV, 'bin', 'halmos'), []]],
    result: /^Symbolic test result: (.*?);? time/gm
  },
  mutation: {
    shows: 'that a test fails for every change of the contract',
    commands: () => [node('--test', 'tests/mutation/mutation.test.js'), node('tests/mutation/run.js')],
    result: /^(score .*)$/gm
  },
  slither: {
    shows: 'static analysis, each finding answered',
    commands: () => [node('tests/audit/slither.js')],
    result: /^slither: (.*)$/gm
  },
  coverage: {
    shows: 'that tests reach each line and branch of the contract',
    commands: () => [node('--test', 'tests/audit/audit.test.js'), node('tests/audit/coverage.js')],
    result: /^coverage: (.*)$/gm
  },
  gas: {
    shows: 'what each transaction costs, against target and snapshot',
    commands: () => [node('tests/gas/run.js')]
  },
  artifacts: {
    shows: 'that the committed bytecode is what the sources compile to',
    needs: 'cargo',
    commands: () => [cargo('run', '--quiet', ...COMPILE_ONLY, '--', 'compile', '--check')]
  },
  system: {
    shows: 'the Rust tests, and the whole system on anvil',
    needs: 'cargo',
    commands: () => [cargo('build', '--workspace'), cargo('test', '--workspace')],
    result: /^test result: ok\. (.*?);/gm,
    sum: true
  },
  fuzz: {
    shows: 'that the indexer takes bytes of any kind for what they are',
    needs: 'cargo',
    commands: () => [node('tests/audit/fuzz.js')],
    result: /^fuzz: (.*)$/gm
  },
  'mutation-rust': {
    shows: "that a test fails for every change of the indexer's rules",
    needs: 'cargo',
    commands: () => [node('tests/mutation/rust.js')],
    result: /^(score .*)$/gm
  }
}

const has = program => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0

let running
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    running?.kill('SIGTERM')
    process.exit(1)
  })
}

/** Runs one check: {result, failed}, with its output in `log`. */
async function runCheck(name, { commands, env, needs, result, sum }, log) {
  if (needs && !has(needs)) return { result: `not run: there is no ${needs}`, failed: false }
  fs.writeFileSync(log, '')
  try {
    for (const [program, args] of commands()) await runCommand(name, program, args, environment(env), log)
  } catch (error) {
    fs.appendFileSync(log, `${error.message}\n`)
    return { result: 'FAILED', failed: true }
  }
  if (!result) return { result: 'ok', failed: false }
  const found = [...fs.readFileSync(log, 'utf8').matchAll(result)].map(([, text]) => text)
  if (found.length === 0) return { result: 'FAILED: its output has no result', failed: true }
  if (sum) return { result: `${found.reduce((all, text) => all + parseInt(text, 10), 0)} passed`, failed: false }
  return { result: found.at(-1), failed: false }
}

function runCommand(name, program, args, env, log) {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const output = fs.openSync(log, 'a')
    running = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', output, output] })
    fs.closeSync(output) // the child has its own
    const tick = setInterval(() => progress(`audit: ${name}, ${seconds(started)}`), terminal ? 1000 : QUIET_MS)
    const done = () => {
      clearInterval(tick)
      running = undefined
    }
    running.on('error', error => (done(), reject(error)))
    running.on('close', (status, signal) => {
      done()
      if (status === 0) resolve()
      else reject(new Error(`${[path.basename(program), ...args].join(' ')} ended with ${signal ?? `exit code ${status}`}`))
    })
  })
}

const seconds = started => `${Math.round((Date.now() - started) / 1000)} s`

const terminal = process.stderr.isTTY
/** A line on stderr that the next one takes the place of, on a terminal. */
const progress = text => (terminal ? process.stderr.write(`\r\x1b[K${text}`) : console.error(text))
const note = text => console.error(`${terminal ? '\r\x1b[K' : ''}${text}`)

/** Runs the checks, one after the other; a row of the table for each. */
async function audit(checks, work) {
  fs.mkdirSync(work, { recursive: true })
  const rows = []
  for (const [name, check] of Object.entries(checks)) {
    progress(`audit: ${name}`)
    const started = Date.now()
    const log = path.join(work, `${name}.log`)
    const row = { name, ...(await runCheck(name, check, log)), time: seconds(started) }
    rows.push(row)
    if (!row.failed) continue
    const tail = fs.readFileSync(log, 'utf8').trimEnd().split('\n').slice(-TAIL)
    note(`audit: ${name} failed; the end of ${path.relative(ROOT, log)}:\n${tail.map(line => `  ${line}`).join('\n')}\n`)
  }
  return rows
}

function print(rows) {
  const all = [{ name: 'check', result: 'result', time: 'time' }, ...rows]
  const width = column => Math.max(...all.map(row => row[column].length))
  for (const { name, result, time } of all) {
    console.log(`${name.padEnd(width('name'))}  ${result.padEnd(width('result'))}  ${time.padStart(width('time'))}`)
  }
}

async function main(args) {
  const known = Object.keys(CHECKS)
  if (args.includes('--list')) {
    for (const name of known) console.log(`${name.padEnd(13)} ${CHECKS[name].shows}`)
    return 0
  }
  const unknown = args.find(name => !known.includes(name))
  if (unknown) throw new Error(`${unknown}: expected some of ${known.join(', ')}`)
  const chosen = Object.entries(CHECKS).filter(([name]) => args.length === 0 || args.includes(name))
  const rows = await audit(Object.fromEntries(chosen), WORK)
  if (terminal) process.stderr.write('\r\x1b[K')
  print(rows)
  return rows.some(({ failed }) => failed) ? 1 : 0
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    code => (process.exitCode = code),
    error => {
      console.error(`audit: ${error.message}`)
      process.exitCode = 1
    }
  )
}

module.exports = { audit }
