//! What the property tests build on: how many cases they try, always the same ones.

use proptest::{prelude::*, test_runner::RngSeed};

/// Where random cases begin: everybody tries the same ones.
const SEED: u64 = 0x6c75_7878_6f6e;

/// `cases` cases.
pub(crate) fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
