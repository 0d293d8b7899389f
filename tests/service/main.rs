//! The real binary as a service: its settings, its signals, its log, its pages, and what `deploy/` says of it.

mod deploy;
mod process;
mod running;
mod settings;
