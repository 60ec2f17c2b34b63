
'use strict'

const MILLION = 1_000_000n
// No account holds so much: an allowance of it is said to be without a limit.
const BOUNDLESS = 1n << 64n
// A block that was made a moment ago is still on its way.
const ON_ITS_WAY = 2
const FIRST_WAIT = 1_000
const LONGEST_WAIT = 15_000
// The daemon sends something every 15 seconds.
const LONGEST_SILENCE = 40_000

const KINDS = {
  DEPOSIT: 'Deposit',
  WITHDRAWAL: 'Withdrawal',
  SETTLE: 'Settlement',
  PAYOUT_HELD: 'Payout held',
  CLAIMED: 'Payout claimed',
  APPROVAL: 'Approval',
  LIMITS_SET: 'Limits set',
  ENTRY_SKIPPED: 'Left out of a batch',
}

const byId = id => document.getElementById(id)
let latest = null
let connected = false
let explorer = ''
// How far the daemon's clock is ahead of this one, in milliseconds.
let ahead = 0

// Text of values

const grouped = number => String(number).replace(/\B(?=(\d{3})+$)/g, ',')
const usdc = micro => `${grouped(BigInt(micro) / MILLION)}.${String(BigInt(micro) % MILLION).padStart(6, '0')}`
const counted = (count, one) => `${grouped(count)} ${one}${BigInt(count) === 1n ? '' : 's'}`
const shortened = hash => `${hash.slice(0, 6)}…${hash.slice(-4)}`
const clock = iso => new Date(iso).toLocaleTimeString('en-GB')

function age(iso) {
  const seconds = Math.max(0, Math.round((Date.now() + ahead - Date.parse(iso)) / 1_000))
  if (seconds < 1) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`
}

// Elements

/** An element with children; what is text stays text. */
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

/** Sets a text where it is another: a screen reader would read the same again. */
function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text
}

function show(id, ...children) {
  byId(id).replaceChildren(...children)
}

function ago(iso) {
  return element('time', { dateTime: iso, title: iso, textContent: age(iso) })
}

/** What the explorer knows, with a link to it where there is one. */
function named(path, full, text, className = 'hash') {
  const properties = { className, title: full, textContent: text }
  if (explorer === '') return element('span', properties)
  return element('a', { ...properties, href: `${explorer}/${path}/${full}`, rel: 'noreferrer', target: '_blank' })
}

const account = address => named('address', address, shortened(address))
const transaction = hash => named('tx', hash, shortened(hash))
const block = number => named('block', number, grouped(number), 'number')

// The state

function headline() {
  if (!connected) {
    if (latest === null) return ['wait', 'Connecting', 'Asking for the status.']
    const seen = clock(Date.parse(latest.sync.indexed.confirmedAt) + latest.sync.lagSeconds * 1_000 - ahead)
    return ['lost', 'Connection to this page lost', `What is below is from ${seen}. The page tries again by itself.`]
  }
  const { sync, audit } = latest
  if (audit.result === 'differs') {
    const where = audit.blockNumber === null ? '' : ` at block ${grouped(audit.blockNumber)}`
    return ['bad', 'Differences found', `The ledger is not the contract’s: ${counted(audit.differences, 'difference')}${where}.`]
  }
  if (sync.nodeFailsSince !== null) {
    return ['bad', 'Node not reached', `It gives no answer that is any good since ${clock(sync.nodeFailsSince)}. What is below is from before.`]
  }
  if (sync.headBlock === null) return ['wait', 'Starting', 'The node was not asked yet.']
  if (sync.lagBlocks > ON_ITS_WAY) {
    return ['wait', `Behind by ${counted(sync.lagBlocks, 'block')}`, `Block ${grouped(sync.indexed.blockNumber)} of ${grouped(sync.headBlock)} is in.`]
  }
  if (!sync.ready) return ['bad', 'Standing still', 'The ledger does not move.']
  return ['good', 'Up to date', sync.lagBlocks === 0 ? 'Everything that the node has is in.' : 'The last block is on its way.']
}

function showState() {
  const [state, title, detail] = headline()
  document.querySelector('.state').dataset.state = state
  byId('icon').setAttribute('href', `#icon-${state}`)
  say('headline', title)
  say('detail', detail)
  document.title = `${title} · Luxxon Settlement`
  document.querySelector('.live').dataset.live = connected ? 'yes' : 'no'
  say('live', connected ? 'Live' : latest === null ? 'Connecting' : 'Not connected')
}

