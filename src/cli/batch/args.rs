//! The arguments of `batch`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::archive::{BatchConfig, Export, HtmlMode, Queue, QueueAccess, ReadOptions, Store};
use crate::cli::args::{AccessArgs, ModelArgs, OptionArgs};
use crate::cli::failure::Failure;
use crate::engine::Priority;
use crate::options::TranslateOptions;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct BatchArgs {
    #[command(subcommand)]
    pub(super) command: Option<BatchCommand>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum BatchCommand {
    /// Put the articles into a queue, for workers on any machine.
    ///
    /// `tarjoman worker` translates them, `tarjoman batch collect DIR` writes the output.
    Submit {
        #[command(flatten)]
        run: Box<RunArgs>,
        #[command(flatten)]
        queue: QueueArgs,
    },
    /// Wait for what workers translate of what was submitted, and write the output.
    Collect {
        /// The folder that `batch submit` wrote to.
        dir: PathBuf,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Tell how far a run is, also while it is running.
    Status {
        /// The folder that it writes to.
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell what a run has translated, and what is flagged, slow or failed.
    Report {
        /// The folder that it writes to.
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Entries in each list.
        #[arg(long, value_name = "N", default_value_t = 10)]
        longest: usize,
    },
}

/// Where articles wait for workers.
#[derive(Debug, Args)]
pub(in crate::cli) struct QueueArgs {
    /// The NATS server with the queue, e.g. `nats://127.0.0.1:4222` or `tls://queue.example:4222`. It must have JetStream.
    #[arg(long, value_name = "URL", env = "TARJOMAN_QUEUE")]
    queue: String,
    /// The name to log in to the queue with; without it, the password is a token.
    #[arg(long, value_name = "NAME", env = "TARJOMAN_QUEUE_USER")]
    queue_user: Option<String>,
    /// A file with the queue's password; without it, `TARJOMAN_QUEUE_PASSWORD` has it, if one is needed.
    #[arg(long, value_name = "FILE")]
    queue_password_file: Option<PathBuf>,
    /// The PEM file of the authority of the queue's certificate; without it, the system's authorities count.
    #[arg(long, value_name = "FILE", env = "TARJOMAN_QUEUE_CA")]
    queue_ca: Option<PathBuf>,
    /// The PEM file of this client's certificate, for a queue that wants one.
    #[arg(long, value_name = "FILE", env = "TARJOMAN_QUEUE_CERTIFICATE", requires = "queue_key")]
    queue_certificate: Option<PathBuf>,
    /// The PEM file of the certificate's private key.
    #[arg(long, value_name = "FILE", env = "TARJOMAN_QUEUE_KEY", requires = "queue_certificate")]
    queue_key: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Where texts and their translations are put.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// A folder that all machines see, or a bucket as `s3://BUCKET/PREFIX`, with region, keys and endpoint in the
    /// environment (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT`).
    #[arg(long, value_name = "PLACE", env = "TARJOMAN_QUEUE_STORE")]
    queue_store: String,
}

impl QueueArgs {
    pub(in crate::cli) async fn open(&self) -> Result<(Queue, Store), Failure> {
        let password = match &self.queue_password_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?),
            None => std::env::var("TARJOMAN_QUEUE_PASSWORD").ok(),
        };
        let access = QueueAccess {
            url: self.queue.clone(),
            user: self.queue_user.clone(),
            password: password.map(|password| password.trim().to_owned()),
            ca: self.queue_ca.clone(),
            identity: self.queue_certificate.clone().zip(self.queue_key.clone()),
        };
        Ok((Queue::connect(access).await?, self.store.open()?))
    }
}

impl StoreArgs {
    pub(super) fn open(&self) -> crate::Result<Store> {
        Store::open(&self.queue_store)
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
pub(super) struct RunArgs {
    /// Files, folders, and patterns in quotation marks such as 'news/**/*.txt'.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The folder to write to.
    // Required of a run and absent beside a subcommand, for which clap needs an option.
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,
    /// Write for each file one more, beside the translated one.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORMAT")]
    export: Vec<ExportArg>,
    /// The field or column with the text: a name, or a path such as `article.body` or `parts.*.text`; may be given
    /// several times.
    #[arg(long, value_name = "FIELD", default_value = "text")]
    text_field: Vec<String>,
    /// What is translated of an HTML page: the main article alone, as a page of its own, or the page with its markup.
    #[arg(long, value_enum, default_value_t = Html::Page)]
    html: Html,
    /// What separates the fields of a CSV file.
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    delimiter: char,
    /// The largest article, in bytes of the record or document that holds it.
    #[arg(long, value_name = "N", default_value_t = ReadOptions::default().max_item_bytes)]
    max_item_bytes: usize,
    /// How many times its packed size a packed stream may have before it is taken for a bomb.
    #[arg(long, value_name = "N", default_value_t = ReadOptions::default().max_ratio)]
    max_ratio: u64,
    /// Articles that are translated at once, fewer where they are long.
    #[arg(long, value_name = "N", default_value_t = 256)]
    in_flight: usize,
    /// Stop once there are more errors than this.
    #[arg(long, value_name = "N")]
    max_errors: Option<u64>,
    /// Go on where an earlier run stopped, as it does anyway; undoes a --restart before it.
    #[arg(long, overrides_with = "restart")]
    resume: bool,
    /// Translate everything again.
    #[arg(long, overrides_with = "resume", conflicts_with = "on_change")]
    restart: bool,
    /// Try again what failed in an earlier run.
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// What to do where the model or the options aren't those that the output was begun with. A terminal asks.
    #[arg(long, value_enum)]
    pub(super) on_change: Option<OnChange>,
    /// Count the articles and estimate the time, and write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Translate with a server instead of in this process, e.g. `http://127.0.0.1:50051`.
    #[arg(long, value_name = "URL", conflicts_with_all = ["device", "threads", "replicas"])]
    pub(super) server: Option<String>,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    options: OptionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportArg {
    /// Each article as a line of JSON: aligned sentences with spans, scores, flags and provenance.
    Jsonl,
    /// A translation memory (TMX 1.4b).
    Tmx,
    /// XLIFF 2.0.
    Xliff,
    /// A page with both languages side by side; pointing at a sentence shows its other half.
    Html,
    /// A table of sentences (Apache Parquet).
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Html {
    Article,
    Page,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnChange {
    /// Translate everything again.
    Restart,
    /// Keep what is translated, and translate the rest as asked now.
    Keep,
    /// Do nothing.
    Fail,
}

impl RunArgs {
    pub(super) fn restarts(&self) -> bool {
        self.restart && !self.resume
    }

    pub(super) fn config(&self) -> Result<BatchConfig, Failure> {
        let delimiter = u8::try_from(self.delimiter).ok().filter(u8::is_ascii);
        let delimiter = delimiter.ok_or_else(|| {
            Failure::Usage(format!("--delimiter: {:?} isn't an ASCII character; use one", self.delimiter))
        })?;
        let output = self.output.clone();
        let output = output.ok_or_else(|| Failure::Usage("--output: name the folder to write to".into()))?;
        Ok(BatchConfig {
            inputs: self.inputs.clone(),
            output,
            read: ReadOptions {
                text_fields: self.text_field.clone(),
                html: match self.html {
                    Html::Article => HtmlMode::Article,
                    Html::Page => HtmlMode::Page,
                },
                delimiter,
                max_item_bytes: self.max_item_bytes,
                max_ratio: self.max_ratio,
            },
            exports: self.export.iter().map(|export| export.export()).collect(),
            options: TranslateOptions { priority: Priority::Batch, ..self.options.options(false) },
            in_flight: self.in_flight,
            max_errors: self.max_errors,
        })
    }
}

impl ExportArg {
    fn export(self) -> Export {
        match self {
            Self::Jsonl => Export::Jsonl,
            Self::Tmx => Export::Tmx,
            Self::Xliff => Export::Xliff,
            Self::Html => Export::Html,
            Self::Parquet => Export::Parquet,
        }
    }
}
