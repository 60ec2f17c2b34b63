#!/usr/bin/env node
// `make seeded-bugs`: puts one deliberate fault at a time into contract or indexer, and sees which test finds it. Exit code 1
// where one is not found.
//   FAULT…    only these
//   --list    print the faults, and try none
// The whole output of each goes to target/seeded-bugs/FAULT.log.
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { ROOT, forge } = require('../audit/tools')
const { Tree, faults } = require('./faults')

const WORK = path.join(ROOT, 'target', 'seeded-bugs')
const COMPILER = path.join(WORK, 'luxxon')

const HISTORIES = 'histories::random_histories_differ_from_the_model_in_nothing_and_meet_everything'
const SYSTEM = ['test', '--package', 'luxxon-tests', '--test', 'system']

/** No test that is run takes a tenth of it: what lasts longer hangs, and shows nothing. */
const LONGEST_MS = 30 * 60_000

/**
 * What is run, in this order, until something fails: the random histories, alone and not made shorter; the other histories,
 * for which the daemon is built; and the unit tests of what has the fault. All of it is part of `make test`.
 */
const RUNS = [
  { builds: [['cargo', ...SYSTEM, '--no-run']], tests: ['cargo', ...SYSTEM, '--', '--exact', HISTORIES] },
  { builds: [['cargo', 'build', '--workspace', '--bins']], tests: ['cargo', ...SYSTEM, '--', 'histories::', '--skip', HISTORIES] },
  { only: 'contract', builds: [], tests: () => [forge(), 'test'] },
  {
    only: 'indexer',
    builds: [['cargo', 'test', '--package', 'luxxon-indexer', '--lib', '--no-run']],
    tests: ['cargo', 'test', '--package', 'luxxon-indexer', '--lib']
  }
]

const env = { ...process.env, CARGO_TARGET_DIR: path.join(ROOT, 'target'), CARGO_TERM_COLOR: 'never', SHORTEN_SECONDS: '0' }

let running
let stopped = false
const tree = new Tree(ROOT)

// The child goes with all of its group, and the tree is put back once it is gone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopped = true
    if (running) killAll(running)
  })
}
process.on('exit', () => tree.restore())

function killAll(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** Runs a command to its end, with its output in `log`; whether it succeeded. */
function command([program, ...args], log) {
  if (stopped) throw new Error('stopped')
  return new Promise((resolve, reject) => {
    const output = fs.openSync(log, 'a')
    running = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', output, output], detached: true })
    fs.closeSync(output) // the child has its own
    let late = false
    const timer = setTimeout(() => ((late = true), killAll(running)), LONGEST_MS)
    const done = () => {
      clearTimeout(timer)
      running = undefined
    }
    running.on('error', error => (done(), reject(error)))
    running.on('close', (status, signal) => {
      done()
      if (stopped) reject(new Error('stopped'))
      else if (late || signal) reject(new Error(`${program} ${args.join(' ')} ${late ? 'hangs' : `ended with ${signal}`}: ${log}`))
      else resolve(status === 0)
    })
  })
}

async function build(what, log) {
  if (!(await command(what, log))) throw new Error(`what is tried does not build: ${what.join(' ')}: ${relative(log)}`)
}

const relative = file => path.relative(ROOT, file)

/** The first test that failed, by the words of libtest or forge; none where no test did. */
function failedTest(output) {
  return /^test (\S+) \.\.\. FAILED$/m.exec(output)?.[1] ?? /^\[FAIL\b.*?\] (\w+)\(/m.exec(output)?.[1]
}

/** How many histories were played until one differed, as their output says. */
const historiesUntil = output => /^seed (\d+) differs in step /m.exec(output)?.[1]

/**
 * Runs the tests until one fails: {test, seconds, histories}, or nothing where all pass. `part` has the fault; without one, all
 * are run.
 */
async function find(part, log, runs = RUNS) {
  let ms = 0
  for (const { only, builds, tests } of runs) {
    if (part && only && only !== part) continue
    for (const what of builds) await build(what, log)
    const from = fs.existsSync(log) ? fs.statSync(log).size : 0
    const began = Date.now()
    const passed = await command(typeof tests === 'function' ? tests() : tests, log)
    ms += Date.now() - began
    if (passed) continue
    const output = fs.readFileSync(log).subarray(from).toString()
    const test = failedTest(output)
    if (!test) throw new Error(`it failed, and no test of it did: ${relative(log)}`)
    return { test, seconds: Math.round(ms / 1000), histories: historiesUntil(output) }
  }
}

/** Without a fault everything passes: else none of what follows would mean anything. */
async function control(chosen) {
  const log = path.join(WORK, 'control.log')
  fs.rmSync(log, { force: true })
  if (chosen.some(({ ofContract }) => ofContract)) {
    await build(['cargo', 'build', '--package', 'luxxon-script', '--no-default-features', '--features', 'compile'], log)
    fs.copyFileSync(path.join(env.CARGO_TARGET_DIR, 'debug', 'luxxon'), COMPILER)
  }
  const found = await find(undefined, log)
  if (found) throw new Error(`without a fault ${found.test} fails: ${relative(log)}`)
}

/** Tries one fault, and puts the tree back. */
async function attempt(fault) {
  const log = path.join(WORK, `${fault.name}.log`)
  fs.rmSync(log, { force: true })
  try {
    tree.apply(fault)
    if (fault.ofContract) await build([COMPILER, 'compile'], log)
    return await find(fault.ofContract ? 'contract' : 'indexer', log)
  } finally {
    tree.restore()
  }
}

function print(rows) {
  const head = { name: 'fault', test: 'found by', seconds: 'seconds', histories: 'histories until found' }
  const all = [head, ...rows.map(({ name, found }) => ({ name, test: 'nothing', seconds: '', histories: '', ...found }))]
  const cell = (row, column) => `${row[column] ?? ''}`
  const widths = Object.keys(head).map(column => Math.max(...all.map(row => cell(row, column).length)))
  for (const row of all) {
    console.log(Object.keys(head).map((column, i) => cell(row, column).padEnd(widths[i])).join('  ').trimEnd())
  }
}

async function main(args) {
  const known = faults()
  if (args.includes('--list')) {
    for (const { name, says } of known) console.log(`${name.padEnd(32)} ${says}`)
    return 0
  }
  const unknown = args.find(arg => !known.some(({ name }) => name === arg))
  if (unknown) throw new Error(`${unknown}: expected some of ${known.map(({ name }) => name).join(', ')}`)
  const chosen = known.filter(({ name }) => args.length === 0 || args.includes(name))
  tree.requireUnchanged(chosen)
  const before = tree.status()
  fs.mkdirSync(WORK, { recursive: true })
  console.error('seeded bugs: the tests without a fault')
  await control(chosen)
  const rows = []
  for (const fault of chosen) {
    console.error(`seeded bugs: ${rows.length + 1} of ${chosen.length}, ${fault.name}: ${fault.says}`)
    const found = await attempt(fault)
    rows.push({ name: fault.name, found })
    console.error(found ? `  found by ${found.test}, ${found.seconds} s` : '  NOT FOUND')
  }
  if (tree.status() !== before) throw new Error('the tree is not as it was before: see git status')
  print(rows)
  const detected = rows.filter(({ found }) => found).length
  console.log(`${detected} of ${rows.length} detected`)
  return detected === rows.length ? 0 : 1
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    code => (process.exitCode = code),
    error => {
      console.error(`seeded bugs: ${error.message}`)
      process.exitCode = 1
    }
  )
}

module.exports = { failedTest, historiesUntil }