function behind(number, ofWhat) {
  const distance = BigInt(latest.sync.indexed.blockNumber) - BigInt(number)
  return `${counted(distance, 'block')} behind ${ofWhat}`
}

function showSync({ sync }) {
  show('finalized', block(sync.finalizedBlock))
  say('finalized-note', behind(sync.finalizedBlock, 'indexed'))
  show('safe', block(sync.safeBlock))
  say('safe-note', behind(sync.safeBlock, 'indexed'))
  show('indexed', block(sync.indexed.blockNumber))
  show('indexed-note', 'made ', ago(sync.indexed.confirmedAt))
  if (sync.headBlock === null) return say('head', '–')
  show('head', block(sync.headBlock))
  say('head-note', sync.lagBlocks === 0 ? 'all of it is in' : `${counted(sync.lagBlocks, 'block')} not in`)
}

function showAudit({ audit }) {
  const words = {
    off: ['wait', 'Off', 'The daemon was told not to compare.'],
    notYet: ['wait', 'Not yet', 'The first comparison is still to come.'],
    clean: ['good', 'No difference'],
    differs: ['bad', counted(audit.differences, 'difference')],
  }
  const [state, result, note] = words[audit.result]
  byId('audit-result').dataset.state = state
  say('audit-result', result)
  if (note) return say('audit-note', note)
  const where = audit.blockNumber === null ? [] : [' at block ', block(audit.blockNumber)]
  show('audit-note', 'found ', ago(audit.comparedAt), ...where)
}

// Events

const unlimited = amount => (amount === '0' ? 'any amount' : usdc(amount))

/** What an event moved, and what else there is to say of it. */
function amounts(event) {
  if (event.kind === 'APPROVAL') {
    const boundless = BigInt(event.allowance) >= BOUNDLESS
    return element('span', { title: event.allowance }, boundless ? 'without limit' : usdc(event.allowance))
  }
  return event.amount === undefined ? '' : element('strong', {}, usdc(event.amount))
}

function remark(event) {
  switch (event.kind) {
    case 'SETTLE': return `${event.chargeableSeconds} s at ${usdc(event.ratePerSecond)}/s, fee ${usdc(event.feeAmount)}`
    case 'ENTRY_SKIPPED': return event.reason
    case 'LIMITS_SET': return `${unlimited(event.maxRatePerSecond)} a second, ${unlimited(event.maxPerSession)} a session, ${unlimited(event.maxPerDay)} a day`
    default: return ''
  }
}

function who(event) {
  if (event.kind === 'SETTLE') return [account(event.from), ' → ', account(event.to)]
  if (event.kind === 'DEPOSIT' && event.payer !== event.account) return [account(event.payer), ' → ', account(event.account)]
  return [account(event.account)]
}

function session(event) {
  if (event.sessionIdHash === undefined) return []
  const hash = event.sessionIdHash
  const pick = element('button', { type: 'button', className: 'pick hash', title: hash, textContent: shortened(hash) })
  pick.addEventListener('click', () => {
    byId('session').value = hash
    byId('form').requestSubmit()
    byId('session').scrollIntoView({ block: 'center' })
  })
  return [pick]
}

function finality(event) {
  const cell = element('td', { className: 'finality' }, event.finality)
  cell.dataset.level = event.finality
  return cell
}

function row(event) {
  const cell = (className, ...children) => element('td', { className }, ...children)
  const cells = [
    cell('kind', KINDS[event.kind] ?? event.kind, element('small', {}, remark(event))),
    cell('who', ...who(event)),
    cell('amount', amounts(event)),
    cell('session', ...session(event)),
    cell('tx', transaction(event.txHash)),
    cell('block', block(event.blockNumber), element('small', {}, ago(event.confirmedAt))),
    finality(event),
  ]
  for (const one of cells) one.setAttribute('role', 'cell')
  const made = element('tr', {}, ...cells)
  made.setAttribute('role', 'row')
  return made
}

let rows = new Map()

