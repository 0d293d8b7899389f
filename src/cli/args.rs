//! The arguments, as clap reads them.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::batch::BatchArgs;
use super::failure::Failure;
use super::serve::ServeArgs;
use super::worker::WorkerArgs;
use crate::client::Access;
use crate::engine::{EngineConfig, Priority};
use crate::hub::{Chosen, HubSettings, Store};
use crate::options::TranslateOptions;
use crate::translator::{ListLengths, LoadOptions, PrecisionChoice};

/// Translates Persian articles into English.
#[derive(Debug, Parser)]
#[command(name = "tarjoman", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Invocation {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) verbosity: Verbosity,
    #[command(flatten)]
    pub(super) hub: HubArgs,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all well, 1 failed, 2 wrong usage, 3 some sentences flagged (only with --strict),
130 interrupted (batch).
Environment: TARJOMAN_LOG or RUST_LOG says what is logged to standard error, e.g. tarjoman=debug.
TARJOMAN_HOME is the folder of the models' store; HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE mean what they
mean to Hugging Face's own tools.";

/// How much is told on standard error.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Verbosity {
    /// Log what happens to standard error; twice for details.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// Tell nothing but errors on standard error.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

/// Where models are kept.
#[derive(Debug, Args)]
pub(super) struct HubArgs {
    /// The folder that models are kept in, instead of `$TARJOMAN_HOME/models` or the system's folder for data.
    #[arg(long, global = true, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// Fetch nothing from the network.
    #[arg(long, global = true)]
    offline: bool,
}

impl HubArgs {
    /// The models on this machine.
    pub(super) fn store(&self) -> crate::Result<Store> {
        Ok(Store::new(self.settings()?.store))
    }

    pub(super) fn settings(&self) -> crate::Result<HubSettings> {
        HubSettings::from_environment(self.store.clone(), self.offline)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Translate a file or standard input.
    ///
    /// Every sentence's translation is checked, and tried again in other ways while a check fails. What still fails
    /// is written all the same, and flagged: in `bilingual` and `jsonl`, and counted on standard error.
    Translate(TranslateArgs),
    /// Translate whole archives: files, folders and containers, into the same shape.
    ///
    /// A run can be cut short at any moment; to run the same command again goes on from there. DIR gets the translated
    /// files in `translated`, what --export asks for beside it, `errors.jsonl` with what failed and why, and
    /// `journal.sqlite`, which knows every article.
    Batch(Box<BatchArgs>),
    /// Translate what `batch submit` put into a queue, beside any number of other workers.
    ///
    /// A worker takes only articles that were submitted with its own model. It can be killed at any moment: its
    /// articles go to others.
    Worker(WorkerArgs),
    /// Serve translations over gRPC.
    Serve(ServeArgs),
    /// Split a text into sentences, one JSON object a line.
    ///
    /// Each object has `paragraph` and `sentence`, counted from 0 over the whole text; `start` and `end`, the
    /// half-open range of UTF-8 bytes in the text; and `text`. With --normalized, also `normalized`.
    Split(SplitArgs),
    /// Score translations of a file against a reference: by a model, or read from files.
    ///
    /// BLEU, chrF2 and chrF2++ are those of sacreBLEU 2.6 with its default settings. Confidence intervals and p are
    /// computed as it does, from 1000 bootstrap resamples, which another generator draws, so that they agree with its
    /// own within noise. Every translation is checked as those of `translate` are.
    Evaluate(EvaluateArgs),
    /// See which models there are, fetch them, check them, remove them.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Make API keys for a service's clients.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Learn from a model's translations which target tokens each source token becomes.
    ///
    /// With such a shortlist a Marian, M2M100 or NLLB model computes the scores of a few hundred tokens at each step
    /// instead of all: give its file to --shortlist. It is faster, and now and then it hasn't the word that would have
    /// been best.
    Shortlist(ShortlistArgs),
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models that are in the store or go by a short name.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model into the store, or go on with one that was begun.
    Pull {
        /// A name from `tarjoman models list`, or a Hugging Face repository: OWNER/NAME or OWNER/NAME@REVISION.
        name: String,
        /// Accept the model's licence, where it must be.
        #[arg(long)]
        accept_license: bool,
    },
    /// Read models in the store again and check that they are what was fetched.
    Verify {
        /// The models; all if none is named.
        names: Vec<String>,
    },
    /// Remove a model from the store.
    Remove {
        /// The model.
        name: String,
    },
    /// Print the folder of a model in the store.
    Path {
        /// The model.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct TranslateArgs {
    /// The file to translate; `-` is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    pub(super) input: PathBuf,
    /// Write the translation to a file, which appears once it is complete, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Translate each line as one sentence and write one line for each, an empty one for an empty one.
    #[arg(long)]
    pub(super) lines: bool,
    /// With --lines, the lines that are under way at once.
    #[arg(long, value_name = "N", default_value_t = 256, requires = "lines", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) at_once: u16,
    /// Translate with a server instead of in this process, e.g. `http://127.0.0.1:50051`.
    #[arg(long, value_name = "URL", conflicts_with_all = ["device", "threads", "replicas", "shortlist", "lines", "allow_unknown"])]
    pub(super) server: Option<String>,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// Whose sentences the server translates first.
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = Priority::Interactive, requires = "server")]
    pub(super) priority: Priority,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) options: OptionArgs,
    /// Write counts of sentences and tokens, seconds by stage and peak memory to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) stats: Option<PathBuf>,
    /// End with exit code 3 if a sentence is flagged.
    #[arg(long)]
    pub(super) strict: bool,
}

