//! `models list`, `pull`, `verify`, `remove` and `path`.

use serde_json::{Map, Value, json};

use super::args::ModelsCommand;
use super::downloads::{Downloads, bytes};
use super::failure::{Failure, Outcome, print, tell};
use crate::hub::{
    self, Catalogue, Entry, HubSettings, ModelName, Pulled, RANKED_TEST_SET, Source, Store, Stored,
};

/// Runs one of the commands on the store.
pub(super) async fn run(
    command: ModelsCommand,
    settings: &HubSettings,
    quiet: bool,
) -> Result<Outcome, Failure> {
    let store = Store::new(&settings.store);
    match command {
        ModelsCommand::List { json } => list(&store, json),
        ModelsCommand::Pull { name, accept_license } => pull(settings, &name, accept_license, quiet).await,
        ModelsCommand::Verify { names } => verify(&store, &names),
        ModelsCommand::Remove { name } => {
            store.remove(&ModelName::parse(&name)?)?;
            Ok(Outcome::Done)
        }
        ModelsCommand::Path { name } => {
            let folder = store.find(&ModelName::parse(&name)?)?;
            print(format!("{}\n", folder.display()).as_bytes())?;
            Ok(Outcome::Done)
        }
    }
}

async fn pull(settings: &HubSettings, name: &str, accept: bool, quiet: bool) -> Result<Outcome, Failure> {
    let downloads = Downloads::new(quiet);
    let pulled = hub::pull(settings, &ModelName::parse(name)?, accept, &|event| downloads.tell(event)).await;
    downloads.finish();
    let Pulled { folder, manifest, was_there } = pulled?;
    if !quiet {
        let done =
            if was_there { "is in the store already, up to date and sound" } else { "is in the store" };
        let size = bytes(manifest.size());
        tell(&format!("{name} {done}: {size}, licence {}, {}", manifest.licence, folder.display()));
    }
    Ok(Outcome::Done)
}

fn verify(store: &Store, names: &[String]) -> Result<Outcome, Failure> {
    let mut names = names.to_vec();
    let mut spoilt = 0;
    if names.is_empty() {
        for Stored { folder, manifest } in store.list()? {
            match manifest {
                Ok(manifest) => names.push(manifest.name),
                Err(error) => {
                    spoilt += 1;
                    print(format!("{}: {error}\n", folder.display()).as_bytes())?;
                }
            }
        }
    }
    for name in names {
        let problems = store.verify(&ModelName::parse(&name)?)?;
        spoilt += usize::from(!problems.is_empty());
        let found = if problems.is_empty() { "sound".into() } else { problems.join("; ") };
        print(format!("{name}: {found}\n").as_bytes())?;
    }
    match spoilt {
        0 => Ok(Outcome::Done),
        spoilt => {
            let remedy = "fetch it again with `tarjoman models pull`";
            Err(Failure::Failed(format!("not what was fetched: {spoilt} of the models; {remedy}")))
        }
    }
}

fn list(store: &Store, json: bool) -> Result<Outcome, Failure> {
    let mut stored = store.list()?;
    let mut models = Vec::new();
    for entry in &Catalogue::get().models {
        let named =
            |stored: &Stored| stored.folder.file_name().is_some_and(|name| name == entry.name.as_str());
        let here = stored.iter().position(named).map(|at| stored.remove(at));
        models.push(known(entry, here));
    }
    models.extend(stored.into_iter().map(other));
    let text = if json {
        serde_json::to_string_pretty(&models).map_err(std::io::Error::from)? + "\n"
    } else {
        let header = row(["NAME", "FAMILY", "PAIR", "SIZE", "BLEU", "STATE", "LICENCE"]);
        let rows = models.iter().map(|model| {
            let text = |field: &str| model[field].as_str().unwrap_or("-");
            let pair = format!("{}-{}", text("source_language"), text("target_language"));
            let size = model["size"].as_u64().map_or("-".into(), bytes);
            let published = Some(&model["score"]).filter(|score| score["test_set"] == RANKED_TEST_SET);
            let bleu = published.map_or("-".into(), |score| score["bleu"].to_string());
            let asks = model["must_accept"] == true && model["licence_accepted"].is_null();
            let licence = text("licence").to_owned() + if asks { ", to be accepted" } else { "" };
            row([text("name"), text("family"), &pair, &size, &bleu, text("state"), &licence])
        });
        header + &rows.collect::<String>() + &format!("BLEU as published, on {RANKED_TEST_SET}.\n")
    };
    print(text.as_bytes())?;
    Ok(Outcome::Done)
}

fn row(cells: [&str; 7]) -> String {
    let [name, family, pair, size, bleu, state, licence] = cells;
    format!("{name:<28} {family:<8} {pair:<6} {size:>10} {bleu:>5}  {state:<12} {licence}\n")
}

/// A model of the catalogue, which may be in the store.
fn known(entry: &Entry, here: Option<Stored>) -> Value {
    let built_in = matches!(entry.source, Source::BuiltIn {});
    let mut model = json!({
        "name": entry.name,
        "family": entry.family,
        "source_language": entry.source_language,
        "target_language": entry.target_language,
        "source_code": entry.source_code.as_ref().unwrap_or(&entry.source_language),
        "target_code": entry.target_code.as_ref().unwrap_or(&entry.target_language),
        "licence": entry.licence,
        "must_accept": entry.must_accept,
        "size": entry.size,
        "score": entry.score,
        "note": entry.note,
        "state": if built_in { "built in" } else { "not fetched" },
    });
    if built_in {
        model["digest"] = hub::built_in_digest().into();
    }
    if let Some(stored) = here {
        merge(&mut model, in_store(stored));
    }
    model
}

/// A model in the store that isn't in the catalogue.
fn other(stored: Stored) -> Value {
    let mut model = json!({ "name": stored.folder.file_name().unwrap_or_default().to_string_lossy() });
    merge(&mut model, in_store(stored));
    model
}

fn in_store(stored: Stored) -> Value {
    match stored.manifest {
        Ok(manifest) => json!({
            "name": manifest.name,
            "licence": manifest.licence,
            "licence_accepted": manifest.licence_accepted,
            "size": manifest.size(),
            "origin": manifest.origin,
            "fetched": manifest.fetched,
            "files": manifest.files,
            "state": "in the store",
            "path": stored.folder,
        }),
        Err(error) => json!({ "state": "damaged", "problem": error.to_string(), "path": stored.folder }),
    }
}

fn merge(model: &mut Value, more: Value) {
    if let (Value::Object(model), Value::Object(more)) = (model, more) {
        let more: Map<String, Value> = more;
        model.extend(more);
    }
}
