//! `LuxxonSettlement` as its operator sees it: where it is deployed, what its code must be, what
//! it says of itself, and what its refusals mean.

mod code;
mod create2;
mod refusal;
mod state;

pub use code::{Difference, compare, is_delegation};
pub use create2::{ConstructorArgs, Deployment, FACTORY, FACTORY_CODE_HASH, SALT, SALT_TEXT};
pub use refusal::{refusal, reverted};
pub use state::{PendingRelayer, State};