/// How to get into a server.
#[derive(Debug, Args)]
pub(super) struct AccessArgs {
    /// A file with the API key for --server; without it, `TARJOMAN_API_KEY` has it, if one is needed.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) api_key_file: Option<PathBuf>,
    /// The PEM file of the authority of an https:// server's certificate; without it, the system's authorities count.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) server_ca: Option<PathBuf>,
    /// The PEM file of this client's certificate, for a server that wants one.
    #[arg(long, value_name = "FILE", requires_all = ["server", "client_key"])]
    pub(super) client_certificate: Option<PathBuf>,
    /// The PEM file of the certificate's private key.
    #[arg(long, value_name = "FILE", requires_all = ["server", "client_certificate"])]
    pub(super) client_key: Option<PathBuf>,
}

impl AccessArgs {
    /// Reads the files, and the environment where the key isn't in one.
    pub(super) fn read(&self) -> Result<Access, Failure> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| Failure::file(path, &error));
        let key = match &self.api_key_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?),
            None => std::env::var("TARJOMAN_API_KEY").ok(),
        };
        let identity = match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            _ => None,
        };
        Ok(Access {
            key: key.map(|key| key.trim().to_owned()),
            server_ca: self.server_ca.as_ref().map(read).transpose()?,
            identity,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The English text, with the source's own line ends between paragraphs.
    Text,
    /// Each sentence with its translations below, and in brackets what the checks found.
    Bilingual,
    /// JSON objects, one a line, whose `event` is `start`, `paragraph` (each in order) or `summary`; with --lines,
    /// one object for each line.
    Jsonl,
}

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// The model: a name from `tarjoman models list`, a Hugging Face repository that was fetched (OWNER/NAME), or the
    /// path of a model's folder. Without it, the best model in the store.
    #[arg(long, value_name = "NAME|PATH")]
    pub(super) model: Option<String>,
    /// What a Marian model computes in. A T5 model computes in 32-bit floating point, or as its GGUF file is quantised.
    #[arg(long, value_enum, default_value_t = PrecisionChoice::Auto)]
    pub(super) precision: PrecisionChoice,
    /// Where it computes: a GPU if there is one (`auto`), `cpu`, `cuda`, or `cuda:N` for the GPU of that number. GPUs
    /// take a program that was built with `--features cuda`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(super) device: String,
    /// Threads that compute; 0 is one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) threads: usize,
    /// Batches that are decoded beside each other; 0 is one for each thread.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) replicas: usize,
    /// A shortlist that `tarjoman shortlist` learnt from the same model.
    #[arg(long, value_name = "FILE")]
    pub(super) shortlist: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ShortlistArgs {
    /// Persian text to translate for it, one sentence a line, the more the better; `-` is standard input.
    pub(super) text: PathBuf,
    /// Where the shortlist is written.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Target tokens that every sentence may use: the most frequent ones.
    #[arg(long, value_name = "N", default_value_t = ListLengths::default().frequent)]
    pub(super) frequent: usize,
    /// Target tokens that each source token may become: those that it became most often.
    #[arg(long, value_name = "N", default_value_t = ListLengths::default().best)]
    pub(super) best: usize,
    #[command(flatten)]
    pub(super) model: ModelArgs,
}

impl ValueEnum for PrecisionChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Int8, Self::F32, Self::F16, Self::Bf16]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "What is fastest: int8 on the CPU, f16 on a GPU"),
            Self::Int8 => ("int8", "Products of 8-bit integers: the fastest, with the least memory"),
            Self::F32 => ("f32", "32-bit floating point: the same translations as Hugging Face transformers"),
            Self::F16 => ("f16", "16-bit floating point; on the CPU it is slow"),
            Self::Bf16 => ("bf16", "16-bit floating point with the range of 32 bits; on the CPU it is slow"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Priority {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Interactive, Self::Batch]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Interactive => ("interactive", "Somebody waits for it"),
            Self::Batch => ("batch", "It gets what interactive calls leave"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ModelArgs {
    /// The model that is asked for, or the best one on this machine.
    pub(super) fn choose(&self, hub: &HubArgs) -> crate::Result<Chosen> {
        hub.store()?.choose(self.model.as_deref())
    }

    pub(super) fn load_options(&self) -> crate::Result<LoadOptions> {
        let (threads, replicas) = (self.threads, self.replicas);
        let engine = EngineConfig { threads, replicas, ..EngineConfig::default() };
        let options = LoadOptions::new(engine, &self.device, self.precision)?;
        Ok(LoadOptions { shortlist: self.shortlist.clone(), ..options })
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct OptionArgs {
    /// Width of the beam, 1 (greedy) to 16.
    #[arg(long, value_name = "N", default_value_t = TranslateOptions::default().beam_size)]
    beam: usize,
    /// Exponent of the length that a translation's log-probability is divided by, -5 to 5: above 0 favours long
    /// translations.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    length_penalty: f32,
    /// Target tokens allowed per source token, 0.5 to 20; every sentence may have 32 more.
    #[arg(long, value_name = "X", default_value_t = TranslateOptions::default().max_expansion)]
    max_expansion: f32,
    /// Least number of tokens of a sentence's translation.
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_tokens: usize,
    /// Largest number of tokens of a sentence's translation, 1 to 4096.
    #[arg(long, value_name = "N", default_value_t = TranslateOptions::default().max_tokens)]
    max_tokens: usize,
    /// Translations of each sentence in `bilingual` and `jsonl`, at most as many as the beam is wide.
    #[arg(long, value_name = "N", default_value_t = 1)]
    n_best: usize,
    /// How often a sentence may be tried in all while its translation fails a check, 1 to 6.
    #[arg(long, value_name = "N", default_value_t = TranslateOptions::default().max_attempts)]
    max_attempts: usize,
    /// Leave half-spaces (ZWNJ) that the text has lost as they are.
    #[arg(long)]
    no_restore_half_spaces: bool,
    /// Refuse a text that isn't Persian instead of flagging its sentences.
    #[arg(long)]
    require_persian: bool,
    /// Tell in `jsonl` which words of source and target stand for which.
    #[arg(long)]
    alignment: bool,
    /// Give in `jsonl` the model's score of each token.
    #[arg(long)]
    token_scores: bool,
    /// Translate every sentence anew, even one that was translated before.
    #[arg(long)]
    no_cache: bool,
    /// Let the model produce `<unk>`, as Hugging Face's own code does.
    #[arg(long, hide = true)]
    allow_unknown: bool,
}

impl OptionArgs {
    pub(super) fn options(&self, return_source: bool) -> TranslateOptions {
        TranslateOptions {
            model: None,
            beam_size: self.beam,
            length_penalty: self.length_penalty,
            max_expansion: self.max_expansion,
            min_tokens: self.min_tokens,
            max_tokens: self.max_tokens,
            return_source,
            n_best: self.n_best,
            restore_half_spaces: !self.no_restore_half_spaces,
            max_attempts: self.max_attempts,
            require_persian: self.require_persian,
            alignment: self.alignment,
            token_scores: self.token_scores,
            no_cache: self.no_cache,
            priority: Priority::default(),
            allow_unknown: self.allow_unknown,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key for a client.
    ///
    /// Standard output has two lines: the key, which is told only this once and goes to the client, and the line for
    /// the service's file of keys (`auth.keys_file`), which can't be turned back into the key.
    New {
        /// The client's name in the service's log: 1 to 64 of a to z, A to Z, 0 to 9, '.', '_' and '-'.
        name: String,
        /// Requests that it may send a minute; articles of a stream count one by one.
        #[arg(long, value_name = "N")]
        requests: Option<NonZeroU32>,
        /// Source characters that it may send a minute.
        #[arg(long, value_name = "N")]
        characters: Option<NonZeroU32>,
    },
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// The Persian text, one sentence a line.
    #[arg(long, value_name = "FILE")]
    pub(super) source: PathBuf,
    /// A person's translation of it, line by line.
    #[arg(long, value_name = "FILE")]
    pub(super) reference: PathBuf,
    /// Score this translation of the source, line by line, instead of a model's; may be given several times, to
    /// compare systems with the first.
    #[arg(
        long = "hypothesis",
        value_name = "FILE",
        conflicts_with_all = ["output", "ModelArgs", "OptionArgs"]
    )]
    pub(super) hypotheses: Vec<PathBuf>,
    /// Write the model's translations to a file, one a line.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) options: OptionArgs,
}

#[derive(Debug, Args)]
pub(super) struct SplitArgs {
    /// The file to split; `-` is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    pub(super) input: PathBuf,
    /// Add to each sentence what the model will see of it.
    #[arg(long)]
    pub(super) normalized: bool,
    /// Leave lost half-spaces as they are in what the model will see.
    #[arg(long, requires = "normalized")]
    pub(super) no_restore_half_spaces: bool,
}
