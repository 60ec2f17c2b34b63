// Compiles the contract in memory, with the settings of foundry.toml, a mutant a second.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const solc = require('solc')

const ROOT = path.resolve(__dirname, '../..')
const FILE = 'contracts/LuxxonSettlement.sol'
const CONTRACT = 'LuxxonSettlement'

// As [profile.default] of foundry.toml has them.
const SETTINGS = {
  remappings: ['@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/'],
  optimizer: { enabled: true, runs: 1_000_000 },
  evmVersion: 'prague',
  metadata: { bytecodeHash: 'none' }
}

const read = file => fs.readFileSync(path.join(ROOT, file), 'utf8')

function run(source, outputSelection) {
  const input = { language: 'Solidity', sources: { [FILE]: { content: source } }, settings: { ...SETTINGS, outputSelection } }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: file => ({ contents: read(file) }) }))
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  return errors.length > 0 ? { errors: errors.map(({ formattedMessage }) => formattedMessage) } : { output }
}

/** The creation code of `source` as 0x…, or null when it does not compile. */
function creationCode(source) {
  const { output } = run(source, { [FILE]: { [CONTRACT]: ['evm.bytecode.object'] } })
  return output ? `0x${output.contracts[FILE][CONTRACT].evm.bytecode.object}` : null
}

/** The syntax tree of `source`, which has to compile. */
function syntaxTree(source) {
  const { output, errors } = run(source, { [FILE]: { '': ['ast'] } })
  if (errors) throw new Error(`${FILE} does not compile:\n${errors.join('\n')}`)
  return output.sources[FILE].ast
}

module.exports = { FILE, ROOT, creationCode, read, syntaxTree }
