#!/usr/bin/env node
// A visitor of the status page. It does what it is told, a step for each line of JSON on standard input, and says what
// it finds, a line of JSON for each. It judges nothing: that is for who sends the steps.
//
//   {"open": URL, "width": …, "height": …}    a new page; the one before is left
//   {"until": SELECTOR, "says": PATTERN}      waits until an element's text is so: {"text"}
//   {"fill": SELECTOR, "with": TEXT}          types and presses Enter
//   {"observe": true}                         {"requests", "errors", "wide", "room"}: what the page asked for so far, what it
//                                             complained of, how wide it is and how wide the window is
//
// The first line is {"browser": …}, null where this machine has none. A step that fails is {"failed": …}.
'use strict'

const readline = require('node:readline')
const { executable, launch } = require('./browser')

const STEPS = ['open', 'until', 'fill', 'observe']

/** How long an element may take to say something. */
const LONGEST = 30_000

const say = found => console.log(JSON.stringify(found))

class Visitor {
  constructor(browser) {
    this.browser = browser
  }

  async open({ open, width, height }) {
    await this.context?.close()
    this.context = await this.browser.newContext({ viewport: { width, height } })
    this.page = await this.context.newPage()
    this.requests = []
    this.errors = []
    this.page.on('request', request => this.requests.push(request.url()))
    this.page.on('pageerror', error => this.errors.push({ text: String(error), url: '' }))
    this.page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) this.errors.push({ text: message.text(), url: message.location().url })
    })
    await this.page.goto(open)
    return {}
  }

  async until({ until, says }) {
    const found = await this.page.waitForFunction(
      ([selector, pattern]) => {
        const text = document.querySelector(selector)?.innerText ?? ''
        return new RegExp(pattern).test(text) && { text }
      },
      [until, says],
      { timeout: LONGEST },
    )
    return found.jsonValue()
  }

  async fill({ fill, with: text }) {
    await this.page.fill(fill, text)
    await this.page.press(fill, 'Enter')
    return {}
  }

  async observe() {
    const size = await this.page.evaluate(() => {
      const { scrollWidth: wide, clientWidth: room } = document.documentElement
      return { wide, room }
    })
    return { requests: this.requests, errors: this.errors, ...size }
  }

  step(told) {
    return this[STEPS.find(name => name in told)](told)
  }
}

async function main() {
  const browser = executable() ?? null
  if (browser === null) return say({ browser })
  const visitor = new Visitor(await launch())
  say({ browser })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    say(await visitor.step(JSON.parse(line)).catch(error => ({ failed: String(error) })))
  }
  await visitor.browser.close()
}

main().catch(error => {
  say({ failed: String(error) })
  process.exitCode = 1
})
