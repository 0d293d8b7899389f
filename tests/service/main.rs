//! The real binary as a service: its settings, its signals, its log, its pages, its faults, and what `deploy/` says of it.

#[path = "../common/authority.rs"]
mod authority;
#[path = "../common/frames.rs"]
mod frames;

mod deploy;
mod faults;
mod process;
mod running;
mod settings;
mod soak;
mod traces;
