//! What has broken indexers, one test for each: the number at the beginning of a name is the
//! fault's. The daemon is looked at from outside, through its database, its API and its log. It
//! ends with the rows of a clean run, or it stops, and what it holds is right.

mod answers;
mod connections;
mod database;
mod ranges;
mod reorgs;
mod scene;
mod soak;
mod subscriptions;
mod targets;