/** Rows that are the same stay where they are, and keep the focus. */
function showEvents({ events }) {
  const first = rows.size === 0
  const next = new Map()
  for (const event of events) {
    const text = JSON.stringify(event)
    const known = rows.get(event.id)
    const kept = known?.text === text ? known : { text, row: row(event) }
    kept.row.classList.toggle('new', !first && (known === undefined || kept.row.classList.contains('new')))
    next.set(event.id, kept)
  }
  const body = byId('rows')
  for (const [id, { row }] of rows) if (next.get(id)?.row !== row) row.remove()
  let place = body.firstChild
  for (const { row } of next.values()) {
    if (row === place) place = place.nextSibling
    else body.insertBefore(row, place)
  }
  rows = next
  byId('none').hidden = next.size > 0
}

// All of it

function showStatus(received) {
  latest = received
  const { build, chain, sync } = latest
  ahead = Date.parse(sync.indexed.confirmedAt) + sync.lagSeconds * 1_000 - Date.now()
  explorer = /^https?:\/\//.test(chain.explorerUrl) ? chain.explorerUrl : ''
  say('chain', `${chain.name}${chain.name.includes(chain.id) ? '' : ` (${chain.id})`}`)
  const complaints = sync.complaints.map(complaint => element('li', {}, complaint))
  show('complaints', ...complaints)
  byId('complaints').hidden = complaints.length === 0
  showState()
  showSync(latest)
  showAudit(latest)
  say('total', usdc(latest.totalOwed))
  showEvents(latest)
  show('settlement', named('address', chain.settlementAddress, chain.settlementAddress))
  show('usdc', named('address', chain.usdcAddress, chain.usdcAddress))
  say('build', `${build.version} (${build.sha})`)
}

// The connection

let wait = FIRST_WAIT
let again = null
let silence = null

function connect() {
  clearTimeout(again)
  const source = new EventSource('status/stream')
  const lost = () => {
    source.close()
    clearTimeout(silence)
    connected = false
    showState()
    again = setTimeout(connect, wait)
    wait = Math.min(2 * wait, LONGEST_WAIT)
  }
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(lost, LONGEST_SILENCE)
  }
  heard()
  source.onerror = lost
  source.addEventListener('status', event => {
    heard()
    connected = true
    wait = FIRST_WAIT
    showStatus(JSON.parse(event.data))
  })
}

// The lookup

const REFUSALS = {
  400: 'This is neither a UUID nor a hash of 0x and 64 digits.',
  404: 'The chain has not settled this session, and no batch has left it out.',
}

function facts(event, more) {
  const of = {
    ...more,
    Transaction: transaction(event.txHash),
    Block: element('span', {}, block(event.blockNumber), ', ', ago(event.confirmedAt)),
    Finality: event.finality,
  }
  return element('dl', {}, ...Object.entries(of).map(([name, value]) => {
    return element('div', {}, element('dt', {}, name), element('dd', {}, value))
  }))
}

function answer({ settled, lastSkip }) {
  const shown = []
  if (settled !== null) {
    shown.push(element('h3', {}, `Settled: ${usdc(settled.amount)} USDC`), facts(settled, {
      From: account(settled.from),
      To: account(settled.to),
      'To the operator': usdc(settled.toAmount),
      'To the platform': usdc(settled.feeAmount),
      Metered: `${settled.chargeableSeconds} s at ${usdc(settled.ratePerSecond)}/s`,
    }))
  }
  if (lastSkip !== null) {
    const title = settled === null ? 'Not settled: a batch left it out' : 'A batch left it out'
    shown.push(element('h3', {}, title), facts(lastSkip, { Reason: lastSkip.reason, Account: account(lastSkip.account) }))
  }
  return shown
}

let asked = 0

async function lookUp(text) {
  const mine = ++asked
  const found = await fetch(`status/settlements/${encodeURIComponent(text)}`)
    .then(async response => {
      if (response.ok) return answer((await response.json()).data)
      return [REFUSALS[response.status] ?? 'The daemon cannot answer now. Try again.']
    })
    .catch(() => ['The daemon does not answer. Try again.'])
  // A later question is waited for.
  if (mine === asked) show('found', ...found)
}

byId('form').addEventListener('submit', event => {
  event.preventDefault()
  const text = byId('session').value.trim()
  if (text !== '') lookUp(text)
})

setInterval(() => {
  for (const time of document.querySelectorAll('time')) time.textContent = age(time.dateTime)
}, 1_000)
connect()
