#!/usr/bin/env node
// slither's findings about the contract and its interfaces, against those answered in slither.triage.json. Exit code 1
// for a finding that is not answered, and for an answer without a finding.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { installPython } = require('./python')
const { ROOT, VENV, WORK, environment, main, run } = require('./tools')

const CONFIG = path.join(__dirname, 'slither.config.json')
const TRIAGE = path.join(__dirname, 'slither.triage.json')
const PARTS = ['contracts', 'foundry.toml', 'package.json', 'script/solc.js', 'script/tool.js']

/** A finding in words that stay true when other lines change: slither's own, without places. */
function words({ check, description }) {
  const text = description.replace(/ \([^()\s]*\.sol#[\d-]+\)/g, '').replace(/\s+/g, ' ').trim()
  return `${check}: ${text}`
}

/** Faults of `findings` against `triage`, a list of {why, findings}. */
function compare(findings, triage) {
  const answered = triage.flatMap(({ findings }) => findings)
  const unanswered = findings.filter(finding => !answered.includes(finding))
  const stale = answered.filter(finding => !findings.includes(finding))
  return [
    ...unanswered.map(finding => `slither.triage.json does not answer this finding: ${finding}`),
    ...stale.map(finding => `slither.triage.json answers what is not found any more: ${finding}`)
  ]
}

function check() {
  installPython()
  // slither empties out/, and reads all that is there: it gets a tree of its own.
  const tree = path.join(WORK, 'slither')
  fs.rmSync(tree, { recursive: true, force: true })
  for (const part of PARTS) fs.cpSync(path.join(ROOT, part), path.join(tree, part), { recursive: true })
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(tree, 'node_modules'))

  const report = path.join(tree, 'report.json')
  // Its exit code says whether there are findings, which is for the triage to judge.
  const slither = path.join(VENV, 'bin', 'slither')
  run(slither, ['.', '--config-file', CONFIG, '--json', report], { cwd: tree, env: environment() }, [0, 255])
  const { success, error, results } = JSON.parse(fs.readFileSync(report, 'utf8'))
  if (!success) throw new Error(`slither failed: ${error}`)
  const findings = (results.detectors ?? []).map(words)
  const faults = compare(findings, JSON.parse(fs.readFileSync(TRIAGE, 'utf8')))
  return { faults, summary: `${findings.length} findings, ${faults.length === 0 ? 'each answered' : `${faults.length} faults`}` }
}

if (require.main === module) main('slither', check)

module.exports = { compare, words }
