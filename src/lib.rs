//! Translates Persian articles into English, sentence by sentence, with every sentence accounted for.
//!
//! # Layout
//! In reading order; a module imports only from those above it, `translator` reads as the way an article takes.
//!
//! - [`error`]: the one error type
//! - [`article`]: paragraphs, sentences, normalisation, half-spaces, language
//! - [`nn`]: layers and CPU kernels
//! - [`model`]: model families behind one trait
//! - [`decode`]: greedy and beam search

pub mod article;
pub mod decode;
pub mod engine;
pub mod error;
pub mod model;
pub mod nn;
pub mod options;
pub mod proto;
pub mod review;
pub mod tokenizer;

pub use error::{Error, Result};
