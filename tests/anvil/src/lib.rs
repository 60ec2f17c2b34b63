//! Tests of the whole system on anvil; see the files under `tests/`.
