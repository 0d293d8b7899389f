//! Translates Persian articles into English, sentence by sentence, with every sentence accounted for.
//!
//! # Layout
//! In reading order; a module imports only from those above it, `translator` reads as the way an article takes.
//!
//! - [`error`]: the one error type
//! - [`article`]: paragraphs, sentences, normalisation, half-spaces, language
//! - [`metrics`]: scores of translations against a reference
//! - [`tokenizer`]: SentencePiece models and vocabularies
//! - [`nn`]: layers and CPU kernels
//! - [`model`]: model families behind one trait
//! - [`decode`]: greedy and beam search
//! - [`engine`]: the thread that decodes the sentences of all requests together
//! - [`hub`]: where models come from
//! - [`review`]: integrity checks and the retry ladder
//! - [`options`] and [`translation`]: what a caller asks for and gets
//! - [`translator`]: the whole way
//! - [`archive`]: whole archives, resumed where they stopped
//! - [`config`]: what a service can be told, and where each value comes from
//! - [`server`] and [`client`]: the service, over gRPC and plain HTTP
//! - [`cli`]: the command line

pub mod archive;
pub mod article;
pub mod cli;
pub mod client;
pub mod config;
pub mod decode;
pub mod engine;
pub mod error;
pub mod hub;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod options;
pub mod proto;
pub mod review;
pub mod server;
pub mod telemetry;
pub mod tokenizer;
pub mod translation;
pub mod translator;

pub use error::{Error, Result};
