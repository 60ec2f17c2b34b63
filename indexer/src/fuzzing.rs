//! What the property tests build on: how many cases they try, always the same ones, and how what is
//! good is spoiled.
//!
//! Tests whose names begin with `fuzz_` are the byte fuzzers. They try few cases, unless `FUZZ_CASES`
//! says how many: `make audit` does.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::RngSeed,
};
use std::env;

/// Where random cases begin: everybody tries the same ones.
const SEED: u64 = 0x6c75_7878_6f6e;

/// The cases of a byte fuzzer among the other tests: all of them together take seconds.
const FEW: u32 = 512;

/// `cases` cases.
pub(crate) fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The cases of a byte fuzzer.
pub(crate) fn fuzzed() -> ProptestConfig {
    let said = env::var("FUZZ_CASES").ok();
    seeded(said.map_or(FEW, |cases| cases.parse().expect("FUZZ_CASES is a number")))
}

/// What makes parsers stumble, in JSON, TOML, URLs and numbers.
const STRANGE: &[&str] = &[
    "",
    "\"",
    "\\",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "/",
    "@",
    "#",
    "-",
    "+",
    ".",
    "e9",
    "\n",
    "\r",
    "\t",
    " ",
    "\0",
    "0",
    "9",
    "f",
    "0x",
    "0X",
    "null",
    "true",
    "1e400",
    "\\u0000",
    "\\ud800",
    "é",
    "\u{202e}",
    "\u{feff}",
    "18446744073709551616",
    ", expected",
    "[[",
    "\"\"\"",
];

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Turn { at: Index, bit: u8 },
    Take { at: Index, length: usize },
    Repeat { at: Index, length: usize },
    Put { at: Index, what: Vec<u8> },
    End { at: Index },
}

fn changes() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let strange = prop_oneof![
        3 => select(STRANGE).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::Turn { at, bit }),
        (at(), 1..40_usize).prop_map(|(at, length)| Change::Take { at, length }),
        (at(), 1..40_usize).prop_map(|(at, length)| Change::Repeat { at, length }),
        (at(), strange).prop_map(|(at, what)| Change::Put { at, what }),
        at().prop_map(|at| Change::End { at }),
    ]
}

impl Change {
    fn make(self, bytes: &mut Vec<u8>) {
        // One past the last byte is a place, too.
        let place = |at: Index| at.index(bytes.len() + 1);
        let part = |at: Index, length: usize| place(at)..bytes.len().min(place(at) + length);
        match self {
            Self::Turn { at, bit } => {
                let place = place(at);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Take { at, length } => drop(bytes.drain(part(at, length))),
            Self::Repeat { at, length } => {
                let part = part(at, length);
                let again = bytes[part.clone()].to_vec();
                bytes.splice(part.start..part.start, again);
            }
            Self::Put { at, what } => {
                let place = place(at);
                bytes.splice(place..place, what);
            }
            Self::End { at } => bytes.truncate(place(at)),
        }
    }
}

/// Good bytes with up to four changes. Some are left as they are.
pub(crate) fn spoiled(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (good, vec(changes(), 0..5)).prop_map(|(mut bytes, changes)| {
        for change in changes {
            change.make(&mut bytes);
        }
        bytes
    })
}

/// A good text with up to four changes.
pub(crate) fn spoiled_text(good: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    spoiled(good.prop_map(String::into_bytes))
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
