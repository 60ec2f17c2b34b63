//! Many calls of the contracts in one: code that makes them all, run by the node without being there.

use super::node::{Asked, bytes};
use alloy::{
    hex,
    primitives::{Address, U256, address},
};
use eyre::{Result, ensure};
use serde_json::{Value, json};

/// Nobody's address, where the code is for the length of a call.
const NOWHERE: Address = address!("0x00000000000000000000000000000000000ca11e");

/// Where answers are written, behind the word that says whether all calls succeeded.
const ANSWERS: usize = 0xe0;

/// The opcodes it is made of.
mod op {
    pub(super) const AND: u8 = 0x16;
    pub(super) const MSTORE: u8 = 0x52;
    pub(super) const GAS: u8 = 0x5a;
    pub(super) const PUSH1: u8 = 0x60;
    pub(super) const PUSH3: u8 = 0x62;
    pub(super) const PUSH20: u8 = 0x73;
    pub(super) const PUSH32: u8 = 0x7f;
    pub(super) const RETURN: u8 = 0xf3;
    pub(super) const STATICCALL: u8 = 0xfa;
}

/// Calls that are made together, and what they should answer.
#[derive(Debug)]
pub(super) struct Questions {
    code: Vec<u8>,
    words: usize,
    expected: Vec<(String, U256)>,
}

impl Questions {
    pub(super) fn new() -> Self {
        // The word that stands for success.
        Self { code: vec![op::PUSH1, 1], words: 0, expected: Vec::new() }
    }

    /// One more call, and the words that it should answer.
    pub(super) fn expect(
        &mut self,
        to: Address,
        input: &[u8],
        label: impl Fn() -> String,
        answers: &[U256],
    ) {
        for (index, chunk) in input.chunks(32).enumerate() {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self.code.push(op::PUSH32);
            self.code.extend(word);
            self.push(index * 32);
            self.code.push(op::MSTORE);
        }
        self.push(answers.len() * 32);
        self.push(ANSWERS + self.words * 32);
        self.push(input.len());
        self.push(0);
        self.code.push(op::PUSH20);
        self.code.extend(to);
        self.code.extend([op::GAS, op::STATICCALL, op::AND]);
        self.words += answers.len();
        self.expected.extend(answers.iter().map(|answer| (label(), *answer)));
    }

    fn push(&mut self, number: usize) {
        let [.., a, b, c] = number.to_be_bytes();
        self.code.extend([op::PUSH3, a, b, c]);
    }

    /// The question to the node, about its last block.
    pub(super) fn asked(&self) -> Asked {
        let mut end = Self { code: self.code.clone(), words: 0, expected: Vec::new() };
        end.push(ANSWERS - 32);
        end.code.push(op::MSTORE);
        end.push((self.words + 1) * 32);
        end.push(ANSWERS - 32);
        end.code.push(op::RETURN);
        let code = hex::encode_prefixed(end.code);
        let overrides = json!({ NOWHERE.to_string(): { "code": code } });
        ("eth_call", json!([{ "to": NOWHERE }, "latest", overrides]))
    }

    /// Fails where an answer is another than expected.
    pub(super) fn check(&self, answer: &Value) -> Result<()> {
        let answer = bytes(answer)?;
        let words: Vec<U256> = answer.chunks(32).map(U256::from_be_slice).collect();
        ensure!(words.len() == self.words + 1, "{} words", words.len());
        ensure!(words[0] == U256::ONE, "one of the calls failed");
        for ((label, expected), found) in self.expected.iter().zip(&words[1..]) {
            ensure!(expected == found, "{label} is {found} on chain, and {expected} by the model");
        }
        Ok(())
    }
}
