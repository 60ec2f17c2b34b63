//! Talking to a chain as its operator: which network, which key, what it costs, whether to send,
//! and what became of it. Shared by `deploy`, `verify` and `roles`.

mod confirm;
mod fees;
mod files;
mod key;
mod keystore;
mod network;
mod node;
mod password;
mod send;
mod units;

pub use confirm::{Consent, confirm};
pub use fees::{Cost, GAS_PRICE_ORACLE};
pub use files::write_atomically;
pub use key::{Key, KeyArgs};
pub(crate) use network::records_folder;
pub use network::{KNOWN, Known, Network, NetworkArgs, RpcUrl, known};
pub use node::{CallError, Node};
pub(crate) use send::receipt;
pub use send::{Prepared, Receipt, Signed, Waiting, await_receipt, broadcast, prepare};
pub(crate) use units::json;
pub use units::{Ether, checksummed, delay, seconds_as_text, timestamp};

use eyre::WrapErr;
use std::{
    fmt,
    io::{self, Write},
};

/// A command line that says too little or contradicts itself. The program ends with code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs a command to its end.
pub fn block_on<T>(command: impl Future<Output = eyre::Result<T>>) -> eyre::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(command)
}

/// Progress and warnings, for whoever watches: standard output belongs to the result. Where nobody
/// does any more, the work goes on.
pub fn say(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The result, on standard output.
pub fn print(text: impl fmt::Display) -> eyre::Result<()> {
    writeln!(io::stdout(), "{text}").wrap_err("cannot write the result to standard output")
}
