#!/usr/bin/env node
// `make gas`: measures whole transactions (Gas.t.sol), compares them with what is committed in snapshot.json and with
// the targets below, and says how far each is from its floor. Exit code 1 when a target is missed or a scenario grew.
//   --write   take what was measured as the new snapshot
//   --json    print the table as JSON
'use strict'

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.resolve(__dirname, '../..')
const SNAPSHOT = path.join(__dirname, 'snapshot.json')
const MEASURED = path.join(ROOT, 'target', 'gas') // as [profile.gas] in foundry.toml says
const MAX_GROWTH = 1.01

// The floor of a scenario is what no contract with the same words in storage, the same event and the same USDC transfers
// can do without: the transaction and its calldata (EIP-2028), each cold word once (EIP-2929, EIP-2200), the event, the
// transient guard, and USDC's own share, measured beside it.
const TRANSACTION = 21_000
const GUARD = 300 // one transient read, two writes (EIP-1153)
const READ = 2_100
const CHANGE = READ + 2_900
const FILL = READ + 20_000
const log = (topics, words) => 375 + 375 * topics + 8 * 32 * words

const CONFIG = CHANGE // relayer, totalOwed, paused
const BOOKING = FILL + CHANGE + log(4, 4) // the session's word, the account's word, Settled
const POOL_CHANGE = TRANSACTION + GUARD + CONFIG + CHANGE + log(3, 1)

const settlement = usdc => TRANSACTION + GUARD + CONFIG + BOOKING + READ + usdc['transfer, first'] + usdc['transfer, later']
const batch = (size, transfers, kind) => usdc =>
  TRANSACTION + GUARD + CONFIG + READ + size * BOOKING + usdc['transfer, first'] + transfers * usdc['transfer, later'] +
  (kind === 'new' ? transfers * (usdc['transfer, later to a new wallet'] - usdc['transfer, later']) : 0)

/** Scenario → the most it may take, for how many entries, and its floor without the calldata. */
const TARGETS = {
  'settleFromPool': { target: 101_000, floor: settlement },
  'settleBatch of 100, 10 operators grouped': { target: 36_000, entries: 100, floor: batch(100, 10) },
  'settleBatch of 100, 100 operators': { target: 45_500, entries: 100, floor: batch(100, 100) },
  'settleBatch of 100, 100 new operators': { target: 63_000, entries: 100, floor: batch(100, 100, 'new') },
  'deposit, top-up': { target: 71_000, floor: usdc => POOL_CHANGE + usdc['transferFrom and balanceOf'] },
  'depositWithAuthorization, top-up': {
    target: 101_000,
    floor: usdc => POOL_CHANGE + usdc['receiveWithAuthorization and balanceOf']
  },
  'withdraw, partial': { target: 62_000, floor: usdc => POOL_CHANGE - log(3, 1) + log(2, 1) + usdc['transfer, first'] }
}

function measure() {
  const forge = execFileSync('node', [path.join(ROOT, 'script', 'tool.js'), 'forge'], { encoding: 'utf8' }).trim()
  fs.rmSync(MEASURED, { recursive: true, force: true })
  const run = spawnSync(forge, ['test'], { cwd: ROOT, encoding: 'utf8', env: { ...process.env, FOUNDRY_PROFILE: 'gas' } })
  if (run.status !== 0) throw new Error(`forge test failed:\n${run.stdout}${run.stderr}`)
  return Object.fromEntries(['settlement', 'calldata', 'usdc'].map(group => [group, numbers(path.join(MEASURED, `${group}.json`))]))
}

function numbers(file) {
  const entries = Object.entries(JSON.parse(fs.readFileSync(file, 'utf8')))
  return Object.fromEntries(entries.map(([name, value]) => [name, Number(value)]))
}

/** One row for each scenario: measured, committed, and for those with a target how it stands to target and floor. */
function compare({ settlement, calldata, usdc }, committed) {
  return Object.entries(settlement).map(([scenario, gas]) => {
    const row = { scenario, gas, committed: committed[scenario] ?? null, faults: [] }
    if (row.committed === null) row.faults.push('is not in tests/gas/snapshot.json: run make gas ARGS=--write')
    else if (gas > row.committed * MAX_GROWTH) row.faults.push(`grew by more than 1 % from ${row.committed}`)
    const { target, entries = 1, floor } = TARGETS[scenario] ?? {}
    if (target) {
      row.perEntry = Math.ceil(gas / entries)
      row.target = target
      row.floor = Math.round((floor(usdc) + calldata[scenario]) / entries)
      if (row.perEntry > target) row.faults.push(`misses its target of ${target}`)
    }
    return row
  })
}

function print(rows) {
  const figure = value => (value === undefined || value === null ? '' : value.toLocaleString('en-US'))
  const cells = rows.map(row => [
    row.scenario, figure(row.gas), figure(row.committed), figure(row.perEntry), figure(row.target), figure(row.floor),
    row.floor ? `+${((row.perEntry / row.floor - 1) * 100).toFixed(1)} %` : ''
  ])
  const heads = ['scenario', 'gas', 'committed', 'an entry', 'target', 'floor', 'above floor']
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map(row => row[i].length)))
  const line = row => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd()
  for (const row of [heads, ...cells]) console.log(line(row))
}

function main(args) {
  const unknown = args.find(arg => !['--write', '--json'].includes(arg))
  if (unknown) throw new Error(`${unknown}: expected --write or --json`)
  const measured = measure()
  if (args.includes('--write')) fs.writeFileSync(SNAPSHOT, `${JSON.stringify(measured.settlement, null, 2)}\n`)
  const committed = fs.existsSync(SNAPSHOT) ? numbers(SNAPSHOT) : {}

  const rows = compare(measured, committed)
  if (args.includes('--json')) console.log(JSON.stringify(rows, null, 2))
  else {
    print(rows)
    console.log('\nUSDC alone, inside of a transaction:')
    for (const [call, gas] of Object.entries(measured.usdc)) console.log(`  ${call}: ${gas.toLocaleString('en-US')}`)
  }
  const faults = rows.flatMap(row => row.faults.map(fault => `${row.scenario}: ${fault}`))
  const gone = [...Object.keys(committed), ...Object.keys(TARGETS)].filter(name => !(name in measured.settlement))
  faults.push(...gone.map(name => `${name}: is committed or has a target, but was not measured`))
  for (const fault of faults) console.error(`gas: ${fault}`)
  return faults.length === 0 ? 0 : 1
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  console.error(`gas: ${error.message}`)
  process.exitCode = 1
}
